// Package chat is the wire format of the chat between a chaincode and its
// peer, generated from chat.proto. It is a copy of its own, cut down to what
// the tests' peer needs, so that the module does not depend on Fabric's.
//
// To generate it anew, with protoc-gen-go and protoc-gen-go-grpc on the PATH,
// run `go generate` in this directory.
package chat

//go:generate protoc --go_out=. --go_opt=paths=source_relative --go-grpc_out=. --go-grpc_opt=paths=source_relative chat.proto
