// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// chaincode is an unpacked package.
type chaincode struct {
	metadata []byte
	code     []byte // code.tar.gz
	about    struct{ Path, Type, Label string }
}

func open(pkg []byte) (chaincode, error) {
	var c chaincode
	err := eachFile(pkg, func(name string, _ os.FileMode, content io.Reader) (err error) {
		switch name {
		case "metadata.json":
			c.metadata, err = io.ReadAll(content)
		case "code.tar.gz":
			c.code, err = io.ReadAll(content)
		}
		return err
	})
	if err == nil {
		err = json.Unmarshal(c.metadata, &c.about)
	}
	if err != nil {
		return c, fmt.Errorf("opening a package: %w", err)
	}
	return c, nil
}

// dirs holds the directories that a peer passes to build.
type dirs struct{ root, source, metadata, output string }

// unpack unpacks a package as the peer does before it calls build: directories with mode 0700, files with the archive's.
func (b *bench) unpack(pkg []byte) (dirs, error) {
	c, err := open(pkg)
	if err != nil {
		return dirs{}, err
	}
	root, err := os.MkdirTemp(b.scratch, "fabric-"+c.about.Label)
	if err != nil {
		return dirs{}, fmt.Errorf("unpacking a package: %w", err)
	}
	d := dirs{root, filepath.Join(root, "src"), filepath.Join(root, "metadata"), filepath.Join(root, "bld")}
	for _, dir := range []string{d.source, d.metadata, d.output} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			return dirs{}, fmt.Errorf("unpacking a package: %w", err)
		}
	}
	if err := os.WriteFile(filepath.Join(d.metadata, "metadata.json"), c.metadata, 0o700); err != nil {
		return dirs{}, fmt.Errorf("unpacking a package: %w", err)
	}
	err = eachFile(c.code, func(name string, mode os.FileMode, content io.Reader) error {
		return writeFile(filepath.Join(d.source, name), mode, content)
	})
	if err != nil {
		return dirs{}, fmt.Errorf("unpacking a package: %w", err)
	}
	return d, nil
}

func writeFile(path string, mode os.FileMode, content io.Reader) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, content)
	return errors.Join(err, file.Close())
}

// eachFile calls do for each regular file of a gzipped tar.
func eachFile(zipped []byte, do func(name string, mode os.FileMode, content io.Reader) error) error {
	plain, err := gzip.NewReader(bytes.NewReader(zipped))
	if err != nil {
		return err
	}
	for archive := tar.NewReader(plain); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if header.Typeflag != tar.TypeReg {
			continue
		}
		if err := do(header.Name, os.FileMode(header.Mode).Perm(), archive); err != nil {
			return err
		}
	}
}
