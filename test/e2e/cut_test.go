// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/loglines"
	"fabric-builder-docker/internal/metadata"
)

// cutter passes connections on to the engine, and cuts them on demand.
type cutter struct {
	listener net.Listener
	mu       sync.Mutex
	open     map[net.Conn]bool
	closed   bool // new connections are refused
}

// startCutter returns a cutter and its endpoint.
func startCutter(t *testing.T) (*cutter, string) {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "cutter")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, "engine.sock")
	listener, err := net.Listen("unix", socket)
	require.NoError(t, err)
	c := &cutter{listener: listener, open: map[net.Conn]bool{}}
	t.Cleanup(func() {
		listener.Close()
		c.cut(true)
	})
	go c.serve()
	return c, "unix://" + socket
}

func (c *cutter) serve() {
	for {
		client, err := c.listener.Accept()
		if err != nil {
			return
		}
		go c.pass(client)
	}
}

func (c *cutter) pass(client net.Conn) {
	defer client.Close()
	at, err := url.Parse(world.host)
	if err != nil {
		return
	}
	network, address := at.Scheme, at.Host
	if network == "unix" {
		address = at.Path
	}
	engine, err := net.Dial(network, address)
	if err != nil {
		return
	}
	defer engine.Close()
	c.mu.Lock()
	c.open[client], c.open[engine] = true, true
	closed := c.closed
	c.mu.Unlock()
	if closed {
		return
	}
	var both sync.WaitGroup
	for _, pair := range [][2]net.Conn{{client, engine}, {engine, client}} {
		both.Go(func() {
			io.Copy(pair[0], pair[1])
			if half, ok := pair[0].(interface{ CloseWrite() error }); ok {
				half.CloseWrite()
			}
		})
	}
	both.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.open, client)
	delete(c.open, engine)
}

// cut cuts all connections, and refuses new ones as long as it stays closed.
func (c *cutter) cut(stayClosed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = stayClosed
	for conn := range c.open {
		conn.Close()
	}
}

// The engine rotates the log about every two seconds meanwhile, and keeps 9 of its files.
func TestNoLineIsLostWhenConnectionsAreCut(t *testing.T) {
	t.Parallel()
	const seconds = 30
	p := newPeer(t)
	id := p.install(t, sample(t, "prints", "golang", "prints_1.0"))
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	variables := []string{fmt.Sprintf("PRINTS_SEED=%d", seed), fmt.Sprintf("PRINTS_SECONDS=%d", seconds)}
	c, endpoint := startCutter(t)
	text := strings.Replace(config(fmt.Sprintf("  environment: [%s]\n", strings.Join(variables, ", "))), "vm:\n  endpoint: "+world.host+"\n",
		"vm:\n  endpoint: "+endpoint+"\n  docker: {hostConfig: {LogConfig: {Type: json-file, Config: {max-size: 1m, max-file: \"9\"}}}}\n", 1)
	run := start(t, builder(t, text), "run", p.Build(id).Output, runMetadata(t, id, "127.0.0.1:7052"))
	ended := make(chan int, 1)
	go func() { ended <- run.status(t) }()

	require.Eventually(t, func() bool { return strings.Contains(run.stderr.String(), "container is running") }, time.Minute, time.Millisecond)
	random := rand.New(rand.NewPCG(seed, 3))
	cuts := 0
	status := -1
	for status < 0 {
		select {
		case status = <-ended:
		case <-time.After(time.Duration(300+random.IntN(4000)) * time.Millisecond):
			down := random.IntN(3) == 0
			c.cut(down)
			if cuts++; down {
				<-time.After(time.Duration(random.IntN(1500)) * time.Millisecond)
				c.cut(false)
			}
		}
	}
	assert.Zero(t, status)
	t.Logf("%d cuts", cuts)
	stdout, stderr := streamsOf(run.stderr.String(), id)
	wantStdout, wantStderr := prints(t, id, variables[0])
	assertSameText(t, "stdout", wantStdout, stdout)
	assertSameText(t, "stderr", wantStderr, stderr)
	assert.Contains(t, run.stderr.String(), "reconnected")
	assert.NotContains(t, run.stderr.String(), "missing")
	noContainers(t, metadata.LabelChaincodeID, id)
	if t.Failed() {
		for line := range strings.Lines(run.stderr.String()) {
			if !strings.HasPrefix(line, id) {
				t.Log(strings.TrimSpace(line))
			}
		}
	}
}

// streamsOf returns the lines of each stream, which the chaincode prints in letters of their own.
func streamsOf(output, id string) (stdout, stderr string) {
	var out, errs strings.Builder
	for line := range strings.Lines(output) {
		text, ok := strings.CutPrefix(line, metadata.ShortID(id)+" | ")
		switch {
		case !ok:
		case text == strings.ToUpper(text) && text != strings.ToLower(text):
			out.WriteString(text)
		default:
			errs.WriteString(text)
		}
	}
	return out.String(), errs.String()
}

// prints returns what the chaincode prints, with long lines split as run splits them.
func prints(t *testing.T, id, seed string) (stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	command := exec.Command("go", "run", ".")
	command.Dir = filepath.Join(world.samples, "prints")
	command.Env = append(os.Environ(), seed, "PRINTS_SECONDS=0")
	command.Stdout, command.Stderr = &out, &errs
	require.NoError(t, command.Run())
	split := func(text []byte) string {
		var lines bytes.Buffer
		w := loglines.NewWriter(&lines, metadata.ShortID(id)+" | ")
		_, err := w.Write(text)
		require.NoError(t, err)
		return strings.ReplaceAll(lines.String(), metadata.ShortID(id)+" | ", "")
	}
	return split(out.Bytes()), split(errs.Bytes())
}

// assertSameText shows the first difference only: the texts are long.
func assertSameText(t *testing.T, what, want, got string) {
	t.Helper()
	same := 0
	for same < min(len(want), len(got)) && want[same] == got[same] {
		same++
	}
	if want != got {
		t.Errorf("%s: %d lines instead of %d, and after %d of %d bytes %.100q instead of %.100q",
			what, strings.Count(got, "\n"), strings.Count(want, "\n"), same, len(want), got[same:], want[same:])
	}
}
