package release_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/cli"
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
	write(t, filepath.Join(output, "build-record.json"), "{}")
	write(t, filepath.Join(output, "source.tar.gz"), "x")

	status, stderr := run(t, output, releaseDir)

	assert.Zero(t, status)
	assert.Empty(t, stderr)
	assert.Equal(t, []string{"statedb/couchdb/collections/c/indexes/size.json", "statedb/couchdb/indexes/owner.json"}, files(t, releaseDir))
}

func TestReleaseOfAPackageWithoutIndexes(t *testing.T) {
	output, releaseDir := t.TempDir(), t.TempDir()
	write(t, filepath.Join(output, "source.tar.gz"), "x")
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
		`{"address":"cc"}`:                       `checking connection.json: invalid "address" "cc": expected host:port`,
		`{"address":"cc:1","tls_required":true}`: `checking connection.json: "root_cert" is missing: it is required because "tls_required" is true`,
		`{`:                                      "reading OUTPUT/connection.json: parsing JSON: line 1: unexpected end of JSON input",
	} {
		output, releaseDir := t.TempDir(), t.TempDir()
		write(t, filepath.Join(output, "META-INF/statedb/couchdb/indexes/owner.json"), "{}")
		write(t, filepath.Join(output, "connection.json"), content)
		status, stderr := run(t, output, releaseDir)
		assert.Equal(t, 1, status)
		assert.Equal(t, "[ERROR] release: "+want+"\n", strings.ReplaceAll(stderr, output, "OUTPUT"))
		assert.Empty(t, files(t, releaseDir))
	}
}

func TestReleaseOfBrokenIndexes(t *testing.T) {
	output, releaseDir := t.TempDir(), t.TempDir()
	indexes := filepath.Join(output, "META-INF/statedb/couchdb/indexes")
	write(t, filepath.Join(indexes, "good.json"), "{}")
	write(t, filepath.Join(indexes, "a.json"), "{")
	write(t, filepath.Join(indexes, "b.json"), "")

	status, stderr := run(t, output, releaseDir)

	assert.Equal(t, 1, status)
	assert.Equal(t, "[ERROR] release: reading "+indexes+"/a.json: parsing JSON: line 1: unexpected end of JSON input\n"+
		"[ERROR] release: reading "+indexes+"/b.json: the file is empty\n"+
		"[ERROR] release: failed for 2 reasons, of which the first is: reading "+indexes+"/a.json: parsing JSON: line 1: unexpected end of JSON input\n", stderr, "each line is marked as an error, because the peer logs each separately")
	assert.Empty(t, files(t, releaseDir))
}

func TestReleaseIntoAFile(t *testing.T) {
	output, releaseDir := t.TempDir(), filepath.Join(t.TempDir(), "file")
	write(t, releaseDir, "x")
	write(t, filepath.Join(output, "META-INF/statedb/couchdb/indexes/owner.json"), "{}")
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
