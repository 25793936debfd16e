// SPDX-License-Identifier: Apache-2.0

// Package tlsfiles turns the TLS material of chaincode.json into the files that chaincode of any language reads: five files
// in /etc/hyperledger/fabric and the variables that point to them (peer contract, "What the built-in Docker controller
// does for each language"). The files reach the container as a tar archive or through its standard input.
package tlsfiles

import (
	"archive/tar"
	"bytes"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"path"
)

// Dir is the directory of the files in the container.
const Dir = "/etc/hyperledger/fabric"

// Material is the TLS material of one launch, in PEM.
type Material struct {
	ClientCert, ClientKey, RootCert string
}

// KeyMode is the mode of the files that hold the key.
type KeyMode int64

// Who can read the key.
const (
	KeyOfUser  KeyMode = 0o400 // the user that the files belong to
	KeyOfGroup KeyMode = 0o440 // their group, too
	KeyOfAll   KeyMode = 0o444 // every user of the container
)

// file describes one file in Dir and the variable that holds its path.
type file struct {
	name, variable string
	isKey          bool
	content        func(Material) string
}

// mode returns the mode of a file. Everybody can read certificates.
func (f file) mode(keys KeyMode) int64 {
	if f.isKey {
		return int64(keys)
	}
	return 0o444
}

// files are the same as the built-in controller's: the Go shim reads the PEM files, the Node and Java shims read the files
// with base64-encoded PEM, which is one line without a newline.
var files = []file{
	{"client.crt", "CORE_TLS_CLIENT_CERT_PATH", false, func(m Material) string { return encode(m.ClientCert) }},
	{"client.key", "CORE_TLS_CLIENT_KEY_PATH", true, func(m Material) string { return encode(m.ClientKey) }},
	{"client_pem.crt", "CORE_TLS_CLIENT_CERT_FILE", false, func(m Material) string { return m.ClientCert }},
	{"client_pem.key", "CORE_TLS_CLIENT_KEY_FILE", true, func(m Material) string { return m.ClientKey }},
	{"peer.crt", "CORE_PEER_TLS_ROOTCERT_FILE", false, func(m Material) string { return m.RootCert }},
}

// Check returns an error that names the first part that is not PEM. The error never contains the part itself.
func (m Material) Check() error {
	for _, part := range []struct{ name, text string }{
		{"client_cert", m.ClientCert}, {"client_key", m.ClientKey}, {"root_cert", m.RootCert},
	} {
		if block, _ := pem.Decode([]byte(part.text)); block == nil {
			return fmt.Errorf("%q is not PEM", part.name)
		}
	}
	return nil
}

// Archive returns a tar archive to unpack at / before the container starts. The same material gives the same bytes. The
// files belong to the given user and group, and keys says which of them can read the key. Everybody can read the
// certificates.
func (m Material) Archive(uid, gid int, keys KeyMode) ([]byte, error) {
	return m.archive(uid, gid, keys, Dir[1:], path.Dir(Dir)[1:], Dir[1:])
}

// Files returns the files of [Material.Archive] as a tar archive to unpack in Dir, for a container where Dir exists and
// nothing outside of it is writable.
func (m Material) Files(uid, gid int, keys KeyMode) ([]byte, error) {
	return m.archive(uid, gid, keys, "")
}

func (m Material) archive(uid, gid int, keys KeyMode, target string, dirs ...string) ([]byte, error) {
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for _, dir := range dirs {
		header := &tar.Header{Typeflag: tar.TypeDir, Name: dir + "/", Mode: 0o755}
		if err := w.WriteHeader(header); err != nil {
			return nil, fmt.Errorf("packing the TLS files: %w", err)
		}
	}
	for _, f := range files {
		content := f.content(m)
		header := &tar.Header{
			Typeflag: tar.TypeReg, Name: path.Join(target, f.name), Mode: f.mode(keys), Uid: uid, Gid: gid, Size: int64(len(content)),
		}
		if err := w.WriteHeader(header); err != nil {
			return nil, fmt.Errorf("packing the TLS files: %w", err)
		}
		if _, err := w.Write([]byte(content)); err != nil {
			return nil, fmt.Errorf("packing the TLS files: %w", err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("packing the TLS files: %w", err)
	}
	return archive.Bytes(), nil
}

// Environment returns the variables that point to the files, as KEY=VALUE. Without TLS none of them may be set, not even
// to an empty value.
func Environment() []string {
	var environment []string
	for _, f := range files {
		environment = append(environment, f.variable+"="+path.Join(Dir, f.name))
	}
	return environment
}

func encode(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
