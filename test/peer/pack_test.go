// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func tree(t *testing.T, files ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range files {
		file := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o700))
		require.NoError(t, os.WriteFile(file, []byte(name), 0o755))
	}
	return dir
}

func headers(t *testing.T, archive []byte) []*tar.Header {
	t.Helper()
	unzipped, err := gzip.NewReader(bytes.NewReader(archive))
	require.NoError(t, err)
	var found []*tar.Header
	for reader := tar.NewReader(unzipped); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return found
		}
		require.NoError(t, err)
		found = append(found, header)
	}
}

func TestPackTakesWhatTheCLITakes(t *testing.T) {
	tests := map[string]struct{ files, want []string }{
		"golang": {
			[]string{"main.go", "go.mod", ".hidden", ".git/x", "sub/.x/y", "sub/a.go", "vendor/v.go", "META-INF/statedb/couchdb/indexes/i.json", "META-INF/.x"},
			[]string{
				"META-INF/", "META-INF/statedb/", "META-INF/statedb/couchdb/", "META-INF/statedb/couchdb/indexes/", "src/", "src/sub/", "src/vendor/",
				"META-INF/statedb/couchdb/indexes/i.json", "src/.hidden", "src/go.mod", "src/main.go", "src/sub/a.go", "src/vendor/v.go",
			},
		},
		"node": {
			[]string{"package.json", ".npmrc", "node_modules/x", "lib/node_modules/x", ".git/x", "lib/a.js", "META-INF/statedb/couchdb/indexes/i.json"},
			[]string{"META-INF/statedb/couchdb/indexes/i.json", "src/.npmrc", "src/lib/a.js", "src/package.json"},
		},
		"java": {
			[]string{"build.gradle", "gradlew", "build/x", "target/x", "out/x", "src/main/A.java", "src/main/A.class", "src/build/x"},
			[]string{"src/build.gradle", "src/gradlew", "src/src/main/A.java"},
		},
	}
	for kind, test := range tests {
		t.Run(kind, func(t *testing.T) {
			var packed bytes.Buffer
			require.NoError(t, Pack(&packed, Source{Label: "kv_1", Path: "p", Type: kind, CodeDir: tree(t, test.files...)}))

			parsed, err := parse(packed.Bytes())
			require.NoError(t, err)
			assert.Equal(t, `{"path":"p","type":"`+kind+`","label":"kv_1"}`, string(parsed.metadata))
			var names []string
			for _, header := range headers(t, parsed.code) {
				names = append(names, header.Name)
				assert.Equal(t, 500, header.Uid)
				assert.Equal(t, 500, header.Gid)
				assert.Zero(t, header.ModTime.Unix())
				if header.Typeflag == tar.TypeReg {
					assert.Equal(t, int64(0o100644), header.Mode, "the execute bit is lost")
				} else {
					assert.Equal(t, int64(0o40755), header.Mode)
				}
			}
			assert.Equal(t, test.want, names)
		})
	}
}

func TestPackIsDeterministic(t *testing.T) {
	var one, other bytes.Buffer
	require.NoError(t, Pack(&one, Source{Label: "kv", Type: "node", CodeDir: tree(t, "a", "b/c")}))
	require.NoError(t, Pack(&other, Source{Label: "kv", Type: "node", CodeDir: tree(t, "b/c", "a")}))
	assert.Equal(t, one.Bytes(), other.Bytes())
}

func TestPackTakesMetadataFromElsewhere(t *testing.T) {
	var packed bytes.Buffer
	require.NoError(t, Pack(&packed, Source{
		Label: "kv", Type: "node", CodeDir: tree(t, "a", "META-INF/own"), MetaInf: tree(t, "statedb/couchdb/indexes/i.json"),
	}))
	parsed, err := parse(packed.Bytes())
	require.NoError(t, err)
	var names []string
	for _, header := range headers(t, parsed.code) {
		names = append(names, header.Name)
	}
	assert.Equal(t, []string{"META-INF/statedb/couchdb/indexes/i.json", "src/a"}, names)
}

func TestPackRefuses(t *testing.T) {
	tests := map[string]struct {
		source Source
		want   string
	}{
		"a type made by hand": {Source{Type: "ccaas", CodeDir: t.TempDir()}, `unsupported type "ccaas"`},
		"nothing":             {Source{Type: "node", CodeDir: t.TempDir()}, "no source files found"},
		"no directory":        {Source{Type: "node", CodeDir: "/nonexistent"}, "no such file"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var packed bytes.Buffer
			assert.ErrorContains(t, Pack(&packed, test.source), test.want)
			assert.Zero(t, packed.Len())
		})
	}
}
