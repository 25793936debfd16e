package main

import (
	"fmt"

	"example.com/kv/chat"
)

// function is one of the chaincode's functions, with the number of its
// arguments.
type function struct {
	arguments int
	call      func(*transaction, []string) ([]byte, error)
}

// functions are what a client may call.
func functions() map[string]function {
	return map[string]function{
		"put":        {2, put},
		"get":        {1, get},
		"exit":       {1, exit},
		"printlong":  {1, printLong},
		"printmany":  {1, printMany},
		"ignoreterm": {0, ignoreTerm},
		"env":        {0, environment},
		"file":       {1, file},
		"sleep":      {1, sleep},
		"alloc":      {1, alloc},
	}
}

func call(t *transaction, args [][]byte) *chat.Response {
	if len(args) == 0 {
		return failure(fmt.Errorf("no function given"))
	}
	var arguments []string
	for _, arg := range args[1:] {
		arguments = append(arguments, string(arg))
	}
	f, ok := functions()[string(args[0])]
	if !ok || f.arguments != len(arguments) {
		return failure(fmt.Errorf("no function %q with %d arguments", args[0], len(arguments)))
	}
	payload, err := f.call(t, arguments)
	if err != nil {
		return failure(err)
	}
	return &chat.Response{Status: 200, Payload: payload}
}

func failure(err error) *chat.Response {
	return &chat.Response{Status: 500, Message: err.Error()}
}

func put(t *transaction, args []string) ([]byte, error) {
	return nil, t.put(args[0], []byte(args[1]))
}

func get(t *transaction, args []string) ([]byte, error) {
	value, err := t.get(args[0])
	if err != nil {
		return nil, err
	}
	if value == nil {
		return nil, fmt.Errorf("no value for key %q", args[0])
	}
	return value, nil
}
