// Package tlsfiles turns the TLS material of chaincode.json into what a chaincode of any language finds in its
// container: five files in /etc/hyperledger/fabric and the variables that point to them (peer contract, "What the
// built-in Docker controller does for each language").
package tlsfiles

import (
	"archive/tar"
	"bytes"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"path"
)

// Dir is where the files stand in the container.
const Dir = "/etc/hyperledger/fabric"

// Material is one launch's TLS material, PEM.
type Material struct {
	ClientCert, ClientKey, RootCert string
}

// file is one file in Dir and the variable that holds its path.
type file struct {
	name, variable string
	mode           int64
	content        func(Material) string
}

// files are as the built-in controller has them: the Go shim reads the PEM files, the Node and Java shims read the
// ones that hold the base64 of the PEM, on one line without a newline.
var files = []file{
	{"client.crt", "CORE_TLS_CLIENT_CERT_PATH", 0o444, func(m Material) string { return encode(m.ClientCert) }},
	{"client.key", "CORE_TLS_CLIENT_KEY_PATH", 0o400, func(m Material) string { return encode(m.ClientKey) }},
	{"client_pem.crt", "CORE_TLS_CLIENT_CERT_FILE", 0o444, func(m Material) string { return m.ClientCert }},
	{"client_pem.key", "CORE_TLS_CLIENT_KEY_FILE", 0o400, func(m Material) string { return m.ClientKey }},
	{"peer.crt", "CORE_PEER_TLS_ROOTCERT_FILE", 0o444, func(m Material) string { return m.RootCert }},
}

// Check says which part is not PEM. It never shows the part.
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

// Archive is a tar to unpack at / before the container starts. The same material gives the same bytes. The keys
// belong to the chaincode's user alone; certificates are for all to read.
func (m Material) Archive(uid, gid int) ([]byte, error) {
	return m.archive(uid, gid, Dir[1:], path.Dir(Dir)[1:], Dir[1:])
}

// Files is Archive to unpack in Dir, where that is there already and nothing around it may be written.
func (m Material) Files(uid, gid int) ([]byte, error) { return m.archive(uid, gid, "") }

func (m Material) archive(uid, gid int, target string, dirs ...string) ([]byte, error) {
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
			Typeflag: tar.TypeReg, Name: path.Join(target, f.name), Mode: f.mode, Uid: uid, Gid: gid, Size: int64(len(content)),
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

// Environment is the variables that point to the files, KEY=VALUE. With TLS off none of them may be set, not even empty.
func Environment() []string {
	var environment []string
	for _, f := range files {
		environment = append(environment, f.variable+"="+path.Join(Dir, f.name))
	}
	return environment
}

func encode(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
