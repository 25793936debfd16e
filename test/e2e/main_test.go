// Package e2e_test drives the built programs as the peer does, on a real engine.
//
// "make test" brings up the engine and the base images and passes them in variables. Without them these tests fail
// rather than skip: a run that proves nothing must not look green.
package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"fabric-builder-docker/test/engine"
)

// world is what all tests share.
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
	return run(), nil
}
