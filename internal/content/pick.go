// SPDX-License-Identifier: Apache-2.0

package content

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"path"
)

// Picker copies some files of a container into a layer, where they have the same paths, owners and permissions.
type Picker struct {
	out   *tar.Writer
	limit outputCounter
}

// NewPicker returns a Picker that writes to w, after entries for the given directories. The caller must close it.
func NewPicker(w io.Writer, above []Directory, limits OutputLimits) (*Picker, error) {
	p := &Picker{tar.NewWriter(w), outputCounter{limits: limits}}
	for _, d := range above {
		header := dirHeader(d.Path, d.Mode)
		header.Uid, header.Gid = d.UID, d.GID
		if err := p.out.WriteHeader(header); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// Pick copies the regular files for which keep returns true, and the directories above them, from a tar archive of dir. It drops times, set-ID bits and extended attributes, and returns an [OutputLimitError] if there is too much.
func (p *Picker) Pick(archive io.Reader, dir string, keep func(file string) bool) error {
	pending := map[string]*tar.Header{} // directories that no file has needed yet
	for in := tar.NewReader(archive); ; {
		header, err := in.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		name := path.Join(dir, within(header.Name))
		picked := &tar.Header{Typeflag: header.Typeflag, Name: inRoot(name), Mode: header.Mode & 0o777, Uid: header.Uid, Gid: header.Gid}
		switch {
		case header.Typeflag == tar.TypeDir:
			picked.Name += "/"
			pending[name] = picked
		case header.Typeflag == tar.TypeReg && keep(name):
			picked.Size = header.Size
			if err := p.write(pending, picked, header, in); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
}

// write writes a file after those of the directories above it that are still pending.
func (p *Picker) write(pending map[string]*tar.Header, picked, original *tar.Header, text io.Reader) error {
	if err := p.limit.add(original); err != nil {
		return err
	}
	var above []*tar.Header
	for dir := path.Dir("/" + picked.Name); dir != "/"; dir = path.Dir(dir) {
		if header := pending[dir]; header != nil {
			above = append(above, header)
			delete(pending, dir)
		}
	}
	for i := len(above) - 1; i >= 0; i-- {
		if err := p.out.WriteHeader(above[i]); err != nil {
			return err
		}
	}
	if err := p.out.WriteHeader(picked); err != nil {
		return err
	}
	_, err := io.Copy(p.out, text)
	return err
}

// Close ends the layer.
func (p *Picker) Close() error { return p.out.Close() }
