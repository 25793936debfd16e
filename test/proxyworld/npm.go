// SPDX-License-Identifier: Apache-2.0

package proxyworld

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// NPMPackage is a version of an npm package, which may have a scope.
type NPMPackage struct {
	Name, Version string
	Files         map[string]string // package.json is added
}

// NPMPackages is an npm registry.
type NPMPackages struct {
	Packages []NPMPackage
	// Rest answers requests for other packages. Default: there are none.
	Rest http.Handler
}

func (n NPMPackages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for _, p := range n.Packages {
		switch r.URL.Path { // %2f in the name of a package with a scope is decoded
		case "/" + p.Name:
			send(w, "application/json", p.packument("https://"+r.Host))
			return
		case "/" + p.tarballPath():
			send(w, "application/octet-stream", p.tarball())
			return
		}
	}
	rest(n.Rest).ServeHTTP(w, r)
}

func (p NPMPackage) tarballPath() string {
	_, base, scoped := strings.Cut(p.Name, "/")
	if !scoped {
		base = p.Name
	}
	return fmt.Sprintf("%s/-/%s-%s.tgz", p.Name, base, p.Version)
}

func (p NPMPackage) manifest() map[string]any {
	return map[string]any{"name": p.Name, "version": p.Version, "main": "index.js"}
}

// packument is what a registry says of a package.
func (p NPMPackage) packument(registry string) []byte {
	version := p.manifest()
	version["dist"] = map[string]any{"tarball": registry + "/" + p.tarballPath(), "integrity": p.Integrity()}
	body, _ := json.Marshal(map[string]any{
		"name": p.Name, "dist-tags": map[string]any{"latest": p.Version}, "versions": map[string]any{p.Version: version},
	})
	return body
}

// Integrity returns the digest of the package's archive, as a lock file has it.
func (p NPMPackage) Integrity() string {
	sum := sha512.Sum512(p.tarball())
	return "sha512-" + base64.StdEncoding.EncodeToString(sum[:])
}

// tarball returns the package's archive. Writing to memory does not fail.
func (p NPMPackage) tarball() []byte {
	manifest, _ := json.Marshal(p.manifest())
	files := maps.Clone(p.Files)
	files["package.json"] = string(manifest)
	var buffer bytes.Buffer
	compressed := gzip.NewWriter(&buffer)
	archive := tar.NewWriter(compressed)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		_ = archive.WriteHeader(&tar.Header{Name: "package/" + name, Mode: 0o644, Size: int64(len(files[name]))})
		_, _ = archive.Write([]byte(files[name]))
	}
	_ = archive.Close()
	_ = compressed.Close()
	return buffer.Bytes()
}
