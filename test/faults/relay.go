// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
)

// quiet drops what the HTTP library says when a builder goes in the middle of a call.
var quiet = log.New(io.Discard, "", 0)

// relay stands between one builder and the engine. It tells what the builder does, and may hold it up.
type relay struct {
	server   *http.Server
	endpoint string
	serving  sync.WaitGroup

	mutex   sync.Mutex
	created map[string]bool // the IDs of the containers that this builder has created
	locks   []string        // of them, the IDs of the build containers
}

// hooks are called for each request; any may be nil.
type hooks struct {
	before func(r *http.Request)         // before the request goes to the engine
	after  func(response *http.Response) // before the answer goes to the builder
	create func(build bool, status int)  // after a container was created, or not
}

// newRelay listens on a socket of its own.
func (s *stage) newRelay(ctx context.Context, name string, h hooks) (*relay, error) {
	socket := filepath.Join(s.scratch, name+".sock")
	var listening net.ListenConfig
	listener, err := listening.Listen(ctx, "unix", socket)
	if err != nil {
		return nil, fmt.Errorf("listening for a builder: %w", err)
	}
	r := &relay{endpoint: "unix://" + socket, created: map[string]bool{}}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			p.Out.URL.Scheme, p.Out.URL.Host = "http", "engine"
			p.Out.Host = p.In.Host
		},
		Transport:     &http.Transport{DialContext: s.dial, DisableCompression: true},
		FlushInterval: -1,
		ModifyResponse: func(response *http.Response) error {
			err := r.noteCreated(response, h.create)
			if h.after != nil {
				h.after(response)
			}
			return err
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
		ErrorLog:     quiet,
	}
	r.server = &http.Server{ErrorLog: quiet, Handler: http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		if h.before != nil {
			h.before(request)
		}
		proxy.ServeHTTP(w, request)
	})}
	r.serving.Go(func() { _ = r.server.Serve(listener) }) // until it is closed
	return r, nil
}

// dial connects to the engine.
func (s *stage) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	address, err := url.Parse(s.host)
	if err != nil {
		return nil, err
	}
	var dialer net.Dialer
	if address.Scheme == "unix" {
		return dialer.DialContext(ctx, "unix", address.Path)
	}
	return dialer.DialContext(ctx, "tcp", address.Host)
}

func (r *relay) close() {
	_ = r.server.Close()
	r.serving.Wait()
}

// noteCreated records the container that an answer tells of.
func (r *relay) noteCreated(response *http.Response, then func(build bool, status int)) error {
	request := response.Request
	if request.Method != http.MethodPost || !strings.HasSuffix(request.URL.Path, "/containers/create") {
		return nil
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	response.Body = io.NopCloser(bytes.NewReader(body))
	build := strings.Contains(request.URL.Query().Get("name"), "-build-")
	if response.StatusCode == http.StatusCreated {
		var created struct{ ID string }
		if err := json.Unmarshal(body, &created); err != nil {
			return err
		}
		r.mutex.Lock()
		r.created[created.ID] = true
		if build {
			r.locks = append(r.locks, created.ID)
		}
		r.mutex.Unlock()
	}
	if then != nil {
		then(build, response.StatusCode)
	}
	return nil
}

// has reports whether this builder has created a container.
func (r *relay) has(id string) bool {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return r.created[id]
}

// buildContainers returns the IDs of the build containers that this builder has created.
func (r *relay) buildContainers() []string {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return append([]string(nil), r.locks...)
}

// What a request is about.
var (
	archivePath = regexp.MustCompile(`/containers/[^/]+/archive$`)
	startPath   = regexp.MustCompile(`/containers/[^/]+/start$`)
	removePath  = regexp.MustCompile(`/containers/([^/]+)$`)
)

// isUpload reports whether a request uploads the package.
func isUpload(r *http.Request) bool {
	return r.Method == http.MethodPut && archivePath.MatchString(r.URL.Path)
}

// isDownload reports whether a request downloads the output of a build.
func isDownload(r *http.Request) bool {
	return r.Method == http.MethodGet && archivePath.MatchString(r.URL.Path) && r.URL.Query().Get("path") == "/chaincode/output"
}

func isStart(r *http.Request) bool {
	return r.Method == http.MethodPost && startPath.MatchString(r.URL.Path)
}

// isMaking reports whether a request makes an image.
func isMaking(r *http.Request) bool {
	return r.Method == http.MethodPost && (strings.HasSuffix(r.URL.Path, "/images/load") || strings.HasSuffix(r.URL.Path, "/commit"))
}

// removes returns the container that a request removes, or "".
func removes(r *http.Request) string {
	found := removePath.FindStringSubmatch(r.URL.Path)
	if r.Method != http.MethodDelete || found == nil {
		return ""
	}
	return found[1]
}

// watched calls then once the first bytes of a body have passed.
type watched struct {
	io.ReadCloser
	passed int
	after  int // bytes
	then   func()
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.ReadCloser.Read(p)
	if before := w.passed; before < w.after && before+n >= w.after {
		w.then()
	}
	w.passed += n
	return n, err
}
