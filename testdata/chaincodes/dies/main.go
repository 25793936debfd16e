// Command dies is a chaincode that ends with status 3 after 20 ms, before it
// could register.
package main

import (
	"fmt"
	"os"
	"time"
)

func main() {
	fmt.Fprintln(os.Stderr, "dies: last words")
	<-time.After(20 * time.Millisecond)
	os.Exit(3)
}
