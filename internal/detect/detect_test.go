// SPDX-License-Identifier: Apache-2.0

package detect_test

import (
	"bytes"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/cli"
	"fabric-builder-docker/internal/detect"
)

var program = cli.Program{Name: "detect", Arguments: []string{"SOURCE_DIR", "METADATA_DIR"}}

// run calls detect as the peer does, and returns its exit status and stderr.
func run(t *testing.T, metadataDir string, environ ...string) (int, string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	status := program.Run([]string{filepath.Join(t.TempDir(), "not there"), metadataDir}, environ, &stdout, &stderr, detect.Run)
	assert.Empty(t, stdout.String())
	return status, stderr.String()
}

func metadataDir(t *testing.T, json string) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "metadata.json"), []byte(json), 0o700))
	return dir
}

func TestDetect(t *testing.T) {
	tests := map[string]struct {
		json   string
		status int
		stderr string
	}{
		"golang":        {`{"type":"golang","label":"basic_1.0","path":"github.com/x/y"}`, 0, ""},
		"node":          {`{"type":"node","label":"basic_1.0"}`, 0, ""},
		"upper case":    {`{"type":"GOLANG","label":"basic_1.0"}`, 0, ""},
		"1.x lifecycle": {`{"type":"NODE","path":"x","label":"mycc:1.0"}`, 0, ""},
		"a label that peers refuse": {`{"type":"node","label":"_basic"}`, 1,
			`[ERROR] detect: invalid label "_basic": it must begin with a letter or a digit and contain only letters, digits, and any of _.+-` + "\n"},

		"java":                {`{"type":"java","label":"basic_1.0"}`, 0, ""},
		"a prebuilt image":    {`{"type":"docker","label":"basic_1.0"}`, 0, ""},
		"for Kubernetes":      {`{"type":"k8s","label":"basic_1.0"}`, 0, ""},
		"a service":           {`{"type":"ccaas","label":"basic_1.0"}`, 0, ""},
		"a service elsewhere": {`{"type":"external","label":"basic_1.0"}`, 0, ""},

		"a look-alike":                        {`{"type":"golang2","label":"basic_1.0"}`, 1, ""},
		"another builder's, with a bad label": {`{"type":"wasm","label":"../../etc"}`, 1, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			status, stderr := run(t, metadataDir(t, test.json))
			assert.Equal(t, test.status, status)
			assert.Equal(t, test.stderr, stderr)
		})
	}
}

// Operators may leave some types to other builders, such as ccaas to the bundled one.
func TestDetectAcceptsOnlyTheConfiguredTypes(t *testing.T) {
	for packageType, want := range map[string]int{"golang": 0, "GOLANG": 0, "k8s": 0, "ccaas": 1, "node": 1, "wasm": 1} {
		status, stderr := run(t, metadataDir(t, `{"type":"`+packageType+`","label":"basic_1.0"}`), "CORE_BUILDER_TYPES=golang k8s")
		assert.Equal(t, want, status, packageType)
		assert.Empty(t, stderr, packageType)
	}
}

// An invalid builder.types must not affect packages of other builders.
func TestDetectWithInvalidTypes(t *testing.T) {
	status, stderr := run(t, metadataDir(t, `{"type":"golang","label":"basic_1.0"}`), "CORE_BUILDER_TYPES=x")
	assert.Equal(t, 1, status)
	assert.Contains(t, stderr, "[ERROR] detect: variable CORE_BUILDER_TYPES: ")
	status, stderr = run(t, metadataDir(t, `{"type":"wasm","label":"basic_1.0"}`), "CORE_BUILDER_TYPES=x")
	assert.Equal(t, 1, status)
	assert.Empty(t, stderr)
}

func TestDetectReportsInvalidMetadata(t *testing.T) {
	tests := map[string]struct{ json, want string }{
		"empty":        {"", "reading FILE: the file is empty"},
		"broken":       {"{\n\"type\":\n", "reading FILE: parsing JSON: line 2: unexpected end of JSON input"},
		"without type": {`{"label":"a"}`, `FILE has no "type": expected an object such as {"type":"golang","label":"basic_1.0","path":"."}`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			dir := metadataDir(t, test.json)
			status, stderr := run(t, dir)
			assert.Equal(t, 1, status)
			want := bytes.ReplaceAll([]byte(test.want), []byte("FILE"), []byte(filepath.Join(dir, "metadata.json")))
			assert.Equal(t, "[ERROR] detect: "+string(want)+"\n", stderr)
		})
	}
	t.Run("missing", func(t *testing.T) {
		dir := t.TempDir()
		status, stderr := run(t, dir)
		assert.Equal(t, 1, status)
		assert.Equal(t, "[ERROR] detect: reading "+filepath.Join(dir, "metadata.json")+": no such file or directory\n", stderr)
	})
}

func TestDetectWithTheWrongNumberOfArguments(t *testing.T) {
	for _, args := range [][]string{nil, {"a"}, {"a", "b", "c"}} {
		var stdout, stderr bytes.Buffer
		assert.Equal(t, 2, program.Run(args, nil, &stdout, &stderr, detect.Run))
		assert.Contains(t, stderr.String(), "Usage: detect SOURCE_DIR METADATA_DIR")
	}
}

// Nobody writes to the FIFO, so detect would wait for ever, and with it the peer's install.
func TestDetectDoesNotWaitForAFIFO(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "metadata.json")
	require.NoError(t, syscall.Mkfifo(path, 0o600))
	status, stderr := run(t, dir)
	assert.Equal(t, 1, status)
	assert.Equal(t, "[ERROR] detect: reading "+path+": it is a FIFO, not a regular file\n", stderr)
}
