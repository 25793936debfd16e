// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// newBuilder creates a directory with bin/ and config.yaml. Some of the programs may be replaced.
func (b *bench) newBuilder(name, prefix, endpoint string, replaced map[string]string) (string, error) {
	dir := filepath.Join(b.scratch, name)
	if err := os.CopyFS(filepath.Join(dir, "bin"), os.DirFS(b.programs())); err != nil {
		return "", fmt.Errorf("copying the programs: %w", err)
	}
	for program, path := range replaced {
		data, err := os.ReadFile(path)
		if err != nil {
			return "", fmt.Errorf("copying the programs: %w", err)
		}
		target := filepath.Join(dir, "bin", program)
		if err := os.Remove(target); err != nil {
			return "", fmt.Errorf("copying the programs: %w", err)
		}
		if err := os.WriteFile(target, data, 0o755); err != nil {
			return "", fmt.Errorf("copying the programs: %w", err)
		}
	}
	settings, err := b.settings(prefix, endpoint)
	if err != nil {
		return "", err
	}
	return dir, os.WriteFile(filepath.Join(dir, "config.yaml"), []byte(settings), 0o644)
}

// programs returns a copy of bin/, so that a make during the benchmark changes nothing.
func (b *bench) programs() string { return filepath.Join(b.scratch, "bin") }

func (b *bench) settings(prefix, endpoint string) (string, error) {
	javaenv := b.images.javaenv
	if b.warmed != "" {
		javaenv = b.warmed
	}
	settings := fmt.Sprintf("vm: {endpoint: %q}\nchaincode:\n  builder: %s\n  golang: {runtime: %s}\n  node: {runtime: %s}\n  java: {runtime: %s}\nbuilder:\n  prefix: %s\n",
		endpoint, b.images.ccenv, b.images.baseos, b.images.nodeenv, javaenv, prefix)
	if !standInImage(b.images.nodeenv) {
		return settings, nil
	}
	scripts, err := scriptSums("test/baseimages/nodeenv/build.sh", "test/baseimages/nodeenv/start.sh")
	return settings + "  node: {knownScripts: [" + scripts + "]}\n", err
}

// standInImage reports whether an image is a stand-in from test/baseimages, which does not contain the official scripts.
func standInImage(name string) bool { return strings.HasPrefix(name, "fabric-builder-docker-test/") }

func scriptSums(names ...string) (string, error) {
	var sums []string
	for _, name := range names {
		script, err := os.ReadFile(name)
		if err != nil {
			return "", fmt.Errorf("reading a script of the base image: %w", err)
		}
		sum := sha256.Sum256(script)
		sums = append(sums, hex.EncodeToString(sum[:]))
	}
	return strings.Join(sums, ", "), nil
}
