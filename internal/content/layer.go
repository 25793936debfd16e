// SPDX-License-Identifier: Apache-2.0

package content

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// Layer is an image layer, an uncompressed tar, in a file that has no name. The caller must close it.
type Layer struct {
	*os.File
	Digest string // sha256:HEX
	Size   int64
}

// Directory is a directory of an image. A layer must contain every directory above its files, because engines create a
// missing one with a mode and owner of their own.
type Directory struct {
	Path string `json:"path"` // absolute
	Mode int64  `json:"mode"` // permissions, with the set-ID and sticky bits
	UID  int    `json:"uid"`
	GID  int    `json:"gid"`
}

// NewLayer writes a layer to a file in dir: first an entry for each of the directories, then the tar that write writes. The
// file is removed at once, and its space is free when the layer is closed, even if the process is killed.
func NewLayer(dir string, directories []Directory, write func(io.Writer) error) (*Layer, error) {
	file, err := os.CreateTemp(dir, ".layer-*")
	if err != nil {
		return nil, fmt.Errorf("storing the image's layer: %w", err)
	}
	os.Remove(file.Name())
	layer := &Layer{File: file}
	if err := layer.fill(directories, write); err != nil {
		file.Close()
		if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
			return nil, fmt.Errorf("storing the image's layer in %s: %w; it needs as much space as the build's output", filepath.Clean(dir), err)
		}
		return nil, err
	}
	return layer, nil
}

func (l *Layer) fill(directories []Directory, write func(io.Writer) error) error {
	hash := sha256.New()
	w := &counter{w: io.MultiWriter(l.File, hash)}
	entries := tar.NewWriter(w)
	for _, d := range directories {
		header := dirHeader(d.Path, d.Mode)
		header.Uid, header.Gid = d.UID, d.GID
		if err := entries.WriteHeader(header); err != nil {
			return fmt.Errorf("storing the image's layer: %w", err)
		}
	}
	if err := entries.Flush(); err != nil { // not Close: the tar goes on
		return fmt.Errorf("storing the image's layer: %w", err)
	}
	if err := write(w); err != nil {
		return err
	}
	l.Digest, l.Size = "sha256:"+hex.EncodeToString(hash.Sum(nil)), w.n
	return nil
}

// counter counts the bytes that it writes.
type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}
