// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"fabric-builder-docker/internal/metadata"
)

// planDocker plans a package of type docker, which either names an image or contains a Dockerfile.
func planDocker(r request) (Plan, error) {
	if _, err := fs.Stat(r.content.FS, metadata.ImageFile); err == nil {
		return planImage(r)
	}
	if r := r.findCode("Dockerfile"); r.isFile("src/Dockerfile") {
		return planDockerfile(r), nil
	}
	_, err := planImage(r)
	if errors.Is(err, fs.ErrNotExist) {
		return Plan{}, fmt.Errorf("%w, and there is no src/Dockerfile", err)
	}
	return Plan{}, err
}

// planDockerfile plans a package whose src/ is the build context of a Dockerfile. Build arguments and all other options
// come from the settings, never from the package. Proxies are among them, which a Dockerfile need not declare, but not those
// with a password: a package can declare them, and the image would show it.
func planDockerfile(r request) Plan {
	given := slices.DeleteFunc(r.buildEnvironment(proxies...), func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return !slices.Contains(proxies, name) || isPrivate(variable)
	})
	args := slices.Sorted(slices.Values(given.with(environment(r.settings.Builder.BuildArgs))))
	return Plan{Kind: Dockerfile, CodeAtRoot: r.atRoot, BuildArgs: args, DigestInputs: r.withoutTransport(args)}
}
