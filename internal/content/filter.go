// SPDX-License-Identifier: Apache-2.0

package content

import (
	"archive/tar"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

// FilterOutput reads a tar archive of the output directory and writes one to be unpacked at /, with the output in the
// target directory. It normalises everything that differs from build to build: the owner is 0:0, times are zero, and
// modes are 0755 or 0644. The target directory gets an entry, so that its time does not depend on the engine. Devices,
// FIFOs, hard links to them, set-ID bits and extended attributes are dropped. It returns an error if there is no output, and
// an [OutputLimitError] if there is too much, counting what is dropped.
func FilterOutput(output io.Reader, w io.Writer, target string, limits OutputLimits) error {
	in, out := tar.NewReader(output), tar.NewWriter(w)
	if err := out.WriteHeader(dirHeader(target, 0o755)); err != nil {
		return err
	}
	entries, dropped, counter := 0, names{}, outputCounter{limits: limits}
	for {
		header, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if err := counter.add(header); err != nil {
			return err
		}
		moved, err := move(header, target)
		if err != nil {
			return err
		}
		if moved == nil || moved.Typeflag == tar.TypeLink && dropped.has(moved.Linkname) { // a link to what is dropped is the same again
			dropped.add(inRoot(path.Join(target, within(header.Name))))
			continue
		}
		entries++
		if err := out.WriteHeader(moved); err != nil {
			return fmt.Errorf("%s: %w", header.Name, err)
		}
		if _, err := io.Copy(out, in); err != nil {
			return fmt.Errorf("%s: %w", header.Name, err)
		}
	}
	if entries == 0 {
		return errors.New("the build left nothing in its output directory")
	}
	return out.Close()
}

// names is a set of names. It holds their sums, because a build may choose a million names of 4 KiB.
type names map[[sha256.Size]byte]bool

func (n names) add(name string) { n[sha256.Sum256([]byte(name))] = true }

func (n names) has(name string) bool { return n[sha256.Sum256([]byte(name))] }

// move returns the header of an entry as it will be in the image, or nil for the output directory itself and for files
// that do not belong in an image.
func move(header *tar.Header, target string) (*tar.Header, error) {
	name := within(header.Name)
	if name == "." {
		return nil, nil
	}
	if err := checkLayerName(name); err != nil {
		return nil, err
	}
	moved := &tar.Header{Typeflag: header.Typeflag, Name: inRoot(path.Join(target, name)), Mode: mode(header.Mode&0o111 != 0)}
	switch header.Typeflag {
	case tar.TypeReg:
		moved.Size = header.Size
	case tar.TypeDir:
		moved.Name += "/"
		moved.Mode = 0o755
	case tar.TypeSymlink:
		moved.Linkname = header.Linkname
		moved.Mode = 0o777
	case tar.TypeLink:
		moved.Linkname = inRoot(path.Join(target, within(header.Linkname)))
	case tar.TypeChar, tar.TypeBlock, tar.TypeFifo:
		return nil, nil
	default:
		return nil, fmt.Errorf("%s: unsupported tar entry type %q", header.Name, header.Typeflag)
	}
	return moved, nil
}

// checkLayerName rejects names that would remove files of the image below instead of adding one.
func checkLayerName(name string) error {
	if strings.HasPrefix(path.Base(name), ".wh.") {
		return fmt.Errorf("%s: a name in an image must not begin with .wh., which marks a file as deleted", name)
	}
	return nil
}

// within removes the first element of name, which is the output directory. The result never points outside it.
func within(name string) string {
	_, rest, _ := strings.Cut(strings.TrimPrefix(name, "/"), "/")
	return path.Clean(strings.TrimPrefix(path.Clean("/"+rest), "/"))
}
