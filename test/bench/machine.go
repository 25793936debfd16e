// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"time"
)

// machine describes what the benchmark ran on.
func (b *bench) machine(ctx context.Context) (string, error) {
	var info struct {
		ServerVersion, Driver, OperatingSystem, CgroupVersion string
		NCPU                                                  int
		MemTotal                                              float64
	}
	if err := b.engine.Get(ctx, "/info", &info); err != nil {
		return "", fmt.Errorf("inspecting the engine: %w", err)
	}
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	lines := []string{
		fmt.Sprintf("- machine: %s, %d cores, %.1f GB of memory, Linux %s", processor(), runtime.NumCPU(), info.MemTotal/1e9, bytes.TrimSpace(kernel)),
		fmt.Sprintf("- engine: %s, storage driver %s, cgroup version %s", info.ServerVersion, info.Driver, info.CgroupVersion),
	}
	versions, err := b.versions(ctx)
	if err != nil {
		return "", err
	}
	lines = append(lines, versions...)
	if !b.strict {
		lines = append(lines, "- the built-in's MemorySwappiness 0 and OomKillDisable false are left out: this engine refuses them")
	}
	lines = append(lines, fmt.Sprintf("- %s, commit %s", time.Now().UTC().Format(time.DateOnly), commit(ctx)))
	return strings.Join(lines, "\n") + "\n", nil
}

// versions returns the versions of the tools in the images.
func (b *bench) versions(ctx context.Context) ([]string, error) {
	var lines []string
	for _, image := range []struct{ name, script string }{
		{b.images.ccenv, "go version"},
		{b.images.nodeenv, `echo "Node $(node --version), npm $(npm --version)"`},
		{b.images.javaenv, "java -version 2>&1 | sed -n 1p; mvn --version | sed -n 1p"},
	} {
		said, err := b.runIn(ctx, image.name, image.script, nil)
		if err != nil {
			return nil, fmt.Errorf("asking an image for its versions: %w", err)
		}
		said = controls.ReplaceAllString(said, "")
		lines = append(lines, fmt.Sprintf("- %s: %s", image.name, strings.Join(strings.Fields(said), " ")))
	}
	return lines, nil
}

// controls matches the colours of a tool that assumes a terminal.
var controls = regexp.MustCompile("\x1b\\[[0-9;]*m")

func processor() string {
	info, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(info)) {
		if key, model, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(model)
		}
	}
	return runtime.GOARCH
}

func commit(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}
