// SPDX-License-Identifier: Apache-2.0

package baseimage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/distribution/reference"

	"fabric-builder-docker/internal/config"
	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/platform"
	"fabric-builder-docker/internal/registry"
)

// Pulls holds the settings for pulls. The zero value pulls missing images without credentials or time limits.
type Pulls struct {
	Policy      string        // config.PullAlways or config.PullNever; anything else means config.PullMissing
	Mirror      string        // prefix of the names that are pulled; empty: none
	Timeout     time.Duration // limit of one pull
	Inactivity  time.Duration // limit of the time without progress in one pull
	Credentials registry.File
	withheld    string // why there are no credentials
}

// WithoutCredentials returns pulls that use no credentials. The reason appears in errors.
func (p Pulls) WithoutCredentials(reason string) Pulls {
	p.Credentials, p.withheld = registry.File{}, reason
	return p
}

// PullsOf returns the operator's settings for pulls.
func PullsOf(settings config.Settings, environ []string) Pulls {
	from := settings.Builder.Registry
	return Pulls{
		Policy: settings.Builder.PullPolicy, Mirror: from.Mirror, Timeout: from.Timeout, Inactivity: from.InactivityTimeout,
		Credentials: registry.Locate(from.Config, environ),
	}
}

// Ensure pulls an image if the pull policy requires it, and inspects it. It sets image.Name to the name that the image has
// on the engine. The role of the image (builder, runtime or chaincode) appears in errors and log messages.
func (i Images) Ensure(ctx context.Context, role string, image *platform.Image) (docker.Image, error) {
	found, err := i.inspect(ctx, image)
	missing := errors.Is(err, docker.ErrNoImage)
	switch {
	case err != nil && !missing:
		return docker.Image{}, err
	case missing && i.Pulls.Policy == config.PullNever:
		return docker.Image{}, fmt.Errorf("%s image %q is not on the engine and builder.pullPolicy is %q: %s",
			role, image.Name, config.PullNever, remedy(image.Setting, "builder.pullPolicy"))
	case !missing && (i.Pulls.Policy != config.PullAlways || isPinned(image.Name)): // a digest always means the same image
		return found, nil
	}
	i.Log.Info("pulling an image", "role", role, "image", image.Name)
	if err := i.pullInPhase(ctx, image); err != nil {
		if ctx.Err() != nil {
			return docker.Image{}, err
		}
		if missing {
			return docker.Image{}, fmt.Errorf("cannot pull %s image %q: %w (%s)", role, image.Name, err, remedy(image.Setting))
		}
		return docker.Image{}, fmt.Errorf("cannot pull %s image %q: %w (to use the image on the engine, set builder.pullPolicy to %q)",
			role, image.Name, err, config.PullMissing)
	}
	return i.Engine.Image(ctx, image.Name)
}

// remedy returns advice for an operator about a missing image. It ignores empty settings: an image that a package names has
// no setting.
func remedy(settings ...string) string {
	settings = slices.DeleteFunc(settings, func(name string) bool { return name == "" })
	if len(settings) == 0 {
		return "load it on the engine"
	}
	return "load it on the engine, or set " + strings.Join(settings, " or ")
}

// inspect inspects an image on the engine. An image that was pulled by digest from the mirror has only the mirror's name.
func (i Images) inspect(ctx context.Context, image *platform.Image) (docker.Image, error) {
	found, err := i.Engine.Image(ctx, image.Name)
	if !errors.Is(err, docker.ErrNoImage) || !isPinned(image.Name) {
		return found, err
	}
	from, mirrored, parseErr := i.Pulls.sources(image.Name)
	if parseErr != nil || !mirrored {
		return found, err
	}
	if other, otherErr := i.Engine.Image(ctx, from[0]); otherErr == nil {
		image.Name = from[0]
		return other, nil
	}
	return found, err
}

// pullInPhase pulls an image, and says so to Pulling and Pulled.
func (i Images) pullInPhase(ctx context.Context, image *platform.Image) error {
	if i.Pulling != nil {
		defer i.Pulling()()
	}
	err := i.pull(ctx, image)
	if i.Pulled != nil {
		i.Pulled(err)
	}
	return err
}

// pull pulls an image from the first of its sources that has it.
func (i Images) pull(ctx context.Context, image *platform.Image) error {
	from, mirrored, err := i.Pulls.sources(image.Name)
	if err != nil {
		return err
	}
	var failures []error
	for n, ref := range from {
		_, err := i.Engine.Image(ctx, ref)
		wasThere := err == nil
		if err := i.pullFrom(ctx, ref); err != nil {
			failures = append(failures, err)
			if ctx.Err() != nil {
				break
			}
			continue
		}
		if mirrored && n == 0 {
			return i.retag(ctx, image, ref, wasThere)
		}
		return nil
	}
	return joinErrors(failures)
}

// joinErrors joins errors on one line.
func joinErrors(errs []error) error {
	if len(errs) == 1 {
		return errs[0]
	}
	return joined(errs)
}

type joined []error

func (j joined) Error() string {
	var texts []string
	for _, err := range j {
		texts = append(texts, err.Error())
	}
	return strings.Join(texts, "; ")
}

func (j joined) Unwrap() []error { return j }

// retag replaces the mirror's name of an image with image.Name. An image cannot be tagged with a name that contains a
// digest, so such an image keeps the mirror's name, and image.Name becomes that. It keeps it, too, if it had that name before:
// another builder's pull may have given it for a moment, so that it stays now and then.
func (i Images) retag(ctx context.Context, image *platform.Image, mirrored string, keep bool) error {
	if isPinned(image.Name) {
		image.Name = mirrored
		return nil
	}
	err := i.Engine.Tag(ctx, mirrored, image.Name)
	if errors.Is(err, docker.ErrNoImage) { // another builder that has pulled it at the same time was faster
		if _, lookErr := i.Engine.Image(ctx, image.Name); lookErr == nil {
			return nil
		}
	}
	if err != nil || keep {
		return err
	}
	return i.Engine.Untag(ctx, mirrored)
}

// pullFrom pulls one name. Its error names the registry and the credentials.
func (i Images) pullFrom(ctx context.Context, ref string) error {
	host, err := registry.Host(ref)
	if err != nil {
		return err
	}
	found, credentialsErr := i.Pulls.Credentials.Lookup(ctx, host)
	if credentialsErr != nil && ctx.Err() == nil {
		i.Log.Warn("pulling without credentials", "image", ref, "error", credentialsErr)
	}
	pull := docker.Pull{
		Ref: ref, Timeout: i.Pulls.Timeout, Inactivity: i.Pulls.Inactivity,
		Credentials: docker.Credentials{User: found.User, Password: found.Password, IdentityToken: found.IdentityToken, Server: host},
	}
	if i.Progress != nil {
		pull.Progress = func(progress docker.PullProgress) { i.Progress(ref, progress) }
	}
	err = i.Engine.Pull(ctx, pull, func(line string) { i.Log.Info("pulling", "image", ref, "status", line) })
	switch {
	case err == nil:
		return nil
	case errors.Is(err, docker.ErrPullTimeout):
		err = fmt.Errorf("%w, see builder.registry.timeout", err)
	case errors.Is(err, docker.ErrPullStalled):
		err = fmt.Errorf("%w, see builder.registry.inactivityTimeout", err)
	}
	return fmt.Errorf("asking registry %s %s: %w", host, i.Pulls.describe(found), err)
}

// describe describes credentials without their secrets.
func (p Pulls) describe(c registry.Credentials) string {
	file := p.Credentials.Path()
	switch {
	case p.withheld != "":
		return "without credentials (" + p.withheld + ")"
	case file == "":
		return "without credentials (there is no config.json, see builder.registry.config)"
	case c.Empty():
		return fmt.Sprintf("without credentials (none found in %s, see builder.registry.config)", file)
	case c.User == "":
		return fmt.Sprintf("with the identity token from %s (see builder.registry.config)", file)
	}
	return fmt.Sprintf("as user %q from %s (see builder.registry.config)", c.User, file)
}

// sources returns the names to try to pull an image by, in order, and whether the first is the mirror's. For names without
// a registry, the mirror replaces Docker Hub. Names with a registry are tried on the mirror first, under a path that
// begins with the registry, then on that registry.
func (p Pulls) sources(image string) (names []string, mirrored bool, err error) {
	parsed, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return nil, false, fmt.Errorf("parsing image name %q: %w", image, err)
	}
	named := reference.TagNameOnly(parsed)
	direct := reference.FamiliarString(named)
	if p.Mirror == "" || strings.HasPrefix(named.String(), p.Mirror+"/") {
		return []string{direct}, false, nil
	}
	ofHub := reference.Domain(named) == registry.Hub
	full := p.Mirror + "/" + named.String()
	if ofHub {
		full = p.Mirror + "/" + strings.TrimPrefix(named.String(), registry.Hub+"/")
	}
	if _, err := reference.ParseNormalizedNamed(full); err != nil { // a port cannot be part of a path
		return []string{direct}, false, nil
	}
	if ofHub {
		return []string{full}, true, nil
	}
	return []string{full, direct}, true, nil
}

// isPinned reports whether a name contains a digest.
func isPinned(image string) bool { return strings.Contains(image, "@") }
