package imagebuild

import (
	"archive/tar"
	"context"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"

	"fabric-builder-docker/internal/platform"
)

// upload streams the package into the build container. Directories come as entries of their own: the input is not
// writable for others, and output and cache are for whichever user the builder image has.
func (b *Builder) upload(ctx context.Context, j *job, id string) error {
	reader, writer := io.Pipe()
	go func() { writer.CloseWithError(j.pack(writer)) }()
	defer reader.Close() // ends the packing when the engine has stopped reading
	return b.Engine.Upload(ctx, id, "/", reader)
}

func (j *job) pack(w io.Writer) error {
	archive := tar.NewWriter(w)
	open := []string{platform.OutputDir}
	if j.plan.Cache != "" {
		open = append(open, platform.CacheDir)
	}
	for _, dir := range open {
		if err := archive.WriteHeader(directory(dir, 0o777)); err != nil {
			return err
		}
	}
	for _, dir := range directories(j.files) {
		if err := archive.WriteHeader(directory(path.Join(platform.InputDir, dir), 0o755)); err != nil {
			return err
		}
	}
	for _, f := range j.files {
		if err := packFile(archive, j.source, f, inRoot(path.Join(platform.InputDir, f.Path))); err != nil {
			return fmt.Errorf("packing %s: %w", f.Path, err)
		}
	}
	return archive.Close()
}

// packFile adds one file of the package under a name of its own.
func packFile(archive *tar.Writer, source *os.Root, f file, name string) error {
	opened, err := source.Open(f.Path)
	if err != nil {
		return err
	}
	defer opened.Close()
	header := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode(f.Executable), Size: f.Size}
	if err := archive.WriteHeader(header); err != nil {
		return err
	}
	_, err = io.Copy(archive, opened)
	return err
}

// directories are all directories on the way to the files, parents first, the input directory itself included.
func directories(files []file) []string {
	seen := map[string]bool{".": true}
	for _, f := range files {
		for dir := path.Dir(f.Path); !seen[dir]; dir = path.Dir(dir) {
			seen[dir] = true
		}
	}
	var all []string
	for dir := range seen {
		all = append(all, dir)
	}
	slices.Sort(all)
	return all
}

func directory(name string, mode int64) *tar.Header {
	return &tar.Header{Typeflag: tar.TypeDir, Name: inRoot(name) + "/", Mode: mode}
}

// inRoot is an absolute path as the name of an entry in a tar for the root directory.
func inRoot(path string) string { return strings.TrimPrefix(path, "/") }

func mode(executable bool) int64 {
	if executable {
		return 0o755
	}
	return 0o644
}
