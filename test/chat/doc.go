// SPDX-License-Identifier: Apache-2.0

// Package chat is the wire format of the messages between a chaincode and its peer, generated from chat.proto. It is a
// copy, reduced to what the test peer needs, so that this module does not depend on Fabric's.
//
// To regenerate it, run go generate in this directory with protoc-gen-go and protoc-gen-go-grpc in PATH.
package chat

//go:generate protoc --go_out=. --go_opt=paths=source_relative --go-grpc_out=. --go-grpc_opt=paths=source_relative chat.proto
