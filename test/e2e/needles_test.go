// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// needles are the forms of secrets to search for.
type needles struct {
	forms   [][]byte
	longest int
	buffer  []byte
}

// newNeedles takes each secret as it is, and in base64 wherever it stands in what is encoded.
func newNeedles(secrets ...string) needles {
	n := needles{buffer: make([]byte, 1<<20)}
	for _, secret := range secrets {
		n.forms = append(n.forms, []byte(secret))
		for offset := range 3 {
			n.forms = append(n.forms, inBase64(secret, offset))
		}
	}
	for _, form := range n.forms {
		n.longest = max(n.longest, len(form))
	}
	return n
}

// inBase64 returns the part of base64 that depends on a text alone, if this many bytes, modulo 3, come before it.
func inBase64(text string, offset int) []byte {
	encoded := base64.RawStdEncoding.EncodeToString([]byte(strings.Repeat("\x00", offset) + text))
	return []byte(encoded[(offset*4+2)/3 : (offset+len(text))*4/3])
}

func (n needles) in(text []byte) bool {
	for _, form := range n.forms {
		if bytes.Contains(text, form) {
			return true
		}
	}
	return false
}

// plain searches bytes as they are.
func (n needles) plain(r io.Reader) (found bool, err error) {
	buffer, kept := n.buffer, 0
	for {
		read, err := r.Read(buffer[kept:])
		if n.in(buffer[:kept+read]) {
			return true, nil
		}
		if err != nil {
			if err == io.EOF {
				err = nil
			}
			return false, err
		}
		end := kept + read
		kept = min(end, n.longest)
		copy(buffer, buffer[end-kept:end])
	}
}

// search searches bytes, and what is inside if they are an archive or compressed. It returns where it has found something.
func (n needles) search(name string, r io.Reader) (found []string) {
	buffered := bufio.NewReaderSize(r, 4096)
	begin, _ := buffered.Peek(512)
	switch {
	case len(begin) == 512 && bytes.HasPrefix(begin[257:], []byte("ustar")):
		return n.searchTar(name, buffered)
	case bytes.HasPrefix(begin, []byte("\x1f\x8b")):
		return n.searchGzip(name, buffered)
	case bytes.HasPrefix(begin, []byte("PK\x03\x04")):
		return n.searchZip(name, buffered)
	}
	if hit, err := n.plain(buffered); hit {
		found = append(found, name)
	} else if err != nil {
		found = append(found, name+": "+err.Error())
	}
	return found
}

func (n needles) searchTar(name string, r io.Reader) (found []string) {
	for archive := tar.NewReader(r); ; {
		header, err := archive.Next()
		if err == io.EOF {
			_, _ = io.Copy(io.Discard, r)
			return found
		}
		if err != nil {
			return append(found, name+": "+err.Error())
		}
		inside := name + " > " + header.Name
		if n.in([]byte(header.Name + " " + header.Linkname)) {
			found = append(found, inside)
		}
		found = append(found, n.search(inside, archive)...)
	}
}

// searchGzip searches files that only begin like compressed ones as they are, too.
func (n needles) searchGzip(name string, r io.Reader) (found []string) {
	raw, err := io.ReadAll(r)
	if err != nil {
		return []string{name + ": " + err.Error()}
	}
	if n.in(raw) {
		found = append(found, name)
	}
	if plain, err := gzip.NewReader(bytes.NewReader(raw)); err == nil {
		if text, err := io.ReadAll(plain); err == nil {
			found = append(found, n.search(name, bytes.NewReader(text))...)
		}
	}
	return found
}

func (n needles) searchZip(name string, r io.Reader) (found []string) {
	raw, err := io.ReadAll(r)
	if err != nil {
		return []string{name + ": " + err.Error()}
	}
	if n.in(raw) {
		found = append(found, name)
	}
	archive, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		return found
	}
	for _, file := range archive.File {
		if inside, err := file.Open(); err == nil {
			found = append(found, n.search(name+" > "+file.Name, inside)...)
			_ = inside.Close()
		}
	}
	return found
}

// The search finds what there is, wherever it is.
func TestTheSearchFindsSecrets(t *testing.T) {
	const secret = "pwQ7R5T9X2Z4"
	packed := func(text string) []byte {
		var buffer bytes.Buffer
		compressed := gzip.NewWriter(&buffer)
		archive := tar.NewWriter(compressed)
		require.NoError(t, archive.WriteHeader(&tar.Header{Name: "a/b", Mode: 0o600, Size: int64(len(text))}))
		_, err := archive.Write([]byte(text))
		require.NoError(t, err)
		require.NoError(t, archive.Close())
		require.NoError(t, compressed.Close())
		return buffer.Bytes()
	}
	n := newNeedles(secret)
	filler := strings.Repeat("filler ", 200_000)
	for name, text := range map[string]string{
		"plain": "x" + secret + "y", "after a megabyte": filler + secret, "compressed": string(packed(filler + secret)), "twice": string(packed(string(packed(secret)))),
		"base64 of user and password": base64.StdEncoding.EncodeToString([]byte("ada:" + secret)),
		"base64 of a file":            base64.StdEncoding.EncodeToString([]byte("machine x login ada password " + secret + "\n")),
		"base64 of a longer name":     base64.URLEncoding.EncodeToString([]byte("adal:" + secret + "!")),
	} {
		assert.NotEmpty(t, n.search(name, strings.NewReader(text)), name)
	}
	assert.Empty(t, n.search("nothing", bytes.NewReader(packed(filler+"pwQ7R5T9X2Z5"))))
}
