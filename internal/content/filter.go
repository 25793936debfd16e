package content

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

// Filter turns a tar of the output directory into one to unpack at /, with the output in the target directory. What
// differs from build to build is made equal: owner 0:0, no times, 0755 or 0644. The target directory is an entry of
// its own, so that its time does not depend on the engine. Devices, set-id bits and extended attributes stay behind.
func FilterOutput(output io.Reader, w io.Writer, target string) error {
	in, out := tar.NewReader(output), tar.NewWriter(w)
	if err := out.WriteHeader(directory(target, 0o755)); err != nil {
		return err
	}
	entries := 0
	for {
		header, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		moved, err := move(header, target)
		if err != nil {
			return err
		}
		if moved == nil {
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

// move is an entry as it stands in the image; nil for the directory itself and for what does not belong in an image.
func move(header *tar.Header, target string) (*tar.Header, error) {
	name := within(header.Name)
	if name == "." {
		return nil, nil
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
		return nil, fmt.Errorf("%s: unknown kind of file %q", header.Name, header.Typeflag)
	}
	return moved, nil
}

// within is a name without its first element, the output directory itself. It never leads out.
func within(name string) string {
	_, rest, _ := strings.Cut(strings.TrimPrefix(name, "/"), "/")
	return path.Clean(strings.TrimPrefix(path.Clean("/"+rest), "/"))
}
