package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// exit STATUS ends the process in mid-transaction.
func exit(_ *transaction, args []string) ([]byte, error) {
	status, err := strconv.Atoi(args[0])
	if err != nil {
		return nil, err
	}
	os.Exit(status)
	return nil, nil
}

// printlong BYTES prints one line of that length.
func printLong(_ *transaction, args []string) ([]byte, error) {
	length, err := strconv.Atoi(args[0])
	if err != nil {
		return nil, err
	}
	_, err = fmt.Println(strings.Repeat("x", length))
	return nil, err
}

// printmany LINES prints numbered lines as fast as they are taken.
func printMany(_ *transaction, args []string) ([]byte, error) {
	lines, err := strconv.Atoi(args[0])
	if err != nil {
		return nil, err
	}
	out := bufio.NewWriter(os.Stdout)
	for i := 1; i <= lines; i++ {
		fmt.Fprintln(out, "kv: line", i)
	}
	return nil, out.Flush()
}

// ignoreterm makes the process survive SIGTERM from now on.
func ignoreTerm(*transaction, []string) ([]byte, error) {
	signal.Ignore(syscall.SIGTERM)
	return nil, nil
}

// env answers with the environment as a JSON object.
func environment(*transaction, []string) ([]byte, error) {
	values := map[string]string{}
	for _, entry := range os.Environ() {
		name, value, _ := strings.Cut(entry, "=")
		values[name] = value
	}
	return json.Marshal(values)
}

// file PATH answers with what a file is, and what this process is: mode and
// owner of the one, user and group of the other.
func file(_ *transaction, args []string) ([]byte, error) {
	info, err := os.Stat(args[0])
	if err != nil {
		return nil, err
	}
	answer := map[string]any{
		"mode": info.Mode().String(), "size": info.Size(), "uid": os.Getuid(), "gid": os.Getgid(),
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		answer["owner_uid"], answer["owner_gid"] = stat.Uid, stat.Gid
	}
	return json.Marshal(answer)
}

// sleep DURATION answers later.
func sleep(_ *transaction, args []string) ([]byte, error) {
	period, err := time.ParseDuration(args[0])
	if err != nil {
		return nil, err
	}
	<-time.After(period)
	return nil, nil
}

// alloc MEBIBYTES takes that much memory, touches all of it and keeps it.
func alloc(_ *transaction, args []string) ([]byte, error) {
	mebibytes, err := strconv.Atoi(args[0])
	if err != nil {
		return nil, err
	}
	block := make([]byte, mebibytes<<20)
	for i := range block {
		block[i] = byte(i)
	}
	kept <- block
	return nil, nil
}

// kept holds what alloc took.
var kept = make(chan []byte, 1024)
