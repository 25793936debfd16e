// SPDX-License-Identifier: Apache-2.0

package metadata_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/metadata"
)

func FuzzReadPackage(f *testing.F) {
	for _, seed := range []string{
		"", "null", "{}", "[]", `{"type":"GOLANG","label":"basic_1.0","path":"."}`, `{"type":1}`, `{"type":"x","label":"\ud800"}`,
		"\xef\xbb\xbf{}", "{\n\"type\":\n", strings.Repeat("[", 20_000), `{"type":"İ"}`,
	} {
		f.Add([]byte(seed))
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, metadata.PackageFile), data, 0o644))
		pkg, err := metadata.ReadPackage(dir)
		if err != nil {
			assert.Empty(t, pkg)
			assert.Contains(t, err.Error(), dir, "an error names the file")
			return
		}
		assert.NotEmpty(t, pkg.Type)
		if err := pkg.CheckLabel(); err == nil {
			assert.LessOrEqual(t, len(pkg.Label), metadata.MaxLabel)
			assert.NotContains(t, pkg.Label, "/")
		}
	})
}

func FuzzReadRecord(f *testing.F) {
	whole, err := os.ReadFile(filepath.Join("testdata", "version-1", metadata.RecordFile))
	require.NoError(f, err)
	f.Add(whole)
	for _, seed := range []string{
		"", "null", "{}", `{"version":1}`, `{"version":9}`, `{"version":1,"record":null,"sha256":"74234e98afe7498fb5daf1f36ac2d78acc339464f950703b8c019892f982b90b"}`,
		`{"version":1e99}`, `{"version":1,"record":{},"sha256":"44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"}`,
	} {
		f.Add([]byte(seed))
	}
	dir := f.TempDir()
	outputFiles.write(f, dir)
	f.Fuzz(func(t *testing.T, data []byte) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, metadata.RecordFile), data, 0o644))
		if _, err := metadata.ReadRecord(dir); err != nil {
			assert.Contains(t, err.Error(), "delete "+dir+" ", "an error says what to delete")
		}
	})
}

func FuzzRunName(f *testing.F) {
	for _, chaincode := range launches() {
		f.Add(chaincode.MSPID, chaincode.PeerAddress, chaincode.ID, token)
	}
	f.Fuzz(func(t *testing.T, mspid, address, id, token string) {
		name := metadata.RunName(metadata.Chaincode{MSPID: mspid, PeerAddress: address, ID: id}, token)
		assert.Regexp(t, container, name)
		assert.LessOrEqual(t, len(name), 128)
	})
}
