// SPDX-License-Identifier: Apache-2.0

package release_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/cli"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/release"
)

var program = cli.Program{Name: "release", Arguments: []string{"OUTPUT_DIR", "RELEASE_DIR"}}

// run calls release as the peer does, and returns its exit status and stderr.
func run(t *testing.T, args ...string) (int, string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	status := program.Run(args, nil, &stdout, &stderr, release.Run)
	assert.Empty(t, stdout.String())
	return status, stderr.String()
}

func write(t *testing.T, path, content string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
}

// finish writes the build record, which build writes last.
func finish(t *testing.T, output string) {
	t.Helper()
	require.NoError(t, metadata.WriteRecord(output, metadata.Record{Type: "golang", Label: "basic_1.0"}))
}

// files lists the regular files below dir, and checks that there is nothing else: the peer copies only those.
func files(t *testing.T, dir string) []string {
	t.Helper()
	var found []string
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			assert.True(t, entry.Type().IsRegular(), path)
			found = append(found, strings.TrimPrefix(path, dir+"/"))
		}
		return err
	}))
	return found
}

func TestRelease(t *testing.T) {
	output, releaseDir := t.TempDir(), t.TempDir()
	write(t, filepath.Join(output, "META-INF/statedb/couchdb/indexes/owner.json"), "{}")
	write(t, filepath.Join(output, "META-INF/statedb/couchdb/collections/c/indexes/size.json"), "{}")
	write(t, filepath.Join(output, "source.tar.gz"), "x")
	finish(t, output)

	status, stderr := run(t, output, releaseDir)

	assert.Zero(t, status)
	assert.Empty(t, stderr)
	assert.Equal(t, []string{"statedb/couchdb/collections/c/indexes/size.json", "statedb/couchdb/indexes/owner.json"}, files(t, releaseDir))
}

func TestReleaseOfAPackageWithoutIndexes(t *testing.T) {
	output, releaseDir := t.TempDir(), t.TempDir()
	write(t, filepath.Join(output, "source.tar.gz"), "x")
	finish(t, output)
	status, stderr := run(t, output, releaseDir)
	assert.Zero(t, status)
	assert.Empty(t, stderr)
	assert.Empty(t, files(t, releaseDir))
}

// If chaincode/server/connection.json exists, the peer connects to the service and does not call run.
func TestReleaseOfAService(t *testing.T) {
	output, releaseDir := t.TempDir(), t.TempDir()
	write(t, filepath.Join(output, "META-INF/statedb/couchdb/indexes/owner.json"), "{}")
	write(t, filepath.Join(output, "connection.json"), `{"address":"cc.example.com:9999","dial_timeout":10000000000,"domain":"cc","x":1}`)
	finish(t, output)
	status, stderr := run(t, output, releaseDir)
	assert.Zero(t, status, stderr)
	assert.Empty(t, stderr)
	assert.Equal(t, []string{"chaincode/server/connection.json", "statedb/couchdb/indexes/owner.json"}, files(t, releaseDir))
	connection, err := os.ReadFile(filepath.Join(releaseDir, "chaincode/server/connection.json"))
	require.NoError(t, err)
	assert.JSONEq(t, `{"address":"cc.example.com:9999","dial_timeout":"10s","domain":"cc","tls_required":false,"x":1}`, string(connection))
}

func TestReleaseOfAServiceThatCannotBeReached(t *testing.T) {
	for content, want := range map[string]string{
		`{"address":"cc"}`:                       `checking connection.json: invalid "address": expected host:port, or dns:///host:port, passthrough:///host:port, unix:/path or unix-abstract:name`,
		`{"address":"cc:1","tls_required":true}`: `checking connection.json: "root_cert" is missing: it is required because "tls_required" is true`,
		`{`:                                      "reading OUTPUT/connection.json: parsing JSON: line 1: unexpected end of JSON input",
	} {
		output, releaseDir := t.TempDir(), t.TempDir()
		write(t, filepath.Join(output, "META-INF/statedb/couchdb/indexes/owner.json"), "{}")
		write(t, filepath.Join(output, "connection.json"), content)
		finish(t, output)
		status, stderr := run(t, output, releaseDir)
		assert.Equal(t, 1, status)
		assert.Equal(t, "[ERROR] release: "+want+": label=basic_1.0\n", strings.ReplaceAll(stderr, output, "OUTPUT"))
		assert.Empty(t, files(t, releaseDir))
	}
}

func TestReleaseOfBrokenIndexes(t *testing.T) {
	output, releaseDir := t.TempDir(), t.TempDir()
	indexes := filepath.Join(output, "META-INF/statedb/couchdb/indexes")
	write(t, filepath.Join(indexes, "good.json"), "{}")
	write(t, filepath.Join(indexes, "a.json"), "{")
	write(t, filepath.Join(indexes, "b.json"), "")
	finish(t, output)

	status, stderr := run(t, output, releaseDir)

	assert.Equal(t, 1, status)
	assert.Equal(t, "[ERROR] release: reading "+indexes+"/a.json: parsing JSON: line 1: unexpected end of JSON input: label=basic_1.0\n"+
		"[ERROR] release: reading "+indexes+"/b.json: the file is empty: label=basic_1.0\n"+
		"[ERROR] release: failed for 2 reasons, of which the first is: reading "+indexes+"/a.json: parsing JSON: line 1: unexpected end of JSON input: label=basic_1.0\n", stderr, "each line is marked as an error, because the peer logs each separately")
	assert.Empty(t, files(t, releaseDir))
}

// A peer that dies while it copies OUTPUT_DIR leaves a partial copy, which run refuses as well.
func TestReleaseOfAPartialOutput(t *testing.T) {
	for name, damage := range map[string]func(dir string) error{
		"build-record.json: no such file or directory":                           func(dir string) error { return os.Remove(filepath.Join(dir, "build-record.json")) },
		"build-record.json: the file is empty":                                   func(dir string) error { return os.Truncate(filepath.Join(dir, "build-record.json"), 0) },
		"connection.json: no such file or directory":                             func(dir string) error { return os.Remove(filepath.Join(dir, "connection.json")) },
		"META-INF/statedb/couchdb/indexes/owner.json: no such file or directory": func(dir string) error { return os.RemoveAll(filepath.Join(dir, "META-INF")) },
		"source.tar.gz does not match its checksum in build-record.json":         func(dir string) error { return os.Truncate(filepath.Join(dir, "source.tar.gz"), 1) },
	} {
		t.Run(name, func(t *testing.T) {
			kept := filepath.Join(t.TempDir(), "builds", "basic_1.0-0123")
			output, releaseDir := filepath.Join(kept, "bld"), t.TempDir()
			write(t, filepath.Join(output, "META-INF/statedb/couchdb/indexes/owner.json"), "{}")
			write(t, filepath.Join(output, "connection.json"), `{"address":"cc:1"}`)
			write(t, filepath.Join(output, "source.tar.gz"), "text")
			finish(t, output)
			require.NoError(t, damage(output))

			status, stderr := run(t, output, releaseDir)

			assert.Equal(t, 1, status)
			assert.True(t, strings.HasPrefix(stderr, "[ERROR] release: the build output is incomplete: "), stderr)
			assert.True(t, strings.HasSuffix(stderr, name+"; delete "+kept+" and restart the peer, which then builds the chaincode again\n"), stderr)
			assert.Empty(t, files(t, releaseDir))
		})
	}
}

// Nobody writes to the FIFOs, so release would wait for ever.
func TestReleaseDoesNotWaitForAFIFO(t *testing.T) {
	const index = "META-INF/statedb/couchdb/indexes/owner.json"
	for _, name := range []string{"build-record.json", "connection.json", "source.tar.gz", index} {
		output := t.TempDir()
		write(t, filepath.Join(output, index), "{}")
		write(t, filepath.Join(output, "connection.json"), `{"address":"cc:1"}`)
		write(t, filepath.Join(output, "source.tar.gz"), "text")
		finish(t, output)
		require.NoError(t, os.Remove(filepath.Join(output, name)))
		require.NoError(t, syscall.Mkfifo(filepath.Join(output, name), 0o600))
		status, stderr := run(t, output, t.TempDir())
		assert.Equal(t, 1, status)
		assert.Contains(t, stderr, name+": it is a FIFO, not a regular file; delete "+output)
	}
	for _, name := range []string{"statedb/couchdb/indexes/owner.json", "chaincode/server/connection.json"} {
		output, releaseDir := t.TempDir(), t.TempDir()
		write(t, filepath.Join(output, index), "{}")
		write(t, filepath.Join(output, "connection.json"), `{"address":"cc:1"}`)
		finish(t, output)
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(releaseDir, name)), 0o755))
		require.NoError(t, syscall.Mkfifo(filepath.Join(releaseDir, name), 0o600))
		status, stderr := run(t, output, releaseDir)
		assert.Equal(t, 1, status)
		assert.Contains(t, stderr, name+": it is a FIFO, not a regular file")
	}
}

func TestReleaseIntoAFile(t *testing.T) {
	output, releaseDir := t.TempDir(), filepath.Join(t.TempDir(), "file")
	write(t, releaseDir, "x")
	write(t, filepath.Join(output, "META-INF/statedb/couchdb/indexes/owner.json"), "{}")
	finish(t, output)
	status, stderr := run(t, output, releaseDir)
	assert.Equal(t, 1, status)
	assert.Contains(t, stderr, "[ERROR] release: copying "+output+"/META-INF/statedb: ")
}

func TestReleaseWithoutOutputDirectory(t *testing.T) {
	output, releaseDir := filepath.Join(t.TempDir(), "gone"), t.TempDir()
	status, stderr := run(t, output, releaseDir)
	assert.Equal(t, 1, status)
	assert.Equal(t, "[ERROR] release: output directory "+output+" does not exist\n", stderr)
	write(t, output, "x")
	status, stderr = run(t, output, releaseDir)
	assert.Equal(t, 1, status)
	assert.Equal(t, "[ERROR] release: output directory "+output+" is not a directory\n", stderr)
}

func TestReleaseWithTheWrongNumberOfArguments(t *testing.T) {
	for _, args := range [][]string{nil, {"a"}, {"a", "b", "c"}} {
		status, stderr := run(t, args...)
		assert.Equal(t, 2, status)
		assert.Contains(t, stderr, "Usage: release OUTPUT_DIR RELEASE_DIR")
	}
}

// Peers keep the output of builds by earlier versions.
func TestReleaseOfOutputOfEarlierVersions(t *testing.T) {
	records, err := filepath.Glob("../../testdata/outputs/*/build-record.json")
	require.NoError(t, err)
	require.NotEmpty(t, records)
	for _, record := range records {
		releaseDir := t.TempDir()
		status, stderr := run(t, filepath.Dir(record), releaseDir)
		assert.Zero(t, status, stderr)
		assert.Equal(t, []string{"statedb/couchdb/indexes/indexOwner.json"}, files(t, releaseDir))
	}
}
