// SPDX-License-Identifier: Apache-2.0

package proxyworld

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
)

// GoModule is a version of a Go module. Its path must have no capital letters.
type GoModule struct {
	Path, Version string
	Files         map[string]string // go.mod among them
}

// GoModules is a module proxy, see "go help goproxy".
type GoModules struct {
	Modules []GoModule
	// Rest answers requests for other modules. Default: there are none.
	Rest http.Handler
}

func (g GoModules) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for _, module := range g.Modules {
		if file, ok := strings.CutPrefix(r.URL.Path, "/"+module.Path+"/@"); ok {
			module.serve(w, r, file)
			return
		}
	}
	rest(g.Rest).ServeHTTP(w, r)
}

func (m GoModule) serve(w http.ResponseWriter, r *http.Request, file string) {
	info := fmt.Sprintf(`{"Version":%q,"Time":"2020-01-01T00:00:00Z"}`, m.Version)
	switch file {
	case "v/list":
		send(w, "text/plain", []byte(m.Version+"\n"))
	case "latest", "v/" + m.Version + ".info":
		send(w, "application/json", []byte(info))
	case "v/" + m.Version + ".mod":
		send(w, "text/plain", []byte(m.Files["go.mod"]))
	case "v/" + m.Version + ".zip":
		send(w, "application/zip", m.zip())
	default:
		http.NotFound(w, r)
	}
}

func (m GoModule) zip() []byte {
	files := map[string]string{}
	for name, text := range m.Files {
		files[m.Path+"@"+m.Version+"/"+name] = text
	}
	return zipped(files)
}

// Sums returns the lines of go.sum for the module.
func (m GoModule) Sums() string {
	files := map[string]string{}
	for name, text := range m.Files {
		files[m.Path+"@"+m.Version+"/"+name] = text
	}
	return fmt.Sprintf("%s %s %s\n%[1]s %[2]s/go.mod %[4]s\n", m.Path, m.Version, hash1(files), hash1(map[string]string{"go.mod": m.Files["go.mod"]}))
}

// hash1 returns the hash of files that go.sum has, called h1.
func hash1(files map[string]string) string {
	var lines strings.Builder
	for _, name := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(&lines, "%x  %s\n", sha256.Sum256([]byte(files[name])), name)
	}
	sum := sha256.Sum256([]byte(lines.String()))
	return "h1:" + base64.StdEncoding.EncodeToString(sum[:])
}

// zipped returns a zip archive. Writing to memory does not fail.
func zipped(files map[string]string) []byte {
	var buffer bytes.Buffer
	archive := zip.NewWriter(&buffer)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		w, err := archive.Create(name)
		if err == nil {
			_, _ = w.Write([]byte(files[name]))
		}
	}
	_ = archive.Close()
	return buffer.Bytes()
}

func send(w http.ResponseWriter, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	_, _ = w.Write(body)
}

func rest(handler http.Handler) http.Handler {
	if handler == nil {
		return http.NotFoundHandler()
	}
	return handler
}

// hostOf returns the host that a request is for, without a port.
func hostOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		return r.Host
	}
	return host
}
