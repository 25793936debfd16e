package imagebuild

import (
	"bytes"
	"fmt"
	"io"
	"path"
	"strings"

	"fabric-builder-docker/internal/platform"
)

// embeds is what a Go file has that takes files of its directory into the program, whatever their names.
var embeds = []byte("//go:embed")

// foreign are the files of a package's vendor directory that are not uploaded: the go command leaves them out on the
// builder image's system, and engines take a quarter of a millisecond for each. In packages for Fabric that is half of
// such a directory. Files are kept where one beside or above them embeds others.
func (j *job) foreign() (map[string]bool, error) {
	found := map[string]bool{}
	if j.plan.Vendor == "" {
		return found, nil
	}
	_, processor, _ := strings.Cut(j.builder.Platform, "/")
	processor, _, _ = strings.Cut(processor, "/")
	embedding := map[string]bool{} // by directory
	for _, f := range j.files {
		if !strings.HasPrefix(f.Path, j.plan.Vendor+"/") || !platform.IsForeignGo(f.Path, processor) {
			continue
		}
		keep := false
		for dir := path.Dir(f.Path); dir != j.plan.Vendor && !keep; dir = path.Dir(dir) {
			if _, known := embedding[dir]; !known {
				var err error
				if embedding[dir], err = j.embeds(dir); err != nil {
					return nil, err
				}
			}
			keep = embedding[dir]
		}
		found[f.Path] = !keep
	}
	return found, nil
}

// embeds says whether a Go file of a directory embeds others.
func (j *job) embeds(dir string) (bool, error) {
	for _, f := range j.files {
		if path.Dir(f.Path) != dir || path.Ext(f.Path) != ".go" {
			continue
		}
		opened, err := j.source.Open(f.Path)
		if err != nil {
			return false, err
		}
		content, err := io.ReadAll(opened)
		opened.Close()
		if err != nil {
			return false, fmt.Errorf("reading %s: %w", f.Path, err)
		}
		if bytes.Contains(content, embeds) {
			return true, nil
		}
	}
	return false, nil
}
