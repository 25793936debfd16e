// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/test/peer"
)

// status holds the numbers of /proc/PID/status, with sizes in KiB.
type status map[string]float64

func processStatus(pid int) (status, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return nil, fmt.Errorf("looking at a process: %w", err)
	}
	return parseStatus(string(text)), nil
}

func parseStatus(text string) status {
	found := status{}
	for line := range strings.Lines(text) {
		key, rest, _ := strings.Cut(line, ":")
		words := strings.Fields(rest)
		if len(words) == 0 {
			continue
		}
		if number, err := strconv.ParseFloat(words[0], 64); err == nil {
			found[key] = number
		}
	}
	return found
}

func (s status) megabytes(key string) float64 { return s[key] * 1024 / 1e6 }

// peak returns the peak resident size of a process, read until done is closed. The kernel's peak only grows, so only the
// last moment can be missed. The peak of getrusage cannot be used: it includes the parent's, from before the exec.
func peak(pid int, done <-chan struct{}) float64 {
	const interval = time.Millisecond
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	most := 0.0
	for {
		if status, err := processStatus(pid); err == nil {
			most = max(most, status.megabytes("VmHWM"))
		}
		select {
		case <-done:
			return most
		case <-ticker.C:
		}
	}
}

// bulk is the size of the large package's content.
const bulk = 100 << 20

// memoryCases read the memory of build while it builds a package with large output.
func (b *bench) memoryCases() []benchCase {
	r := b.report.add(row{section: "Memory of build", name: "peak resident, 100 MiB of output (Node, no dependencies)", unit: megabytes, asked: asked{value, 20}})
	return []benchCase{{name: "build memory", rows: []*row{r}, measure: func(ctx context.Context, round int) error {
		pkg, err := b.large(round)
		if err != nil {
			return err
		}
		most, err := b.peakOfBuild(ctx, pkg)
		if err != nil {
			return err
		}
		r.ours.add(most)
		return nil
	}}}
}

func (b *bench) large(round int) ([]byte, error) {
	content := make([]byte, bulk)
	rand.Read(content) // never fails
	return peer.Assemble(map[string]any{"type": "node", "label": fmt.Sprintf("large_1.%d", round), "path": "."},
		peer.File("src/package.json", `{"name": "large", "version": "1.0.0", "private": true, "scripts": {"start": "node index.js"}}`),
		peer.File("src/index.js", "console.log('large');\n"),
		peer.Entry{Name: "src/content.bin", Body: content},
	)
}

func (b *bench) peakOfBuild(ctx context.Context, pkg []byte) (most float64, err error) {
	d, err := b.unpack(pkg)
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(d.root)
	cmd, said := buildCommand(ctx, b.builder, d.source, d.metadata, d.output)
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("building our way: %w", err)
	}
	done, watched := make(chan struct{}), make(chan float64)
	go func() { watched <- peak(cmd.Process.Pid, done) }()
	err = cmd.Wait()
	close(done)
	most = <-watched
	switch {
	case err != nil:
		return 0, fmt.Errorf("building our way: %w\n%s", err, said)
	case most == 0:
		return 0, errors.New("building our way: it was over before anybody could look")
	}
	return most, nil
}

// recordedImage returns the image of an installed package.
func recordedImage(p *peer.Peer, id string) string {
	record, err := metadata.ReadRecord(filepath.Clean(p.Build(id).Output))
	if err != nil {
		return ""
	}
	return record.Image
}
