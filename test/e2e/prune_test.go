// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/metadata"
)

// showOnly starts a relay in front of the engine whose lists hold only what has a name in them, so that a prune through it leaves
// alone what others have on the engine.
func showOnly(t *testing.T, name string) (host string) {
	t.Helper()
	relay := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: "engine"})
	relay.Transport = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", strings.TrimPrefix(world.host, "unix://"))
	}}
	relay.ModifyResponse = func(answer *http.Response) error {
		path := answer.Request.URL.Path
		if !strings.HasSuffix(path, "/images/json") && !strings.HasSuffix(path, "/containers/json") && !strings.HasSuffix(path, "/volumes") {
			return nil
		}
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			return err
		}
		body, err = onlyWith(name, body)
		answer.Body, answer.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		answer.Header.Del("Content-Length")
		return err
	}
	server := httptest.NewServer(relay)
	t.Cleanup(server.Close)
	return server.URL
}

// onlyWith drops from a list those objects that do not hold name, which is the list of an engine or has one in Volumes.
func onlyWith(name string, body []byte) ([]byte, error) {
	var volumes map[string]json.RawMessage
	if json.Unmarshal(body, &volumes) == nil {
		list, err := onlyWith(name, volumes["Volumes"])
		volumes["Volumes"] = list
		if err != nil {
			return nil, err
		}
		return json.Marshal(volumes)
	}
	var all []json.RawMessage
	kept := []json.RawMessage{}
	if err := json.Unmarshal(body, &all); err != nil {
		return nil, err
	}
	for _, object := range all {
		if bytes.Contains(object, []byte(name)) {
			kept = append(kept, object)
		}
	}
	return json.Marshal(kept)
}

// imageOf returns the image of a build that a peer keeps.
func (p *testPeer) imageOf(t *testing.T, id string) string {
	t.Helper()
	record, err := metadata.ReadRecord(filepath.Join(p.Build(id).Dir, "bld"))
	require.NoError(t, err)
	return record.Image
}

// One peer has today's programs and the other earlier ones. The prune has a time-out of a second, so that no image is protected by
// its age while builds and launches run.
func TestPruneWithTwoPeersOfTwoVersions(t *testing.T) {
	t.Parallel()
	unique := prefix + "-prune-" + strings.ToLower(rand.Text())
	settings := strings.Replace(config(""), "prefix: "+prefix, "prefix: "+unique, 1)
	settings = strings.Replace(settings, allOutput(""), "", 1) // earlier versions do not know it
	operator := builder(t, strings.Replace(settings, world.host, showOnly(t, unique), 1)+"  buildTimeout: 1s\n")
	prune := func(args ...string) string {
		cmd := exec.Command(filepath.Join(operator, "bin", "build"), append([]string{"--prune"}, args...)...)
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		assert.NoError(t, cmd.Run(), stderr.String())
		return stdout.String() + stderr.String()
	}
	nothing := t.TempDir()
	t.Cleanup(func() { // when the peers have closed, nothing is needed any more; twice, because of images of unknown age
		for range 2 {
			prune("--yes", "--older-than", "1s", nothing) // of a peer that has nothing installed
		}
	})
	newer, older := newPeer(t, withBuilder(builder(t, settings))), newPeer(t, withBuilder(earlierBuilder(t, settings)))
	code := entries(t, filepath.Join(world.samples, "node"))
	kept := newer.install(t, fresh(t, "node", "kept_1.0", code...))
	deleted := newer.install(t, fresh(t, "node", "deleted_1.0", code...))
	other := older.install(t, fresh(t, "node", "other_1.0", code...))
	gone := newer.imageOf(t, deleted)
	needed := []string{newer.imageOf(t, kept), older.imageOf(t, other)}
	newerBuilds, olderBuilds := filepath.Dir(newer.Build(kept).Dir), filepath.Dir(older.Build(other).Dir)
	require.NoError(t, os.RemoveAll(newer.Build(deleted).Dir))
	newer.invoke(t, kept, "put", "a", "1")
	older.invoke(t, other, "put", "a", "1")
	exists := func(image string) bool { return world.engine.Get(timeout(t), "/images/"+image+"/json", nil) == nil }

	for range 2 {
		assert.Contains(t, prune("--yes", newerBuilds), "chaincodes of peers are here whose BUILDS_DIR was not given")
		assert.True(t, exists(gone), "the other peer may need it")
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	var last string
	go func() {
		defer close(stopped)
		for {
			last = prune("--yes", newerBuilds, olderBuilds)
			select {
			case <-stop:
				return
			default:
			}
		}
	}()
	for _, label := range []string{"first_1.0", "second_1.0"} {
		newer.invoke(t, newer.install(t, fresh(t, "node", label, code...)), "put", "a", "1")
		older.invoke(t, older.install(t, fresh(t, "node", label, code...)), "put", "a", "1")
	}
	close(stop)
	<-stopped
	last = prune("--yes", newerBuilds, olderBuilds) // those during an install may have seen the container, and not yet the build
	assert.False(t, exists(gone), last)
	for _, image := range needed {
		assert.True(t, exists(image), last)
	}
	newer.invoke(t, kept, "get", "a")
	older.invoke(t, other, "get", "a")
}
