// Command kv is a chaincode that keeps values by key, and that misbehaves when
// it is asked to. It speaks the chat with the peer itself, so that it builds
// quickly and needs nothing of Fabric's.
//
//	put KEY VALUE   writes a value
//	get KEY         reads it; status 500 when there is none
//
// The functions in faults.go are for tests of what happens around a chaincode.
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	address := flag.String("peer.address", os.Getenv("CORE_PEER_ADDRESS"), "the peer's chaincode address")
	flag.Parse()
	id := os.Getenv("CORE_CHAINCODE_ID_NAME")
	fmt.Println("kv: starting", id)
	fmt.Fprintln(os.Stderr, "kv: dialling", *address)
	if err := serve(*address, id); err != nil {
		fmt.Fprintln(os.Stderr, "kv: error:", err)
		os.Exit(1)
	}
}
