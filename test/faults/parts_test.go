// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A seed repeats a scenario, whichever others run.
func TestRandomNumbersDependOnTheSeedAndTheScenarioAlone(t *testing.T) {
	draw := func(name string, seed uint64) (drawn []time.Duration) {
		random := newTally(scenario{name: name}, options{seed: seed})
		for range 10 {
			drawn = append(drawn, random.upTo(time.Hour))
		}
		return drawn
	}
	assert.Equal(t, draw("pruned", 1), draw("pruned", 1))
	assert.NotEqual(t, draw("pruned", 1), draw("pruned", 2))
	assert.NotEqual(t, draw("pruned", 1), draw("two builders", 1))
}

func TestATallyCountsAndExcuses(t *testing.T) {
	tally := newTally(scenario{name: "x", rounds: 3}, options{})
	tally.started("build")
	tally.started("build")
	tally.started("run")
	tally.fail("nothing", nil)
	tally.note("%d prunes", 7)
	assert.Equal(t, "3 rounds, 2 builds, 1 runs, 1 failed, 7 prunes", tally.String())
	tally.excuse("a")
	assert.True(t, tally.excused("a"))
	assert.False(t, tally.excused("b"))
	assert.Equal(t, 5, newTally(scenario{rounds: 3}, options{rounds: 5}).rounds)
}

func TestWhatARequestIsAbout(t *testing.T) {
	for _, test := range []struct{ request, want string }{
		{"PUT /v1.41/containers/abc/archive?path=%2Fchaincode", "upload"},
		{"GET /v1.41/containers/abc/archive?path=%2Fchaincode%2Foutput", "download"},
		{"GET /v1.41/containers/abc/archive?path=%2Fetc%2Fpasswd", ""},
		{"POST /v1.41/containers/abc/start", "start"},
		{"POST /v1.41/images/load?quiet=1", "making"},
		{"POST /v1.41/commit?container=abc", "making"},
		{"DELETE /v1.41/containers/abc?force=1", "removes abc"},
		{"DELETE /v1.41/images/abc", ""},
	} {
		method, target, _ := strings.Cut(test.request, " ")
		r := httptest.NewRequest(method, target, nil)
		var found []string
		for name, is := range map[string]func(*http.Request) bool{"upload": isUpload, "download": isDownload, "start": isStart, "making": isMaking} {
			if is(r) {
				found = append(found, name)
			}
		}
		if id := removes(r); id != "" {
			found = append(found, "removes "+id)
		}
		assert.Equal(t, test.want, strings.Join(found, ", "), test.request)
	}
}

// fakeHost answers a create on a socket, and everything else with OK.
func fakeHost(t *testing.T) *stage {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/containers/create") {
			w.WriteHeader(http.StatusCreated)
			_, _ = io.WriteString(w, `{"Id":"`+r.URL.Query().Get("name")+`"}`)
		}
	}))
	t.Cleanup(server.Close)
	scratch, err := os.MkdirTemp("", "relay") // short enough for a socket
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(scratch) })
	return &stage{host: "tcp://" + server.Listener.Addr().String(), scratch: scratch}
}

func TestARelayKnowsWhoseContainersAreWhose(t *testing.T) {
	s := fakeHost(t)
	var seen []string
	r, err := s.newRelay(t.Context(), "a", hooks{
		before: func(r *http.Request) { seen = append(seen, r.URL.Path) },
		create: func(build bool, status int) { assert.Equal(t, http.StatusCreated, status) },
	})
	require.NoError(t, err)
	defer r.close()
	client := &stage{host: r.endpoint}
	transport := &http.Client{Transport: &http.Transport{DialContext: client.dial}}
	for _, name := range []string{"x-build-1", "x-assembly-2"} {
		response, err := transport.Post("http://engine/containers/create?name="+name, "application/json", strings.NewReader("{}"))
		require.NoError(t, err)
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		assert.JSONEq(t, `{"Id":"`+name+`"}`, string(body))
	}
	assert.Equal(t, []string{"/containers/create", "/containers/create"}, seen)
	assert.Equal(t, []string{"x-build-1"}, r.buildContainers())
	assert.True(t, r.has("x-assembly-2"))
	assert.False(t, r.has("x-build-3"))
}

func TestAWatchedBodyTellsOnce(t *testing.T) {
	told := 0
	body := &watched{ReadCloser: io.NopCloser(strings.NewReader("0123456789")), after: 4, then: func() { told++ }}
	read, err := io.ReadAll(body)
	require.NoError(t, err)
	assert.Equal(t, "0123456789", string(read))
	assert.Equal(t, 1, told)
}

func TestPackagesOfOneContentDifferInNothingElse(t *testing.T) {
	p := pack{kind: "golang", work: time.Second, upload: 1}.fresh()
	first, err := p.unpack(t.TempDir())
	require.NoError(t, err)
	second, err := p.unpack(t.TempDir())
	require.NoError(t, err)
	for _, name := range []string{"src/go.mod", "src/" + workFile, "src/salt.txt", "src/data"} {
		one, err := os.ReadFile(filepath.Join(first.source, name))
		require.NoError(t, err)
		two, err := os.ReadFile(filepath.Join(second.source, name))
		require.NoError(t, err)
		assert.Equal(t, one, two, name)
	}
	assert.NotEqual(t, p.salt, p.fresh().salt)
}
