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

// upload streams what pack writes into a container, as it is written.
func (b *Builder) upload(ctx context.Context, id string, pack func(io.Writer) error) error {
	reader, writer := io.Pipe()
	go func() { writer.CloseWithError(pack(writer)) }()
	defer reader.Close() // ends the packing when the engine has stopped reading
	return b.Engine.Upload(ctx, id, "/", reader)
}

// pack writes the package as the build container gets it. Directories come as entries of their own: the input is not
// writable for others, and output and cache are for whichever user the builder image has.
func (j *job) pack(w io.Writer) error {
	archive := tar.NewWriter(w)
	open := []string{platform.OutputDir}
	for _, cache := range j.plan.Caches {
		open = append(open, cache.Path)
	}
	for _, dir := range open {
		if err := archive.WriteHeader(directory(dir, 0o777)); err != nil {
			return err
		}
	}
	foreign, err := j.foreign()
	if err != nil {
		return err
	}
	for _, dir := range directories(j.files) {
		if err := archive.WriteHeader(directory(path.Join(j.input(), dir), 0o755)); err != nil {
			return err
		}
	}
	for _, f := range j.files {
		if foreign[f.Path] {
			continue
		}
		name := path.Join(j.input(), f.Path)
		if slices.Contains(j.plan.Executables, strings.TrimPrefix(name, platform.InputDir+"/")) {
			f.Executable = true
		}
		if err := packFile(archive, j.source, f, inRoot(name)); err != nil {
			return fmt.Errorf("packing %s: %w", f.Path, err)
		}
	}
	return archive.Close()
}

// packCode writes the code as it stands in the image: what a build copies to the output when it does nothing else.
func (j *job) packCode(w io.Writer) error {
	archive := tar.NewWriter(w)
	files := below(j.files, contextRoot(j.plan))
	for _, dir := range directories(files) {
		if err := archive.WriteHeader(directory(path.Join(j.plan.Target, dir), 0o755)); err != nil {
			return err
		}
	}
	for _, f := range files {
		name := inRoot(path.Join(j.plan.Target, f.Path))
		f.Path = path.Join(contextRoot(j.plan), f.Path)
		if err := packFile(archive, j.source, f, name); err != nil {
			return fmt.Errorf("packing %s: %w", f.Path, err)
		}
	}
	return archive.Close()
}

// below are the files in a directory of the package, relative to it.
func below(files []file, root string) []file {
	if root == "." {
		return files
	}
	var found []file
	for _, f := range files {
		if rest, ok := strings.CutPrefix(f.Path, root+"/"); ok {
			f.Path = rest
			found = append(found, f)
		}
	}
	return found
}

// input is where the package's root stands in the build container.
func (j *job) input() string {
	if j.plan.Rooted {
		return path.Join(platform.InputDir, "src")
	}
	return platform.InputDir
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
