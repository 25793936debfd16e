// SPDX-License-Identifier: Apache-2.0

// Package fakeengine is a container engine for tests. It speaks the part of the Docker Engine API that this project uses,
// over HTTP on its own socket, and keeps its state in memory. Containers go through created, running and exited, names
// are unique, uploaded archives are kept as files, and a commit creates an image. A container's process is a Go function,
// see [Program].
//
// It misbehaves on demand: a test puts a [Fault] on a route, which returns an error, hangs, drops the connection, or
// prunes containers at that moment. The engine records all calls, and a test can list what exists at the end.
//
// Tests over HTTP survive a change of the client library, and show what the library does to errors and streams.
//
//	engine.go      the socket, the routes, the clock
//	call.go        recorded calls
//	fault.go       misbehaviour
//	container.go   a container's states, and the calls that change them
//	inspect.go     inspect and list
//	process.go     the process in a container
//	output.go      attach
//	log.go         logs, and their rotation
//	input.go       a container's standard input
//	wait.go        waiting for a container to exit
//	files.go       a container's files
//	archive.go     upload, download and stat of files
//	image.go       images and their names
//	build.go       builds from a Dockerfile
//	registry.go    a registry to pull from
//	commit.go      images made from containers
//	volume.go      volumes
//	network.go     networks
package fakeengine
