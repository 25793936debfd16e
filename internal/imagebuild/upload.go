// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"context"
	"io"
	"path"

	"fabric-builder-docker/internal/content"
	"fabric-builder-docker/internal/platform"
)

// upload streams a tar into a container while pack writes it.
func (b *Builder) upload(ctx context.Context, id string, pack func(io.Writer) error) error {
	return pipe(pack, func(r io.Reader) error { return b.Engine.Upload(ctx, id, "/", r) })
}

// pack writes the package for the build container. Only root may write to the input. Any user may write to output and
// caches, because the builder image may run as any.
func (j *job) pack(w io.Writer) error {
	layout := content.Layout{Dir: j.input(), Writable: []string{platform.OutputDir}, ModTime: j.plan.ModTime}
	for _, cache := range j.plan.Caches {
		layout.Writable = append(layout.Writable, cache.Path)
	}
	for _, name := range j.plan.Executables {
		layout.Executables = append(layout.Executables, path.Join(platform.InputDir, name))
	}
	if bundle := j.plan.Given.CABundle; bundle != nil {
		layout.More = []content.Text{{Path: platform.CABundleFile, Text: bundle}}
	}
	return j.pkg.WriteTar(w, layout)
}

// packCode writes the code as it belongs in the image, with the same result as a build that only copies it to the output.
func (j *job) packCode(w io.Writer) error {
	return j.pkg.Sub(codeDir(j.plan)).WriteLayer(w, j.plan.Target)
}

// codeDir returns the directory of the package that holds its code.
func codeDir(plan platform.Plan) string {
	if plan.CodeAtRoot {
		return "."
	}
	return "src"
}

// input returns where the package's root is in the build container.
func (j *job) input() string {
	if j.plan.CodeAtRoot {
		return path.Join(platform.InputDir, "src")
	}
	return platform.InputDir
}
