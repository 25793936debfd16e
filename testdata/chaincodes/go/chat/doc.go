// Package chat is the wire format of the chat with the peer, generated from
// chat.proto. With protoc-gen-go and protoc-gen-go-grpc on the PATH,
// `go generate` makes it anew.
package chat

//go:generate protoc --go_out=. --go_opt=paths=source_relative --go-grpc_out=. --go-grpc_opt=paths=source_relative chat.proto
