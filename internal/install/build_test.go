// SPDX-License-Identifier: Apache-2.0

package install

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/cli"
	"fabric-builder-docker/internal/content"
	"fabric-builder-docker/internal/imagebuild"
	"fabric-builder-docker/internal/metadata"
)

var program = cli.Program{Name: "build", Arguments: []string{"SOURCE_DIR", "METADATA_DIR", "OUTPUT_DIR"}}

// dirs holds the three arguments of a build, and the directory that holds bin/.
type dirs struct{ source, metadata, output, home string }

func newDirs(t *testing.T, metadataJSON string, source ...string) dirs {
	t.Helper()
	root := t.TempDir()
	d := dirs{filepath.Join(root, "source"), filepath.Join(root, "metadata"), filepath.Join(root, "output"), filepath.Join(root, "home")}
	for _, dir := range []string{d.source, d.metadata, d.output, d.home} {
		require.NoError(t, os.Mkdir(dir, 0o700))
	}
	write(t, filepath.Join(d.metadata, "metadata.json"), metadataJSON)
	for _, name := range source {
		write(t, filepath.Join(d.source, name), "{}")
	}
	return d
}

func write(t *testing.T, path, content string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(content), 0o644))
}

// run calls build as the peer does, and returns its exit status and stderr.
func (d dirs) run(t *testing.T, environ ...string) (int, string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	status := program.Run([]string{d.source, d.metadata, d.output}, environ, &stdout, &stderr, func(ctx context.Context, process cli.Process) error {
		process.Home = d.home
		return Build(ctx, process)
	})
	assert.Empty(t, stdout.String())
	return status, stderr.String()
}

func TestBuildRefusesBadInputInOneLine(t *testing.T) {
	const golang, node = `{"type":"golang","label":"basic_1.0"}`, `{"type":"node","label":"basic_1.0"}`
	tests := map[string]struct {
		json, config string
		source       []string
		environ      []string
		want         string
	}{
		"no metadata":         {json: "", want: "reading METADATA/metadata.json: the file is empty"},
		"no type":             {json: "{}", want: `METADATA/metadata.json has no "type": expected an object such as {"type":"golang","label":"basic_1.0","path":"."}`},
		"bad label":           {json: `{"type":"golang","label":"a b"}`, want: `invalid label "a b": it must begin with a letter or a digit and contain only letters, digits, and any of _.+-`},
		"unknown type":        {json: `{"type":"wasm","label":"a"}`, want: `unknown package type "wasm": this builder handles golang, node, java, docker, k8s, ccaas and external`},
		"bad config":          {json: golang, source: []string{"src/go.mod"}, config: "builder:\n  pid: 1\n", want: "HOME/config.yaml: builder.pid: unknown key: expected one of "},
		"bad variable":        {json: golang, source: []string{"src/go.mod"}, environ: []string{"CORE_BUILDER_PIDS=x"}, want: `variable CORE_BUILDER_PIDS: invalid value "x": expected a whole number`},
		"no go.mod":           {json: golang, source: []string{"src/README.md"}, want: "planning the build of a golang package: the package has neither src/go.mod nor Go files in src"},
		"no package":          {json: node, want: "planning the build of a node package: the package has no src/package.json: Node chaincode must be an npm package"},
		"path outside":        {json: `{"type":"golang","label":"a","path":"../x"}`, source: []string{"src/go.mod"}, want: `planning the build of a golang package: path "../x" in metadata.json is outside the package: `},
		"bad TLS file":        {json: golang, source: []string{"src/go.mod"}, environ: []string{"CORE_VM_ENDPOINT=tcp://127.0.0.1:1", "CORE_VM_DOCKER_TLS_ENABLED=true", "CORE_VM_DOCKER_TLS_CA_FILE=/not/there"}, want: `preparing a client for tcp://127.0.0.1:1: reading the engine's certificate authority: open /not/there: no such file or directory (endpoint from CORE_VM_ENDPOINT; `},
		"bad endpoint":        {json: golang, source: []string{"src/go.mod"}, environ: []string{"CORE_VM_ENDPOINT=docker"}, want: `variable CORE_VM_ENDPOINT: vm.endpoint: invalid value "docker": expected unix:///path, tcp://host:port, http://host:port, https://host:port, or an empty value for the default`},
		"of Windows":          {json: golang, source: []string{`src\go.mod`, `src\main.go`}, want: "reading the package: `src\\go.mod` is a Windows path: names in a package need / between directories "},
		"META-INF of Windows": {json: golang, source: []string{"src/go.mod", `META-INF/statedb\a.json`}, want: "reading the package: `META-INF/statedb\\a.json` is a Windows path: "},
		"no engine":           {json: golang, source: []string{"src/go.mod"}, environ: []string{"DOCKER_HOST=unix:///not/there.sock"}, want: "no container engine answers at unix:///not/there.sock: the socket does not exist (endpoint from DOCKER_HOST; to change it set vm.endpoint in config.yaml beside bin/, or CORE_VM_ENDPOINT)"},
		"in the config":       {json: golang, source: []string{"src/go.mod"}, config: "vm: {endpoint: unix:///not/there.sock}", want: "no container engine answers at unix:///not/there.sock: the socket does not exist (endpoint from vm.endpoint in HOME/config.yaml; "},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			d := newDirs(t, test.json, test.source...)
			if test.config != "" {
				write(t, filepath.Join(d.home, "config.yaml"), test.config)
			}
			status, stderr := d.run(t, test.environ...)
			assert.Equal(t, 1, status)
			assert.Equal(t, 1, strings.Count(stderr, "\n"), "one line: %s", stderr)
			stderr = strings.NewReplacer(d.metadata, "METADATA", d.home, "HOME").Replace(stderr)
			assert.True(t, strings.HasPrefix(stderr, "[ERROR] build: "+test.want), stderr)
			assert.Empty(t, tree(t, d.output), "OUTPUT_DIR stays empty")
		})
	}
}

func TestBuildWithTheWrongNumberOfArguments(t *testing.T) {
	for _, args := range [][]string{nil, {"a", "b"}, {"a", "b", "c", "d"}} {
		var stdout, stderr bytes.Buffer
		assert.Equal(t, 2, program.Run(args, nil, &stdout, &stderr, Build))
		assert.Contains(t, stderr.String(), "Usage: build SOURCE_DIR METADATA_DIR OUTPUT_DIR")
	}
}

// built returns the directories of a build that has written OUTPUT_DIR.
func built(t *testing.T) dirs {
	t.Helper()
	d := newDirs(t, "", "src/go.mod", "src/main.go", "META-INF/statedb/couchdb/indexes/owner.json")
	pkg := metadata.Package{Type: "golang", Label: "basic_1.0", Path: "."}
	source, err := content.Open(d.source)
	require.NoError(t, err)
	defer source.Close()
	require.NoError(t, writeOutput(d.output, d.source, source, newRecord(pkg, imagebuild.Image{Name: "fabric-chaincode/golang:0123", User: &metadata.UIDGID{UID: 500, GID: 500}})))
	return d
}

func TestBuildOutput(t *testing.T) {
	d := built(t)
	assert.Equal(t, []string{"META-INF/statedb/couchdb/indexes/owner.json", "build-record.json", "source.tar.gz"}, tree(t, d.output))

	info, err := os.Stat(filepath.Join(d.output, "source.tar.gz"))
	require.NoError(t, err)
	assert.Equal(t, fs.FileMode(0o600), info.Mode(), "only the peer may read the source")

	record, err := metadata.ReadRecord(d.output)
	require.NoError(t, err)
	assert.Regexp(t, "^[0-9a-f]{16}$", record.InstallToken)
	assert.WithinDuration(t, time.Now(), record.Created, time.Minute)
	record.InstallToken, record.Created = "", time.Time{}
	assert.Equal(t, metadata.Record{
		Type: "golang", Label: "basic_1.0", Path: ".", Image: "fabric-chaincode/golang:0123",
		User: &metadata.UIDGID{UID: 500, GID: 500}, Builder: cli.Release(),
	}, record)
}

func TestEachBuildGetsANewInstallToken(t *testing.T) {
	first, err := metadata.ReadRecord(built(t).output)
	require.NoError(t, err)
	second, err := metadata.ReadRecord(built(t).output)
	require.NoError(t, err)
	assert.NotEqual(t, first.InstallToken, second.InstallToken)
}

// The peer copies OUTPUT_DIR in lexical order to the directory that run reads. If it dies meanwhile, the partial copy stays,
// and the next install succeeds without a build.
func TestAPartialCopyOfTheOutputIsDetected(t *testing.T) {
	d := built(t)
	names := tree(t, d.output)
	for whole := range len(names) { // the first files are complete, the next one is cut in half
		kept := filepath.Join(t.TempDir(), "builds", "basic_1.0-0123", "bld")
		require.NoError(t, os.MkdirAll(kept, 0o755))
		for _, name := range names[:whole] {
			write(t, filepath.Join(kept, name), read(t, filepath.Join(d.output, name)))
		}
		content := read(t, filepath.Join(d.output, names[whole]))
		write(t, filepath.Join(kept, names[whole]), content[:len(content)/2])

		_, err := metadata.ReadRecord(kept)
		require.ErrorIs(t, err, metadata.ErrPartial, "%s is cut", names[whole])
		assert.ErrorContains(t, err, "delete "+filepath.Dir(kept)+" and restart the peer")
	}
}

// tree lists the files below dir in lexical order.
func tree(t *testing.T, dir string) []string {
	t.Helper()
	var names []string
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			names = append(names, strings.TrimPrefix(path, dir+"/"))
		}
		return err
	}))
	return names
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(data)
}
