// SPDX-License-Identifier: Apache-2.0

package docker_test

import (
	"archive/tar"
	"bytes"
	"context"
	"io"
	"net/http"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/test/fakeengine"
)

// createWithInput creates a container called "one" with a standard input.
func createWithInput(t *testing.T, client *docker.Engine) string {
	t.Helper()
	id, _, err := client.CreateOrInspect(t.Context(), docker.Spec{Name: "one", Image: "base:1", Input: true})
	require.NoError(t, err)
	return id
}

func TestInputReachesTheContainer(t *testing.T) {
	for name, flavour := range flavours {
		t.Run(name, func(t *testing.T) {
			engine, client := connect(t, flavour...)
			engine.SetProgram(func(p *fakeengine.Process) int {
				line := make([]byte, len("a secret"))
				io.ReadFull(p.Stdin, line)
				p.Stdout.Write([]byte("got " + string(line)))
				return 0
			})
			id := createWithInput(t, client)
			attached, err := client.Attach(t.Context(), id, []byte("a secret"))
			require.NoError(t, err)
			require.NoError(t, client.Start(t.Context(), id))
			stdout, _, err := output(t, attached)
			require.NoError(t, err)
			assert.Equal(t, "got a secret", stdout)
		})
	}
}

// A chaincode that reads more must not wait for a client that has disconnected.
func TestInputEndsWithTheConnection(t *testing.T) {
	engine, client := connect(t)
	read := make(chan string, 1)
	engine.SetProgram(func(p *fakeengine.Process) int {
		all, _ := io.ReadAll(p.Stdin)
		read <- string(all)
		return 0
	})
	id := createWithInput(t, client)
	attached, err := client.Attach(t.Context(), id, []byte("half"))
	require.NoError(t, err)
	require.NoError(t, client.Start(t.Context(), id))
	attached.Close()
	assert.Equal(t, "half", <-read)
}

// A program that reads standard input must not wait forever.
func TestAContainerWithoutInputReadsNothing(t *testing.T) {
	engine, client := connect(t)
	engine.SetProgram(func(p *fakeengine.Process) int {
		all, err := io.ReadAll(p.Stdin)
		if len(all) > 0 || err != nil {
			return 1
		}
		return 0
	})
	id := create(t, client)
	attached, err := client.Attach(t.Context(), id, nil)
	require.NoError(t, err)
	defer attached.Close()
	exits, err := client.Wait(t.Context(), id)
	require.NoError(t, err)
	require.NoError(t, client.Start(t.Context(), id))
	assert.Equal(t, docker.Exit{}, <-exits)
	assert.Empty(t, engine.Calls(fakeengine.Attach)[0].Query.Get("stdin"))
}

// The engine accepts only a part of the input.
func TestAttachEndsWithItsContextWhileItWritesInput(t *testing.T) {
	engine, client := connect(t)
	id := createWithInput(t, client)
	ctx, cancel := context.WithCancelCause(t.Context())
	attached := make(chan error, 1)
	go func() {
		_, err := client.Attach(ctx, id, bytes.Repeat([]byte("x"), 8<<20))
		attached <- err
	}()
	engine.AwaitFullInput(t, "one")
	cancel(io.ErrNoProgress)
	err := <-attached
	assert.ErrorContains(t, err, `writing to the standard input of container "`+id)
	assert.ErrorIs(t, err, io.ErrNoProgress)
}

func TestPathExistsAndExecutable(t *testing.T) {
	for name, flavour := range flavours {
		t.Run(name, func(t *testing.T) {
			engine, client := connect(t, flavour...)
			files := fakeengine.NewFiles(map[string]string{"/bin/text": "not a program"})
			files.Write("/bin/busybox", "shell", 0o755)
			for link, target := range map[string]string{"/bin/sh": "busybox", "/bin/ash": "/bin/busybox", "/bin/nothing": "gone"} {
				files.Add(link, tar.Header{Typeflag: tar.TypeSymlink, Mode: 0o777, Linkname: target}, "")
			}
			engine.AddImage(fakeengine.Image{Name: "full:1", Command: []string{"sh"}, Files: files})
			id, _, err := client.CreateOrInspect(t.Context(), docker.Spec{Name: "one", Image: "full:1"})
			require.NoError(t, err)
			for path, want := range map[string]struct {
				exists  bool
				program string
			}{
				"/bin/busybox": {true, "/bin/busybox"}, "/bin/sh": {true, "/bin/busybox"}, "/bin/ash": {true, "/bin/busybox"},
				"/bin": {true, ""}, "/bin/text": {true, ""}, "/bin/nothing": {true, ""}, "/bin/bash": {false, ""}, "/bin/s": {false, ""},
			} {
				exists, err := client.PathExists(t.Context(), id, path)
				require.NoError(t, err)
				assert.Equal(t, want.exists, exists, path)
				program, err := client.Executable(t.Context(), id, path)
				require.NoError(t, err)
				assert.Equal(t, want.program, program, path)
			}
			require.NoError(t, client.Remove(t.Context(), id))
			_, err = client.PathExists(t.Context(), id, "/bin/sh")
			assert.True(t, errdefs.IsNotFound(err), "the container is missing, not the file: %v", err)

			engine.On(fakeengine.Stat, fakeengine.Fail(http.StatusInternalServerError, "no"))
			_, err = client.Executable(t.Context(), create(t, client), "/bin/sh")
			assert.ErrorContains(t, err, "looking for /bin/sh in container")
		})
	}
}
