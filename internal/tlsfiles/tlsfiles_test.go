// SPDX-License-Identifier: Apache-2.0

package tlsfiles_test

import (
	"archive/tar"
	"bytes"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/tlsfiles"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// material returns three parts of different lengths. The type of the key's PEM block is the one that the peer writes.
func material() tlsfiles.Material {
	return tlsfiles.Material{
		ClientCert: block("CERTIFICATE", "client certificate, long enough for base64 to be wrapped where somebody wraps it"),
		ClientKey:  block("EC PRIVATE KEY", "client key"),
		RootCert:   block("CERTIFICATE", "root certificate of the peer"),
	}
}

func block(kind, content string) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: []byte(content)}))
}

type entry struct {
	header  *tar.Header
	content string
}

func unpack(t *testing.T, archive []byte) []entry {
	t.Helper()
	var entries []entry
	reader := tar.NewReader(bytes.NewReader(archive))
	for {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return entries
		}
		require.NoError(t, err)
		content, err := io.ReadAll(reader)
		require.NoError(t, err)
		entries = append(entries, entry{header, string(content)})
	}
}

// kind recognises the content of a file, independently of the code that wrote it.
func (e entry) kind(m tlsfiles.Material) string {
	if e.header.Typeflag == tar.TypeDir {
		return "directory"
	}
	form, text := "PEM", e.content
	if decoded, err := base64.StdEncoding.Strict().DecodeString(text); err == nil {
		form, text = "base64 of PEM", string(decoded)
	}
	for name, part := range map[string]string{"client_cert": m.ClientCert, "client_key": m.ClientKey, "root_cert": m.RootCert} {
		if text == part {
			return form + " " + name
		}
	}
	return "unknown"
}

func TestArchive(t *testing.T) {
	m := material()
	archive, err := m.Archive(500, 501, tlsfiles.KeyOfUser)
	require.NoError(t, err)
	var listing strings.Builder
	for _, e := range unpack(t, archive) {
		fmt.Fprintf(&listing, "%s %04o %d:%d %d %s\n", e.header.Name, e.header.Mode, e.header.Uid, e.header.Gid, e.header.Size, e.kind(m))
	}
	path := filepath.Join("testdata", "archive.txt")
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(listing.String()), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, string(want), listing.String())
}

func TestArchiveIsTheSameForTheSameMaterial(t *testing.T) {
	first, err := material().Archive(500, 501, tlsfiles.KeyOfUser)
	require.NoError(t, err)
	second, err := material().Archive(500, 501, tlsfiles.KeyOfUser)
	require.NoError(t, err)
	assert.Equal(t, first, second)
	for _, e := range unpack(t, first) {
		assert.Equal(t, time.Unix(0, 0).UTC(), e.header.ModTime.UTC(), e.header.Name)
		assert.Empty(t, e.header.Uname+e.header.Gname, "%s: a name would be looked up inside the image", e.header.Name)
	}
}

// The Java shim decodes strictly: one line, no newline.
func TestArchiveHoldsBase64OnOneLine(t *testing.T) {
	archive, err := material().Archive(0, 0, tlsfiles.KeyOfUser)
	require.NoError(t, err)
	found := 0
	for _, e := range unpack(t, archive) {
		if name := filepath.Base(e.header.Name); name == "client.crt" || name == "client.key" {
			found++
			assert.NotContains(t, e.content, "\n", name)
			assert.NotContains(t, e.content, "\r", name)
			assert.NotContains(t, e.content, "-----", name)
		}
	}
	assert.Equal(t, 2, found)
}

// The chaincode cannot read a key with mode 0400 that belongs to another user.
func TestOnlyTheChaincodesUserCanReadTheKeys(t *testing.T) {
	for _, owner := range []struct{ uid, gid int }{{0, 0}, {500, 500}, {1000, 0}, {65534, 65534}, {2147483646, 2147483646}} {
		archive, err := material().Archive(owner.uid, owner.gid, tlsfiles.KeyOfUser)
		require.NoError(t, err)
		for _, e := range unpack(t, archive) {
			if e.header.Typeflag == tar.TypeDir {
				assert.EqualValues(t, 0o755, e.header.Mode, "every user must be able to enter %s", e.header.Name)
				assert.Zero(t, e.header.Uid, "the chaincode cannot add files to %s", e.header.Name)
				continue
			}
			mode := int64(0o444)
			if strings.HasSuffix(e.header.Name, ".key") {
				mode = 0o400
			}
			assert.Equal(t, mode, e.header.Mode, e.header.Name)
			assert.Equal(t, owner.uid, e.header.Uid, e.header.Name)
			assert.Equal(t, owner.gid, e.header.Gid, e.header.Name)
		}
	}
}

// Each directory comes before its files in the archive, because engines create missing parents differently.
func TestArchiveListsDirectoriesFirst(t *testing.T) {
	archive, err := material().Archive(500, 501, tlsfiles.KeyOfUser)
	require.NoError(t, err)
	seen := map[string]bool{"etc/": true} // every image has this one
	for _, e := range unpack(t, archive) {
		parent := filepath.Dir(strings.TrimSuffix(e.header.Name, "/")) + "/"
		assert.True(t, seen[parent], "%s comes before %s", e.header.Name, parent)
		seen[e.header.Name] = true
	}
}

func TestEnvironmentIsTheSameAsTheBuiltInControllers(t *testing.T) {
	want := []string{
		"CORE_TLS_CLIENT_CERT_PATH=/etc/hyperledger/fabric/client.crt",
		"CORE_TLS_CLIENT_KEY_PATH=/etc/hyperledger/fabric/client.key",
		"CORE_TLS_CLIENT_CERT_FILE=/etc/hyperledger/fabric/client_pem.crt",
		"CORE_TLS_CLIENT_KEY_FILE=/etc/hyperledger/fabric/client_pem.key",
		"CORE_PEER_TLS_ROOTCERT_FILE=/etc/hyperledger/fabric/peer.crt",
	}
	assert.Equal(t, want, tlsfiles.Environment())

	archive, err := material().Archive(500, 501, tlsfiles.KeyOfUser)
	require.NoError(t, err)
	names := map[string]bool{}
	for _, e := range unpack(t, archive) {
		names["/"+e.header.Name] = true
	}
	for _, variable := range want {
		_, path, _ := strings.Cut(variable, "=")
		assert.True(t, names[path], "%s points to a file that is not in the archive", variable)
	}
}

func TestCheckNamesTheBadPartAndNeverShowsIt(t *testing.T) {
	const secret = "MIGHAgEAMBMGByqGSM49"
	broken := map[string]string{
		"empty":            "",
		"not PEM":          secret,
		"no end line":      "-----BEGIN EC PRIVATE KEY-----\n" + secret + "\n",
		"not base64":       "-----BEGIN EC PRIVATE KEY-----\n!" + secret + "\n-----END EC PRIVATE KEY-----\n",
		"base64 of PEM":    base64.StdEncoding.EncodeToString([]byte(block("EC PRIVATE KEY", secret))),
		"escaped newlines": strings.ReplaceAll(block("EC PRIVATE KEY", secret), "\n", `\n`),
		"another end line": "-----BEGIN EC PRIVATE KEY-----\n" + secret + "\n-----END CERTIFICATE-----\n",
	}
	parts := map[string]func(*tlsfiles.Material, string){
		"client_cert": func(m *tlsfiles.Material, text string) { m.ClientCert = text },
		"client_key":  func(m *tlsfiles.Material, text string) { m.ClientKey = text },
		"root_cert":   func(m *tlsfiles.Material, text string) { m.RootCert = text },
	}
	require.NoError(t, material().Check())
	for name, text := range broken {
		for part, set := range parts {
			t.Run(part+" "+name, func(t *testing.T) {
				m := material()
				set(&m, text)
				assert.EqualError(t, m.Check(), `"`+part+`" is not PEM`)
			})
		}
	}
}

func TestCheckAcceptsChainsAndLeadingText(t *testing.T) {
	m := material()
	m.RootCert = "subject=CN = ca\n" + m.RootCert + block("CERTIFICATE", "another")
	assert.NoError(t, m.Check())
}

// Files is for containers where only the directory is writable, so it must name nothing outside of it.
func TestFilesAreThoseOfTheArchiveWithoutDirectories(t *testing.T) {
	archive, err := material().Archive(500, 501, tlsfiles.KeyOfUser)
	require.NoError(t, err)
	files, err := material().Files(500, 501, tlsfiles.KeyOfUser)
	require.NoError(t, err)
	var want []entry
	for _, e := range unpack(t, archive) {
		if name, within := strings.CutPrefix(e.header.Name, tlsfiles.Dir[1:]+"/"); within && name != "" {
			e.header.Name = name
			want = append(want, e)
		}
	}
	assert.Len(t, want, 5)
	assert.Equal(t, want, unpack(t, files))
}
