package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"fabric-builder-docker/test/peer"
)

// launches compares our run with the docker command, launch by launch, for a Go chaincode with TLS.
func launches(ctx context.Context, rounds int) error {
	scratch, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	ours, err := builder(scratch, "ours", nil)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	byHand, err := builder(scratch, "byhand", map[string]string{"run": self})
	if err != nil {
		return err
	}
	a, b := &contender{name: "run", builder: ours}, &contender{name: "docker create, cp, start", builder: byHand}
	for _, c := range []*contender{a, b} {
		if err := c.install(ctx, filepath.Join(scratch, c.name)); err != nil {
			return err
		}
		defer c.peer.Close()
	}
	for range rounds {
		if err := errors.Join(a.launch(ctx), b.launch(ctx)); err != nil {
			return err
		}
	}
	for _, c := range []*contender{a, b} {
		fmt.Printf("%-28s median %.3f s (%.3f to %.3f, %d launches); memory while idle: %s\n",
			c.name, median(c.times).Seconds(), slices.Min(c.times).Seconds(), slices.Max(c.times).Seconds(), len(c.times), c.memory)
	}
	fmt.Printf("%-28s %.2f\n", "ratio", median(a.times).Seconds()/median(b.times).Seconds())
	return nil
}

// contender is one way to start a chaincode, on a peer of its own.
type contender struct {
	name, builder string
	peer          *peer.Peer
	journal       peer.Journal
	id            string
	times         []time.Duration
	memory        string
}

func (c *contender) install(ctx context.Context, dir string) error {
	var err error
	propagate := []string{"DOCKER_HOST"}
	if c.peer, err = peer.Start(ctx, peer.Options{BuilderPath: c.builder, Dir: dir, TLS: true, Propagate: propagate, Log: c.journal.Log}); err != nil {
		return err
	}
	var pkg bytes.Buffer
	if err := peer.Pack(&pkg, peer.Source{Label: "kv_1.0", Path: ".", Type: "golang", CodeDir: "testdata/chaincodes/go"}); err != nil {
		return err
	}
	if c.id, err = c.peer.Install(ctx, pkg.Bytes()); err != nil {
		return fmt.Errorf("%w\n%s", err, &c.journal)
	}
	return nil
}

func (c *contender) launch(ctx context.Context) error {
	launched, err := c.peer.Launch(ctx, c.id)
	if err != nil {
		return fmt.Errorf("%w\n%s", err, &c.journal)
	}
	c.times = append(c.times, launched.Registered)
	c.memory = residentMemory(launched.Run.PID())
	return c.peer.Stop(ctx, c.id)
}

// residentMemory is the lines VmRSS and RssAnon of a process.
func residentMemory(pid int) string {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return err.Error()
	}
	var found [][]byte
	for _, line := range bytes.Split(status, []byte("\n")) {
		if bytes.HasPrefix(line, []byte("VmRSS")) || bytes.HasPrefix(line, []byte("RssAnon")) || bytes.HasPrefix(line, []byte("Threads")) {
			found = append(found, bytes.Join(bytes.Fields(line), []byte(" ")))
		}
	}
	return string(bytes.Join(found, []byte(", ")))
}

// builder makes a directory with bin/ and config.yaml; some of the programs may be others than ours.
func builder(scratch, name string, replaced map[string]string) (string, error) {
	dir := filepath.Join(scratch, name)
	if err := os.CopyFS(filepath.Join(dir, "bin"), os.DirFS("bin")); err != nil {
		return "", err
	}
	for program, path := range replaced {
		data, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		if err := os.WriteFile(filepath.Join(dir, "bin", program), data, fs.FileMode(0o755)); err != nil {
			return "", err
		}
	}
	settings := fmt.Sprintf("vm: {endpoint: %q}\nchaincode:\n  builder: %s\n  golang: {runtime: %s}\n  node: {runtime: %s}\n",
		os.Getenv("DOCKER_HOST"), os.Getenv("FBD_TEST_CCENV"), os.Getenv("FBD_TEST_BASEOS"), os.Getenv("FBD_TEST_NODEENV"))
	return dir, os.WriteFile(filepath.Join(dir, "config.yaml"), []byte(settings), 0o644)
}

func median(times []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(times))
	return sorted[len(sorted)/2]
}
