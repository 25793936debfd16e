// Package fakeengine is a container engine for tests: it speaks the part of the Docker Engine API that this project
// uses, over HTTP on a socket of its own, with real semantics in memory. Containers go through created, running and
// exited, names are unique, uploaded archives are kept as files, a commit makes an image. What a process in a container
// does is a Go function, see [Program].
//
// It misbehaves on demand: a test puts a [Fault] on a route, which answers an error, hangs, loses the connection, or
// lets somebody prune at that very moment. What was called is recorded, and what is left can be asked for.
//
// Tests that speak HTTP survive a change of the client library, and find what it does to errors and streams.
//
//	engine.go      the socket, the routes, the clock
//	call.go        what was called
//	fault.go       misbehaviour
//	container.go   a container's states, and the calls that change them
//	inspect.go     how a container is described
//	process.go     what runs in a container
//	output.go      attach and logs
//	input.go       what an attached client writes
//	wait.go        waiting for an end
//	files.go       a container's files; archive.go is their way in and out
//	image.go       images, a registry to pull from, commits
//	others.go      volumes and networks
package fakeengine
