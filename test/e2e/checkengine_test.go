// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"archive/tar"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/test/registry"
)

func TestCheckAsksARealRegistry(t *testing.T) {
	const password = "s3cret-of-ada"
	r := registry.Start(t, registry.WithCredentials("ada", password))
	r.Push(t, "base/node:1", registry.Image(t, registry.Content{Files: map[string]registry.File{"/marker": {Body: []byte(t.Name())}}}))
	image := r.Ref("base/node:1")
	text := strings.ReplaceAll(checkConfig(t, "host"), world.nodeenv, image)
	check := func(extra string) checked {
		found := runCheck(t, builder(t, text+extra), "build")
		assert.NotContains(t, found.lines, password)
		assert.False(t, onEngine(t, image), "it is not pulled")
		return found
	}
	found := check("  registry: {config: " + dockerConfig(t, r.Host, "ada", password) + "}\n")
	assert.Equal(t, 0, found.status, found.lines)
	if isPodman(t) { // before 6
		assert.Contains(t, found.lines, "podman before 6 cannot ask its registry without a pull: try podman pull "+image)
		return
	}
	assert.Contains(t, found.lines, "ok    images: "+image+" is in registry "+r.Host+` as user "ada" from `)
	for name, test := range map[string]struct {
		user  string
		fault registry.Fault
		want  string
	}{
		"wrong user": {"eve", nil, `as user "eve" from `},
		"nobody":     {"", nil, "without credentials"},
		"broken":     {"ada", registry.Status(http.StatusInternalServerError), `as user "ada" from `},
	} {
		t.Run(name, func(t *testing.T) {
			extra := ""
			if test.user != "" {
				extra = "  registry: {config: " + dockerConfig(t, r.Host, test.user, password) + "}\n"
			}
			r.Break(test.fault)
			found := check(extra)
			assert.Equal(t, 1, found.status)
			require.Len(t, found.faults(), 1, found.lines)
			assert.Contains(t, found.faults()[0], image+" cannot be pulled: asking registry "+r.Host+" "+test.want)
			assert.NotContains(t, found.faults()[0], "proxy in front")
		})
	}
}

func TestCheckBehindAProxy(t *testing.T) {
	relay := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: "engine"})
	relay.Transport = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socketPath(t))
	}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/commit") {
			http.Error(w, "not on the list", http.StatusForbidden)
			return
		}
		relay.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	text := strings.Replace(checkConfig(t, "host"), world.host, strings.Replace(server.URL, "http://", "tcp://", 1), 1)
	found := runCheck(t, builder(t, text), "build", "--probe", "127.0.0.1:"+listen(t))
	assert.Equal(t, 1, found.status)
	require.Len(t, found.faults(), 1, found.lines)
	assert.Contains(t, found.faults()[0], "refuses POST /commit, which builds and launches need: allow it there")
}

func TestCheckOfACacheOfAnotherUser(t *testing.T) {
	dir := builder(t, checkConfig(t, "host"))
	found := runCheck(t, dir, "build")
	require.Equal(t, 0, found.status, found.lines)
	names := regexp.MustCompile(`note  caches: (\S+-go-build-\S+) does not exist yet`).FindStringSubmatch(found.lines)
	require.Len(t, names, 2, found.lines)
	volume := names[1]
	require.NoError(t, world.engine.Post(timeout(t), "/volumes/create", map[string]any{"Name": volume, "Labels": map[string]string{metadata.LabelKind: metadata.KindCache}}, nil))
	t.Cleanup(func() { assert.NoError(t, world.engine.Delete(background(t), "/volumes/"+volume)) })
	put := func(uid int) {
		id := createContainer(t, "", map[string]any{"Image": world.ccenv, "Cmd": []string{"true"}, "HostConfig": map[string]any{"Binds": []string{volume + ":/cache"}}})
		require.NoError(t, world.engine.Upload(timeout(t), id, "/cache", directoryOf(t, "00/", uid)))
	}
	put(500)
	found = runCheck(t, dir, "build")
	assert.Contains(t, found.lines, "ok    caches: "+volume, found.lines)
	put(4321)
	found = runCheck(t, dir, "build")
	assert.Equal(t, 1, found.status)
	require.Len(t, found.faults(), 1, found.lines)
	assert.Contains(t, found.faults()[0], volume+" holds files that the builder image's user (uid 500) cannot write: ")
	assert.Contains(t, found.faults()[0], "belongs to uid 4321")
}

func directoryOf(t *testing.T, name string, uid int) io.Reader {
	t.Helper()
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	require.NoError(t, w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: 0o755, Uid: uid, Gid: uid}))
	require.NoError(t, w.Close())
	return &archive
}
