// SPDX-License-Identifier: Apache-2.0

// Command demo takes a Go and a Node chaincode through all phases: it packs them, installs them (detect, build,
// release), starts them (run), and invokes them: put writes a value, get returns it. Then it installs the same package
// on a second peer, and an upgrade that changes one line. It uses the test peer and needs an engine; "make demo" starts
// one.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"fabric-builder-docker/test/baseimages"
	"fabric-builder-docker/test/ours"
)

func main() {
	verbose := flag.Bool("v", false, "show what the programs write to stderr")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *verbose); err != nil {
		fmt.Fprintln(os.Stderr, "demo: error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, verbose bool) error {
	root, err := os.Getwd()
	if err != nil {
		return err
	}
	scratch, err := os.MkdirTemp("", "demo")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	builder, err := configure(root, scratch)
	if err != nil {
		return fmt.Errorf("configuring the builder: %w", err)
	}
	began := time.Now()
	for _, language := range languages {
		d := &demo{language: language, samples: filepath.Join(root, "testdata", "chaincodes"), builder: builder, scratch: scratch, verbose: verbose}
		if err := d.run(ctx); err != nil {
			return fmt.Errorf("%s: %w", language.packageType, err)
		}
	}
	fmt.Printf("\nThe demo took %s.\n", seconds(time.Since(began)))
	return nil
}

// configure creates a directory for chaincode.externalBuilders: bin/ with the four programs, and config.yaml.
func configure(root, scratch string) (string, error) {
	builder := filepath.Join(scratch, "builder")
	if err := os.CopyFS(filepath.Join(builder, "bin"), os.DirFS(filepath.Join(root, "bin"))); err != nil {
		return "", err
	}
	settings := fmt.Sprintf("vm: {endpoint: %q}\nchaincode:\n  builder: %s\n  golang: {runtime: %s}\n  node: {runtime: %s}\nbuilder:\n  prefix: %s\n  node: {knownScripts: [%s]}\n",
		os.Getenv("DOCKER_HOST"), os.Getenv("FBD_TEST_CCENV"), os.Getenv("FBD_TEST_BASEOS"), os.Getenv("FBD_TEST_NODEENV"), ours.Prefix+"-demo",
		strings.Join(baseimages.NodeScripts(), ", "))
	return builder, os.WriteFile(filepath.Join(builder, "config.yaml"), []byte(settings), 0o644)
}
