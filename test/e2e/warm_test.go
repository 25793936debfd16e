// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/test/peer"
)

// The first build of a package uses what build --warm has compiled for another.
func TestWhatWasWarmedUpIsNotCompiledAgain(t *testing.T) {
	t.Parallel()
	library := peer.File("src/lib/lib.go", "package lib\n\n// Salt is new: no cache has it.\nconst Salt = \""+rand.Text()+"\"\n")
	code := func(text string) []peer.Entry {
		return []peer.Entry{
			library, peer.File("src/go.mod", "module example.com/warm\n\ngo 1.21\n"),
			peer.File("src/main.go", "package main\n\nimport \"example.com/warm/lib\"\n\nfunc main() { println(lib.Salt, \""+text+"\") }\n"),
		}
	}
	dir := builder(t, config(""))
	path := filepath.Join(t.TempDir(), "warm.tgz")
	require.NoError(t, os.WriteFile(path, packed(t, "golang", ".", code("one")...), 0o644))
	warm := start(t, dir, "build", "--warm", path)
	require.Zero(t, warm.status(t), warm.stderr)
	assert.Contains(t, warm.stderr.String(), "| example.com/warm/lib\n")
	assert.Contains(t, warm.stderr.String(), "build: caches filled: packages=1 ")
	assert.NotContains(t, warm.stderr.String(), " image=", "nothing is made but caches")

	p := newPeer(t, withBuilder(dir))
	p.install(t, packed(t, "golang", ".", code("two")...))
	var compiled []string
	for line := range strings.Lines(p.said("build")) {
		if _, text, ok := strings.Cut(line, " | "); ok && !strings.HasPrefix(text, "go version") {
			compiled = append(compiled, strings.TrimSpace(text))
		}
	}
	assert.Equal(t, []string{"example.com/warm"}, compiled)
}
