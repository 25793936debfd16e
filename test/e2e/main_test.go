// SPDX-License-Identifier: Apache-2.0

// Package e2e_test drives the built programs as the peer does, on a real engine.
//
// "make test" provides the engine and the base images, and passes them in variables. Without them these tests fail and are
// not skipped, because a run that tests nothing must not pass.
package e2e_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"fabric-builder-docker/test/engine"
	"fabric-builder-docker/test/peer"
)

// world holds what all tests share.
var world struct {
	engine                 *engine.Client
	host                   string
	ccenv, baseos, nodeenv string
	bin                    string // directory of the four programs
	samples                string // testdata/chaincodes
}

func TestMain(m *testing.M) {
	status, err := withWorld(m.Run)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		status = 1
	}
	os.Exit(status)
}

func withWorld(run func() int) (int, error) {
	for name, value := range map[string]*string{
		"DOCKER_HOST": &world.host, "FBD_TEST_CCENV": &world.ccenv, "FBD_TEST_BASEOS": &world.baseos, "FBD_TEST_NODEENV": &world.nodeenv,
	} {
		if *value = os.Getenv(name); *value == "" {
			return 1, fmt.Errorf("%s is not set: these tests need an engine, run them through make test", name)
		}
	}
	var err error
	if world.engine, err = engine.NewClient(world.host); err != nil {
		return 1, err
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		return 1, err
	}
	world.samples = filepath.Join(root, "testdata", "chaincodes")
	dir, err := os.MkdirTemp("", "e2e")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	world.bin = dir
	build := exec.Command("make", "--silent", "-C", root, "BIN="+dir, "build")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return 1, fmt.Errorf("building the programs: %w", err)
	}
	if err := fetch(filepath.Join(dir, "fetch")); err != nil {
		return 1, fmt.Errorf("fetching modules: %w", err)
	}
	return run(), nil
}

// imports is a program that imports a package of every module that the Go sample needs, and compiles fast.
const imports = `package main

import (
	_ "golang.org/x/net/http/httpguts"
	_ "golang.org/x/sys/unix"
	_ "golang.org/x/text/unicode/norm"
	_ "google.golang.org/genproto/googleapis/rpc/status"
	_ "google.golang.org/grpc/codes"
	_ "google.golang.org/protobuf/encoding/protowire"
)

func main() {}
`

// fetch downloads the Go sample's modules into the cache that all builds share. The go command does not retry when a
// module proxy resets a connection, as npm and Maven do, so fetch tries three times.
func fetch(dir string) error {
	program, name := filepath.Join(dir, "bin", "build"), filepath.Join(dir, "go.tgz")
	pkg, err := modules()
	if err := errors.Join(
		err,
		os.MkdirAll(filepath.Dir(program), 0o755),
		os.Link(filepath.Join(world.bin, "build"), program),
		os.WriteFile(filepath.Join(dir, "config.yaml"), []byte(config("")), 0o644),
		os.WriteFile(name, pkg, 0o644),
	); err != nil {
		return err
	}
	var failures []error
	for range 3 {
		build := exec.Command(program, "--warm", name)
		build.Env = []string{"PATH=" + os.Getenv("PATH")}
		said, err := build.CombinedOutput()
		if err == nil {
			return nil
		}
		failures = append(failures, fmt.Errorf("%w: %s", err, said))
	}
	return errors.Join(failures...)
}

// modules returns a package with imports.
func modules() ([]byte, error) {
	code := []peer.Entry{peer.File("src/main.go", imports)}
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(world.samples, "go", name))
		if err != nil {
			return nil, err
		}
		code = append(code, peer.File("src/"+name, string(text)))
	}
	return peer.Assemble(map[string]any{"type": "golang", "label": "modules_1.0", "path": "."}, code...)
}
