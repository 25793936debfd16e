package content

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
)

// Digest is a SHA-256 over named values. Every name and value goes in with its length, so that no other names and
// values have the same digest.
type Digest struct{ hash hash.Hash }

// NewDigest returns a digest of nothing.
func NewDigest() Digest { return Digest{sha256.New()} }

// Add adds a list of values under a name.
func (d Digest) Add(name string, values ...string) {
	fmt.Fprintf(d.hash, "%d:%s%d;", len(name), name, len(values))
	for _, value := range values {
		fmt.Fprintf(d.hash, "%d:%s", len(value), value)
	}
}

// AddFiles adds files and directories under a name: paths, what is executable, and bytes.
func (d Digest) AddFiles(name string, files []File) {
	var values []string
	for _, f := range files {
		values = append(values, f.Path, f.kind(), f.SHA256)
	}
	d.Add(name, values...)
}

// Sum is the digest of all that was added, 64 hex digits.
func (d Digest) Sum() string { return hex.EncodeToString(d.hash.Sum(nil)) }

func (f File) kind() string {
	switch {
	case f.Dir:
		return "directory"
	case f.Executable:
		return "executable"
	}
	return "file"
}
