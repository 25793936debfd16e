package baseimage

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/distribution/reference"

	"fabric-builder-docker/internal/config"
	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/platform"
	"fabric-builder-docker/internal/registry"
)

// Pulls are how images get to the engine. The zero value pulls what is missing, without credentials or time limits.
type Pulls struct {
	Policy      string        // config.PullAlways, config.PullNever; everything else is config.PullMissing
	Mirror      string        // in front of the names that are pulled; empty: none
	Timeout     time.Duration // of one pull
	Inactivity  time.Duration // of one pull without progress
	Credentials registry.File
}

// PullsOf are the operator's.
func PullsOf(settings config.Settings, environ []string) Pulls {
	from := settings.Builder.Registry
	return Pulls{
		Policy: settings.Builder.PullPolicy, Mirror: from.Mirror, Timeout: from.Timeout, Inactivity: from.InactivityTimeout,
		Credentials: registry.Open(from.Config, environ),
	}
}

// Ensure makes sure of an image, as the pull policy has it, and inspects it. The image's name becomes the one that
// the engine knows it under.
func (i Images) Ensure(ctx context.Context, role string, image *platform.Image) (docker.Image, error) {
	found, err := i.present(ctx, image)
	missing := errdefs.IsNotFound(err)
	switch {
	case err != nil && !missing:
		return docker.Image{}, err
	case missing && i.Pulls.Policy == config.PullNever:
		return docker.Image{}, fmt.Errorf("the %s image %q is not on the engine, and pull policy %q forbids to get it: %s, or set builder.pullPolicy",
			role, image.Name, config.PullNever, remedy(*image))
	case !missing && (i.Pulls.Policy != config.PullAlways || isPinned(image.Name)): // a digest never means anything else
		return found, nil
	}
	i.Log.Info("pulling an image", "role", role, "image", image.Name)
	if err := i.pull(ctx, image); err != nil {
		if ctx.Err() != nil {
			return docker.Image{}, err
		}
		// Not %w: a registry that does not know the image is no reason to start the build over.
		if missing {
			return docker.Image{}, fmt.Errorf("the %s image %q is not on the engine and cannot be had (%v): %s", role, image.Name, err, remedy(*image))
		}
		return docker.Image{}, fmt.Errorf("the %s image %q cannot be pulled (%v), and pull policy %q takes no older one: %s, or set builder.pullPolicy",
			role, image.Name, err, config.PullAlways, remedy(*image))
	}
	return i.Engine.Image(ctx, image.Name)
}

// remedy is what an operator can do about an image.
func remedy(image platform.Image) string {
	if image.Setting == "" { // the package names it
		return "load it there"
	}
	return fmt.Sprintf("load it there, or set %s to another", image.Setting)
}

// present inspects an image. One that came from the mirror by digest is there under the mirror's name only.
func (i Images) present(ctx context.Context, image *platform.Image) (docker.Image, error) {
	found, err := i.Engine.Image(ctx, image.Name)
	if !errdefs.IsNotFound(err) || !isPinned(image.Name) {
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

// pull gets an image from the first of its sources that has it.
func (i Images) pull(ctx context.Context, image *platform.Image) error {
	from, mirrored, err := i.Pulls.sources(image.Name)
	if err != nil {
		return err
	}
	var failures []error
	for n, ref := range from {
		if err = i.pullFrom(ctx, ref); err != nil {
			failures = append(failures, err)
			if ctx.Err() != nil {
				break
			}
			continue
		}
		if mirrored && n == 0 {
			return i.adopt(ctx, image, ref)
		}
		return nil
	}
	return joined(failures)
}

// joined is several errors on one line.
func joined(errs []error) error {
	if len(errs) == 1 {
		return errs[0]
	}
	var texts []string
	for _, err := range errs {
		texts = append(texts, err.Error())
	}
	return errors.New(strings.Join(texts, "; "))
}

// adopt gives an image of the mirror the name that was asked for, and that alone. A name with a digest cannot be
// given: such an image keeps the mirror's.
func (i Images) adopt(ctx context.Context, image *platform.Image, mirrored string) error {
	if isPinned(image.Name) {
		image.Name = mirrored
		return nil
	}
	if err := i.Engine.Tag(ctx, mirrored, image.Name); err != nil {
		return err
	}
	return i.Engine.Untag(ctx, mirrored)
}

// pullFrom pulls one name. Its error says who asked whom.
func (i Images) pullFrom(ctx context.Context, ref string) error {
	host, err := registry.Host(ref)
	if err != nil {
		return err
	}
	found, credentialsErr := i.Pulls.Credentials.For(ctx, host)
	if credentialsErr != nil && ctx.Err() == nil {
		i.Log.Warn("pulling without credentials", "image", ref, "error", credentialsErr)
	}
	pull := docker.Pull{
		Ref: ref, Timeout: i.Pulls.Timeout, Inactivity: i.Pulls.Inactivity,
		Credentials: docker.Credentials{User: found.User, Password: found.Password, IdentityToken: found.IdentityToken, Server: host},
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
	return fmt.Errorf("asking registry %s %s: %w", host, i.Pulls.who(found), err)
}

// who says as whom a registry was asked, without anything that is secret.
func (p Pulls) who(c registry.Credentials) string {
	file := p.Credentials.Path()
	if file == "" {
		file = "no file"
	}
	switch {
	case !c.Any():
		return fmt.Sprintf("without credentials, which would come from %s, see builder.registry.config", file)
	case c.User == "":
		return fmt.Sprintf("with the identity token of %s, see builder.registry.config", file)
	}
	return fmt.Sprintf("as user %q of %s, see builder.registry.config", c.User, file)
}

// sources are the names under which an image is asked for, one after another, and whether the first of them is the
// mirror's. The mirror stands in for the registry of names that name none. Other images are asked of the mirror first,
// in a directory with their registry's name, then of that registry.
func (p Pulls) sources(image string) (names []string, mirrored bool, err error) {
	parsed, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return nil, false, fmt.Errorf("reading the name of image %q: %w", image, err)
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
	if _, err := reference.ParseNormalizedNamed(full); err != nil { // a registry with a port is no directory
		return []string{direct}, false, nil
	}
	if ofHub {
		return []string{full}, true, nil
	}
	return []string{full, direct}, true, nil
}

// isPinned says whether a name holds a digest.
func isPinned(image string) bool { return strings.Contains(image, "@") }
