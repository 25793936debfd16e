package imagebuild

import (
	"context"
	"io"
	"path"

	"fabric-builder-docker/internal/content"
	"fabric-builder-docker/internal/platform"
)

// upload streams what pack writes into a container, as it is written.
func (b *Builder) upload(ctx context.Context, id string, pack func(io.Writer) error) error {
	reader, writer := io.Pipe()
	go func() { writer.CloseWithError(pack(writer)) }()
	defer reader.Close() // ends the packing when the engine has stopped reading
	return b.Engine.Upload(ctx, id, "/", reader)
}

// pack writes the package as the build container gets it. The input is not writable for others than root; output and
// caches are for whichever user the builder image has.
func (j *job) pack(w io.Writer) error {
	layout := content.Layout{Dir: j.input(), Writable: []string{platform.OutputDir}}
	for _, cache := range j.plan.Caches {
		layout.Writable = append(layout.Writable, cache.Path)
	}
	for _, name := range j.plan.Executables {
		layout.Executables = append(layout.Executables, path.Join(platform.InputDir, name))
	}
	return j.pkg.WriteTar(w, layout)
}

// packCode writes the code as it stands in the image: what a build copies to the output when it does nothing else.
func (j *job) packCode(w io.Writer) error {
	return j.pkg.Sub(codeDir(j.plan)).WriteTar(w, content.Layout{Dir: j.plan.Target})
}

// codeDir is the directory of the package that its code is in.
func codeDir(plan platform.Plan) string {
	if plan.CodeAtRoot {
		return "."
	}
	return "src"
}

// input is where the package's root is in the build container.
func (j *job) input() string {
	if j.plan.CodeAtRoot {
		return path.Join(platform.InputDir, "src")
	}
	return platform.InputDir
}
