package platform

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"fabric-builder-docker/internal/metadata"
)

// planDocker is the plan of a package of type docker: it names an image, or holds a Dockerfile to build one from.
func planDocker(r request) (Plan, error) {
	if _, err := fs.Stat(r.content.FS, metadata.ImageFile); err == nil {
		return planImage(r)
	}
	if at := r.rooted("Dockerfile"); at.isFile("src/Dockerfile") {
		return planDockerfile(at), nil
	}
	_, err := planImage(r)
	if errors.Is(err, fs.ErrNotExist) {
		return Plan{}, fmt.Errorf("%w, and there is no src/Dockerfile", err)
	}
	return Plan{}, err
}

// planDockerfile is the plan of a package whose src/ is the context of an image build. The package decides what is
// built; build arguments and all else about how come from the settings.
func planDockerfile(r request) Plan {
	args := slices.Sorted(slices.Values(r.settings.Builder.BuildArgs))
	return Plan{Kind: Dockerfile, CodeAtRoot: r.atRoot, BuildArgs: args, DigestInputs: r.output(args)}
}
