// SPDX-License-Identifier: Apache-2.0

package fakeengine

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Engine is a fake engine. All methods are safe for concurrent use.
type Engine struct {
	host   string
	api    string // newest API version
	oldest string // oldest API version
	podman bool

	noInit     bool            // whether the engine has no init
	containerd bool            // whether images are in containerd's store
	lost       map[string]bool // digests of layers that the store lacks
	protocols  http.Protocols

	closed    context.Context // done when the test ends
	processes sync.WaitGroup

	mu         sync.Mutex
	skew       time.Duration
	program    Program
	builder    Builder
	containers []*container
	images     []*Image
	registry   []*Image
	volumes    map[string]Volume
	networks   []string
	calls      []Call
	recorded   chan struct{} // closed and replaced with every call
	faults     map[Route][]Fault
	streams    map[*stream]bool
	serial     int
}

// Option changes the default engine, which is Docker 28 on a Unix socket.
type Option func(*Engine)

// API sets the range of API versions that the engine accepts.
func API(newest, oldest string) Option {
	return func(e *Engine) { e.api, e.oldest = newest, oldest }
}

// Podman makes the engine answer as podman's Docker-compatible API does, where that differs.
func Podman() Option {
	return func(e *Engine) { e.api, e.oldest, e.podman = "1.41", "1.24", true }
}

// NoInit leaves the engine without an init: podman then creates no container with one, and Docker starts none.
func NoInit() Option {
	return func(e *Engine) { e.noInit = true }
}

// TCP makes the engine listen on a port of the loopback interface.
func TCP() Option {
	return func(e *Engine) { e.host = "tcp://127.0.0.1:0" }
}

// New starts an engine that is closed when the test ends.
func New(t testing.TB, options ...Option) *Engine {
	t.Helper()
	closed, end := context.WithCancel(context.Background())
	e := &Engine{
		api: "1.51", oldest: "1.24", closed: closed,
		program:  func(*Process) int { return 0 },
		builder:  buildAnything,
		volumes:  map[string]Volume{},
		networks: []string{"bridge", "host", "none"},
		faults:   map[Route][]Fault{},
		recorded: make(chan struct{}),
		streams:  map[*stream]bool{},
		lost:     map[string]bool{},
	}
	e.protocols.SetHTTP1(true)
	for _, option := range options {
		option(e)
	}
	server := &http.Server{
		Handler: e.handler(), Protocols: &e.protocols, BaseContext: func(net.Listener) context.Context { return closed },
	}
	listener := e.listen(t)
	go server.Serve(listener)
	t.Cleanup(func() {
		end()
		server.Close()
		e.killAll()
		e.awaitProcesses(t)
	})
	return e
}

// Host returns the engine's address in the form of DOCKER_HOST.
func (e *Engine) Host() string { return e.host }

func (e *Engine) listen(t testing.TB) net.Listener {
	t.Helper()
	if e.host != "" {
		listener, err := net.Listen("tcp", strings.TrimPrefix(e.host, "tcp://"))
		if err != nil {
			t.Fatalf("starting an engine: %v", err)
		}
		e.host = "tcp://" + listener.Addr().String()
		return listener
	}
	socket := filepath.Join(ShortTempDir(t), "engine.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatalf("starting an engine: %v", err)
	}
	e.host = "unix://" + socket
	return listener
}

// ShortTempDir returns a temporary directory for a socket, whose path is limited to about 100 bytes: with a long test
// name, t.TempDir exceeds that.
func ShortTempDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "engine")
	if err != nil {
		t.Fatalf("making a directory for a socket: %v", err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// awaitProcesses fails the test if a program still runs a minute after it was killed: it would disturb the next test.
func (e *Engine) awaitProcesses(t testing.TB) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		e.processes.Wait()
	}()
	select {
	case <-ended:
	case <-time.After(time.Minute):
		t.Error("a container's program still runs after it was killed")
	}
}

func (e *Engine) handler() http.Handler {
	mux := http.NewServeMux()
	for pattern, endpoint := range map[string]struct {
		route Route
		serve func(*Call)
	}{
		"/_ping":                          {Ping, e.ping},
		"GET /info":                       {Info, e.info},
		"GET /version":                    {Version, e.version},
		"POST /images/create":             {Pull, e.pull},
		"GET /distribution/{name...}":     {Distribution, e.distribution},
		"GET /images/json":                {ImageList, e.imageList},
		"GET /images/{name...}":           {ImageInspect, e.imageInspect},
		"POST /images/{name...}":          {Tag, e.tag},
		"DELETE /images/{name...}":        {Untag, e.untag},
		"POST /images/load":               {Load, e.load},
		"GET /images/get":                 {Export, e.export},
		readBlob:                          {Blob, e.blob},
		"POST /build":                     {Build, e.build},
		"POST /commit":                    {Commit, e.commit},
		"GET /containers/json":            {List, e.list},
		"POST /containers/create":         {Create, e.create},
		"GET /containers/{name}/json":     {Inspect, e.inspect},
		"POST /containers/{name}/start":   {Start, e.start},
		"POST /containers/{name}/stop":    {Stop, e.stop},
		"POST /containers/{name}/kill":    {Kill, e.kill},
		"DELETE /containers/{name}":       {Remove, e.remove},
		"POST /containers/{name}/rename":  {Rename, e.rename},
		"POST /containers/{name}/attach":  {Attach, e.attach},
		"GET /containers/{name}/logs":     {Logs, e.logs},
		"POST /containers/{name}/wait":    {Wait, e.wait},
		"PUT /containers/{name}/archive":  {Upload, e.upload},
		"GET /containers/{name}/archive":  {Download, e.download},
		"HEAD /containers/{name}/archive": {Stat, e.stat},
		"POST /volumes/create":            {VolumeCreate, e.volumeCreate},
		"GET /volumes/{name}":             {VolumeInspect, e.volumeInspect},
		"GET /volumes":                    {VolumeList, e.volumeList},
		"DELETE /volumes/{name}":          {VolumeRemove, e.volumeRemove},
		"GET /system/df":                  {DiskUsage, e.diskUsage},
		"GET /containers/{name}/stats":    {Stats, e.stats},
		"GET /networks":                   {NetworkList, e.networkList},
		"GET /networks/{name}":            {NetworkInspect, e.networkInspect},
		"POST /networks/{name}/connect":   {NetworkConnect, e.networkConnect},
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			name, ok := strings.CutSuffix(r.PathValue("name"), afterName[endpoint.route])
			if !ok {
				fail(w, http.StatusNotFound, "page not found")
				return
			}
			r.SetPathValue("name", name)
			e.serve(endpoint.route, endpoint.serve, w, r)
		})
	}
	return e.versioned(mux)
}

// afterName holds the ends of paths that cannot be in a pattern, because the name of an image may contain slashes.
var afterName = map[Route]string{ImageInspect: "/json", Tag: "/tag", Distribution: "/json"}

var versionPath = regexp.MustCompile(`^/v(1\.[0-9]+)(/.*)$`)

// versioned moves the API version from the path into the context, and rejects versions that the engine does not accept.
func (e *Engine) versioned(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if parts := versionPath.FindStringSubmatch(r.URL.Path); parts != nil {
			version := parts[1]
			switch {
			case e.podman:
			case minor(version) < minor(e.oldest):
				fail(w, http.StatusBadRequest, "client version %s is too old. Minimum supported API version is %s", version, e.oldest)
				return
			case minor(version) > minor(e.api):
				fail(w, http.StatusBadRequest, "client version %s is too new. Maximum supported API version is %s", version, e.api)
				return
			}
			r.URL.Path = parts[2]
			r = r.WithContext(context.WithValue(r.Context(), versionKey{}, version))
		}
		next.ServeHTTP(w, r)
	})
}

type versionKey struct{}

func minor(version string) int {
	n, _ := strconv.Atoi(strings.TrimPrefix(version, "1."))
	return n
}

func (e *Engine) ping(c *Call) {
	header := c.w.Header()
	header.Set("Api-Version", e.api)
	header.Set("Ostype", "linux")
	if e.podman {
		header.Set("Libpod-Api-Version", "4.3.1")
	}
	if minor(e.api) > 41 {
		header.Set("Builder-Version", "2")
	}
	fmt.Fprint(c.w, "OK")
}

func (e *Engine) info(c *Call) {
	c.answer(http.StatusOK, map[string]any{
		"SystemTime": e.now().Format(time.RFC3339Nano), "OSType": "linux", "DockerRootDir": "/var/lib/docker",
	})
}

// version answers what an engine says of itself. The first component has the engine's name.
func (e *Engine) version(c *Call) {
	name := "Engine"
	if e.podman {
		name = "Podman Engine"
	}
	c.answer(http.StatusOK, map[string]any{
		"Components": []map[string]string{{"Name": name}}, "Version": "28.5.2", "ApiVersion": e.api, "MinAPIVersion": e.oldest, "Os": "linux", "Arch": "amd64",
	})
}

// SetSkew sets the engine's clock ahead of the test's by skew, or behind it if skew is negative.
func (e *Engine) SetSkew(skew time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.skew = skew
}

func (e *Engine) now() time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.nowLocked()
}

func (e *Engine) nowLocked() time.Time { return time.Now().Add(e.skew).UTC() }

func fail(w http.ResponseWriter, status int, format string, args ...any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]string{"message": fmt.Sprintf(format, args...)})
}
