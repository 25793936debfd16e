// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"crypto/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/test/peer"
)

// moved returns the entries below another directory, without those of these names.
func moved(code []peer.Entry, from, to string, without ...string) []peer.Entry {
	var all []peer.Entry
	for _, entry := range code {
		name, ok := strings.CutPrefix(entry.Name, from)
		if !ok || contains(without, name) {
			continue
		}
		entry.Name = to + name
		all = append(all, entry)
	}
	return all
}

func contains(names []string, name string) bool {
	for _, other := range names {
		if other == name {
			return true
		}
	}
	return false
}

// packed returns a package with a path, and content that no engine has built before.
func packed(t *testing.T, packageType, path string, code ...peer.Entry) []byte {
	t.Helper()
	salt := "salt.txt"
	if strings.HasPrefix(code[0].Name, "src/") {
		salt = "src/" + salt
	}
	code = append(code, peer.File(salt, rand.Text()))
	pkg, err := peer.Assemble(map[string]any{"type": packageType, "label": "packed_1.0", "path": path}, code...)
	require.NoError(t, err)
	return pkg
}

// dies expects a chaincode that prints its last words and exits.
func (p *testPeer) dies(t *testing.T, id string) {
	t.Helper()
	_, err := p.Launch(timeout(t), id)
	require.ErrorContains(t, err, "exit status 3", p.journal)
	assert.Contains(t, p.said("run"), metadata.ShortID(id)+" | dies: last words\n")
}

// The five layouts that the built-in controller builds, and packages without src/.
func TestEveryGoLayout(t *testing.T) {
	t.Parallel()
	const path = "github.com/example/dies"
	dies := entries(t, filepath.Join(world.samples, "dies"))
	vendor := func(dir string) peer.Entry { return peer.File(dir+"vendor/modules.txt", "") }
	tests := map[string]struct {
		path string
		code []peer.Entry
	}{
		"1 module with vendor":       {".", append([]peer.Entry{vendor("src/")}, dies...)},
		"2 module":                   {".", dies},
		"2 module by import path":    {goModule(t, dies), dies},
		"3 module below with vendor": {path, append(moved(dies, "src/", "src/"+path+"/"), vendor("src/"+path+"/"))},
		"4 module below":             {path, moved(dies, "src/", "src/"+path+"/")},
		"5 GOPATH":                   {path, moved(dies, "src/", "src/"+path+"/", "go.mod")},
		"by hand":                    {".", moved(dies, "src/", "")},
		"by hand, below":             {path, moved(dies, "src/", path+"/")},
		"by hand, GOPATH":            {path, moved(dies, "src/", path+"/", "go.mod")},
	}
	p := newPeer(t)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p.dies(t, p.install(t, packed(t, "golang", test.path, test.code...)))
		})
	}
}

func goModule(t *testing.T, code []peer.Entry) string {
	t.Helper()
	for _, entry := range code {
		if strings.HasSuffix(entry.Name, "/go.mod") {
			return strings.Fields(string(entry.Body))[1]
		}
	}
	require.Fail(t, "no go.mod")
	return ""
}

func TestAGoPathThatLeadsOut(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/etc", "../other", "a/../../b"} {
		p := newPeer(t)
		_, err := p.Install(timeout(t), packed(t, "golang", path, entries(t, filepath.Join(world.samples, "dies"))...))
		require.ErrorContains(t, err, "exit status 1")
		assert.Contains(t, p.said("build"), `path "`+path+`" in metadata.json is outside the package`)
	}
}

// The libraries that the builder image links against are not in the runtime image.
func TestAChaincodeWithAPartInC(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	id := p.install(t, fresh(t, "golang", "cgo_1.0", entries(t, filepath.Join(world.samples, "cgo"))...))
	_, err := p.Launch(timeout(t), id)
	require.ErrorContains(t, err, "exit status 4", p.journal)
	assert.Contains(t, p.said("run"), metadata.ShortID(id)+" | cgo: the answer is 42\n")
	assert.True(t, static(t, p, id), "linked as the built-in controller does it")
}

// With chaincode.golang.dynamicLink, the operator provides a runtime image with the libraries.
func TestDynamicLink(t *testing.T) {
	t.Parallel()
	dynamic := strings.Replace(config(""), "golang: {", "golang: {dynamicLink: true, ", 1)
	p := newPeer(t, withBuilder(builder(t, dynamic)))
	id := p.install(t, fresh(t, "golang", "cgo_1.0", entries(t, filepath.Join(world.samples, "cgo"))...))
	_, err := p.Launch(timeout(t), id)
	require.ErrorContains(t, err, "exit status 4", p.journal)
	assert.Contains(t, p.said("run"), metadata.ShortID(id)+" | cgo: the answer is 42\n")
	assert.False(t, static(t, p, id))
}

// static reports whether the chaincode's program needs no dynamic loader.
func static(t *testing.T, p *testPeer, id string) bool {
	t.Helper()
	name := filepath.Join(t.TempDir(), "chaincode")
	require.NoError(t, os.WriteFile(name, imageFile(t, p.record(t, id).Image, "/usr/local/bin/chaincode"), 0o755))
	headers, err := exec.Command("readelf", "-l", name).Output()
	require.NoError(t, err)
	return !strings.Contains(string(headers), "INTERP")
}

// If the builder image's Go is too old for a package, the error names the versions and the setting.
func TestAPackageThatAsksForANewerGoSaysSo(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	code := []peer.Entry{peer.File("src/go.mod", "module example.com/new\n\ngo 1.999.0\n"), peer.File("src/main.go", "package main\n\nfunc main() {}\n")}
	_, err := p.Install(timeout(t), fresh(t, "golang", "new_1.0", code...))
	require.ErrorContains(t, err, "exit status 1")
	lines := strings.Split(strings.TrimSpace(p.said("build")), "\n")
	require.Greater(t, len(lines), 2)
	assert.Contains(t, plain(lines[len(lines)-2]), "new_1.0 | the package requires Go 1.999.0, but this build uses Go 1.")
	assert.Contains(t, lines[len(lines)-2], "set chaincode.builder")
	assert.Contains(t, lines[len(lines)-2], "GOTOOLCHAIN")
	isOnThePage(t, "The package needs a newer Go", p.said("build"))
}
