module example.com/dies

go 1.21
