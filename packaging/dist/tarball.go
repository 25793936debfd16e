// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"time"
)

// writeTarball writes the programs with their settings, documents and licences.
func (r release) writeTarball() error {
	documents, err := r.documents()
	if err != nil {
		return fmt.Errorf("listing the documents: %w", err)
	}
	content, err := pack(r.base(), append(r.installed(), documents...), r.date)
	if err != nil {
		return err
	}
	var packed bytes.Buffer
	w, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return err
	}
	if _, err := w.Write(content); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(r.out, r.base()+".tar.gz"), packed.Bytes(), 0o644)
}

// pack returns an archive of files below a directory. Each directory has its own entry, before what it contains. Owner, mode
// and time do not depend on the files that are read.
func pack(root string, files []file, date time.Time) ([]byte, error) {
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	made := map[string]bool{".": true}
	var makeDirectory func(dir string) error
	makeDirectory = func(dir string) error {
		if made[dir] {
			return nil
		}
		made[dir] = true
		if err := makeDirectory(path.Dir(dir)); err != nil {
			return err
		}
		return w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir + "/", Mode: 0o755, ModTime: date})
	}
	for _, file := range files {
		name := path.Join(root, file.name)
		if err := makeDirectory(path.Dir(name)); err != nil {
			return nil, err
		}
		if err := addFile(w, name, file, date); err != nil {
			return nil, fmt.Errorf("packing %s: %w", file.name, err)
		}
	}
	err := w.Close()
	return archive.Bytes(), err
}

func addFile(w *tar.Writer, name string, file file, date time.Time) error {
	content, err := os.ReadFile(file.path)
	if err != nil {
		return err
	}
	mode := int64(0o644)
	if file.executable {
		mode = 0o755
	}
	if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode, Size: int64(len(content)), ModTime: date}); err != nil {
		return err
	}
	_, err = w.Write(content)
	return err
}
