// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// secretSearch collects what the engine shows of a company's builds while they run, and what they leave.
type secretSearch struct {
	company *company
	dir     string // copies of the directories of peers
	began   time.Time
	stop    func()

	mu    sync.Mutex
	seen  map[string][]byte // by what was asked
	peers []string          // what the programs of each have said
}

// watch begins to look at the containers of a company's builds.
func (c *company) watch(t *testing.T) *secretSearch {
	t.Helper()
	s := &secretSearch{company: c, dir: t.TempDir(), began: time.Now(), seen: map[string][]byte{}}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			s.look(ctx)
			select {
			case <-ctx.Done():
			case <-time.After(200 * time.Millisecond):
			}
		}
	}()
	s.stop = sync.OnceFunc(func() {
		cancel()
		<-ended
	})
	t.Cleanup(s.stop)
	return s
}

// look asks everything that the engine's API says of the containers. They may go at any time, so errors are ignored.
func (s *secretSearch) look(ctx context.Context) {
	var all []containerState
	if world.engine.Get(ctx, "/containers/json?all=1", &all) != nil {
		return
	}
	for _, c := range all {
		if !slices.ContainsFunc(c.Names, func(name string) bool { return strings.HasPrefix(name, "/"+s.company.prefix) }) {
			continue
		}
		for _, question := range []string{"json", "top", "logs?stdout=1&stderr=1", "changes"} {
			if question != "json" && c.State != "running" {
				continue
			}
			if answer, err := world.engine.Read(ctx, "/containers/"+c.ID+"/"+question); err == nil {
				s.keep(c, question, answer)
			}
		}
	}
}

func (s *secretSearch) keep(c containerState, question string, answer []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen[fmt.Sprintf("container %s %s (%x)", c.Names[0], question, len(answer))] = answer
}

// see adds what a peer has on its disk now, and what its programs have said.
func (s *secretSearch) see(t *testing.T, p *testPeer) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	dir := filepath.Join(s.dir, fmt.Sprint(len(s.peers))) // the peer's own is removed with its test
	require.NoError(t, os.CopyFS(dir, os.DirFS(p.options.Dir)))
	s.peers = append(s.peers, p.journal.String())
}

// find searches everything that the engine holds of the builds, that it has shown, and that the peers have, for secrets. It
// returns where they are.
func (s *secretSearch) find(t *testing.T, secrets ...string) []string {
	t.Helper()
	s.stop()
	n := newNeedles(secrets...)
	found := n.searchImages(t, s.company)
	found = append(found, n.searchVolumes(t, s.company)...)
	found = append(found, n.searchEngine(t, s.began)...)
	for question, answer := range s.seen {
		found = append(found, n.search(question, bytes.NewReader(answer))...)
	}
	for _, said := range s.peers {
		require.NotEmpty(t, said)
		found = append(found, n.search("what the programs said", strings.NewReader(said))...)
	}
	found = append(found, n.searchFiles(t, s.dir, time.Time{})...)
	t.Logf("searched %d answers of the engine on running builds, and %d peers", len(s.seen), len(s.peers))
	assert.NotEmpty(t, s.seen, "no build container was seen")
	return found
}

// searchAnswer searches what the engine answers.
func (n needles) searchAnswer(t *testing.T, question string) []string {
	t.Helper()
	answer, err := world.engine.Open(timeout(t), question)
	require.NoError(t, err)
	defer answer.Close()
	return n.search(question, answer)
}

// searchImages searches the layers that builds made, and what the engine tells of the images.
func (n needles) searchImages(t *testing.T, c *company) (found []string) {
	t.Helper()
	names := c.images(t)
	require.NotEmpty(t, names)
	for _, name := range names {
		for _, question := range []string{"/json", "/history"} {
			found = append(found, n.searchAnswer(t, "/images/"+name+question)...)
		}
	}
	t.Logf("searching %d images", len(names))
	return append(found, n.searchAnswer(t, "/images/get?"+url.Values{"names": names}.Encode())...)
}

// searchVolumes searches the caches of builds.
func (n needles) searchVolumes(t *testing.T, c *company) (found []string) {
	t.Helper()
	volumes := c.volumes(t)
	if len(volumes) == 0 {
		return nil
	}
	var binds []string
	for i, volume := range volumes {
		found = append(found, n.searchAnswer(t, "/volumes/"+volume)...)
		binds = append(binds, fmt.Sprintf("%s:/volumes/%d", volume, i))
	}
	id := createContainer(t, "", map[string]any{"Image": world.baseos, "HostConfig": map[string]any{"Binds": binds}})
	t.Logf("searching %d volumes", len(volumes))
	found = append(found, n.searchAnswer(t, "/containers/"+id+"/archive?path=/volumes")...)
	require.NoError(t, world.engine.Delete(timeout(t), "/containers/"+id+"?force=1"))
	return found
}

// searchEngine searches the engine's events, and its own files if it keeps them on this machine.
func (n needles) searchEngine(t *testing.T, began time.Time) (found []string) {
	t.Helper()
	found = n.searchAnswer(t, fmt.Sprintf("/events?since=%d&until=%d", began.Unix(), time.Now().Unix()))
	var info struct{ DockerRootDir string }
	require.NoError(t, world.engine.Get(timeout(t), "/info", &info))
	if _, err := os.Stat(info.DockerRootDir); err != nil {
		t.Logf("not searching the engine's own files: %v", err)
		return found
	}
	return append(found, n.searchFiles(t, info.DockerRootDir, began)...)
}

// searchFiles searches the files below a directory that have changed since a time. They may go meanwhile.
func (n needles) searchFiles(t *testing.T, dir string, since time.Time) (found []string) {
	t.Helper()
	files := 0
	_ = filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() && entry.Name() == "merged" { // what is mounted there is elsewhere, too
			return fs.SkipDir
		}
		info, err := entry.Info()
		if err != nil || !info.Mode().IsRegular() || !changedSince(info, since) {
			return nil
		}
		file, err := os.Open(name)
		if err != nil {
			return nil
		}
		defer file.Close()
		files++
		if n.in([]byte(path.Base(name))) {
			found = append(found, name)
		}
		found = append(found, n.search(name, file)...)
		return nil
	})
	require.Positive(t, files, "nothing to search in %s", dir)
	t.Logf("searched %d files in %s", files, dir)
	return found
}

// changedSince reports whether a file's content or attributes have changed since a time: unpacked files keep an older date.
func changedSince(info fs.FileInfo, since time.Time) bool {
	status, ok := info.Sys().(*syscall.Stat_t)
	return !ok || !time.Unix(status.Ctim.Unix()).Before(since)
}
