// Package imagebuild turns a package and its plan into an image: content digest, lock, build container, assembly.
//
// An image is named by its content, so builders on one engine, on one host or many, share it. Of several that want the
// same content at the same time one builds, the holder; the others follow it (waiters). The build container's name
// holds the digest and is the lock: whoever creates it holds it.
//
//	prepare   base images there (pulled where missing), digest computed: is the image there already?
//	hold      build container: created, attached, package uploaded, started, output shown
//	follow    somebody else's build container: output shown, exit status taken
//	assemble  output streamed into a container of the runtime image, which is committed as the image
//
// Where dependencies can be installed ahead of the code, they are built in that way, as a snapshot of their own, and
// the code alone is added to it: no build container, one upload, one commit (snapshot.go).
//
// Nothing here trusts that a container or an image is still there: operators prune.
package imagebuild

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/containerd/errdefs"
	"github.com/hashicorp/go-hclog"

	"fabric-builder-docker/internal/baseimage"
	"fabric-builder-docker/internal/cli"
	"fabric-builder-docker/internal/config"
	"fabric-builder-docker/internal/content"
	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/platform"
)

// Engine is what a build needs of a container engine.
type Engine interface {
	Clock(ctx context.Context) (time.Time, error)
	Image(ctx context.Context, ref string) (docker.Image, error)
	Pull(ctx context.Context, pull docker.Pull, progress func(line string)) error
	Build(ctx context.Context, build docker.Build, output io.Writer) error
	Tag(ctx context.Context, image, name string) error
	Untag(ctx context.Context, name string) error
	Claim(ctx context.Context, spec docker.Spec) (id string, holder *docker.Container, err error)
	Inspect(ctx context.Context, id string) (docker.Container, error)
	Attach(ctx context.Context, id string, input []byte) (*docker.Output, error)
	Logs(ctx context.Context, id string, since time.Time) (*docker.Output, error)
	Wait(ctx context.Context, id string) (<-chan docker.Exit, error)
	Start(ctx context.Context, id string) error
	Remove(ctx context.Context, id string) error
	Upload(ctx context.Context, id, dir string, archive io.Reader) error
	Download(ctx context.Context, id, path string) (io.ReadCloser, error)
	Executable(ctx context.Context, id, path string) (string, error)
	Exists(ctx context.Context, id, path string) (bool, error)
	Commit(ctx context.Context, id, ref string, changes []string) error
	EnsureVolume(ctx context.Context, name string, labels map[string]string) error
}

// Periods are how long a builder waits for others. See [DefaultPeriods].
type Periods struct {
	Build    time.Duration // one build, waiting included
	Created  time.Duration // a build container that was not started for so long has lost its holder
	Assembly time.Duration // a build that has succeeded and is no image after so long has lost its holder
	Linger   time.Duration // a failed build container stays so long for its waiters to read
	Poll     time.Duration // at most, between two looks at somebody else's work
	Cleanup  time.Duration // removing what was made, also after a signal
}

// DefaultPeriods are those of the design, with the time-out of the operator's choice.
func DefaultPeriods(build time.Duration) Periods {
	return Periods{
		Build:    build,
		Created:  2 * time.Minute,
		Assembly: time.Minute,
		Linger:   2 * time.Second,
		Poll:     200 * time.Millisecond,
		Cleanup:  30 * time.Second,
	}
}

// Builder builds images on one engine.
type Builder struct {
	Engine  Engine
	Log     hclog.Logger
	Stderr  io.Writer // takes whole lines
	Prefix  string    // of all names, builder.prefix
	Version string    // of this program, for labels
	Periods Periods
	Limits  Limits
	Pulls   baseimage.Pulls
}

// New returns a builder that works as the operator's settings say, for build and for a run that has lost its image.
func New(engine Engine, settings config.Settings, process cli.Process) *Builder {
	return &Builder{
		Engine:  engine,
		Log:     process.Log,
		Stderr:  process.Stderr,
		Prefix:  settings.Builder.Prefix,
		Version: cli.Release(),
		Periods: DefaultPeriods(settings.Builder.BuildTimeout),
		Pulls:   baseimage.PullsOf(settings, process.Environ),
		Limits:  LimitsOf(settings),
	}
}

// images are the base images of the engine.
func (b *Builder) images() baseimage.Images {
	return baseimage.Images{Engine: b.Engine, Log: b.Log, Pulls: b.Pulls, Prefix: b.Prefix, Version: b.Version, Cleanup: b.Periods.Cleanup}
}

// Image is a chaincode's image.
type Image struct {
	Name       string           // PREFIX/TYPE:DIGEST
	TLSByInput bool             // a shell in it can take the TLS files from standard input, ahead of all else
	Entrypoint []string         // which comes after that shell
	User       *metadata.UIDGID // whom its processes run as; nil: not looked up, see baseimage.ResolveUser
}

// ErrTimeout is a build that took longer than builder.buildTimeout.
var ErrTimeout = errors.New("the build took too long")

// Failed is a build whose command has ended with a status other than 0. What it printed has been shown.
type Failed struct {
	Status    int
	OOMKilled bool
}

func (f *Failed) Error() string {
	if f.OOMKilled {
		return fmt.Sprintf("the build ran out of memory (exit status %d)", f.Status)
	}
	return fmt.Sprintf("the build ended with exit status %d; its output stands above", f.Status)
}

// Build makes sure that the image of a package exists. Label goes in front of every line that the build prints.
func (b *Builder) Build(ctx context.Context, plan platform.Plan, pkg *content.Package, label string) (Image, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, b.Periods.Build, ErrTimeout)
	defer cancel()
	if plan.Kind == platform.Prebuilt {
		image, err := b.prebuilt(ctx, plan)
		return image, b.explain(ctx, err)
	}
	image, err := b.build(ctx, plan, pkg, label)
	if errdefs.IsNotFound(err) && ctx.Err() == nil {
		b.Log.Warn("something was removed from the engine in the middle of the build: starting over", "error", err)
		image, err = b.build(ctx, plan, pkg, label)
	}
	return image, b.explain(ctx, err)
}

func (b *Builder) build(ctx context.Context, plan platform.Plan, pkg *content.Package, label string) (Image, error) {
	if plan.Kind == platform.Dockerfile {
		return b.dockerfile(ctx, plan, pkg, label)
	}
	job, err := b.prepare(ctx, plan, pkg, label)
	if err != nil {
		return Image{}, err
	}
	image, err := b.existing(ctx, job)
	if !errdefs.IsNotFound(err) {
		if err == nil {
			b.Log.Info("the image is there already", "image", job.image)
		}
		return image, err
	}
	made, err := b.onSnapshot(ctx, job)
	if err == nil && !made {
		err = b.produce(ctx, job)
	}
	if err != nil {
		return Image{}, err
	}
	return b.existing(ctx, job)
}

// explain puts the reason of an ended context in place of "context canceled".
func (b *Builder) explain(ctx context.Context, err error) error {
	if deadline, ok := ctx.Deadline(); err != nil && ok && !time.Now().Before(deadline) {
		<-ctx.Done() // a connection that is being made looks at a clock of its own, which may be the first to tell
	}
	switch cause := context.Cause(ctx); {
	case err == nil || cause == nil:
		return err
	case errors.Is(cause, ErrTimeout):
		return fmt.Errorf("%w: more than %v, see builder.buildTimeout", ErrTimeout, b.Periods.Build)
	default:
		return fmt.Errorf("building the image: %w", cause)
	}
}

// job is one build of one content.
type job struct {
	plan    platform.Plan
	pkg     *content.Package // what is uploaded
	label   string
	builder docker.Image
	runtime docker.Image
	digest  string
	image   string // name of the image to make
	lock    string // name of the build container
	kind    string // of the image
	warm    bool   // it fills caches alone, and makes no image
	script  string // of a snapshot: SHA-256 of the builder image's script, or baseimage.NoScript
	skew    time.Duration
}

// existing is the image if it is there; its error IsNotFound if not.
func (b *Builder) existing(ctx context.Context, j *job) (Image, error) {
	found, err := b.Engine.Image(ctx, j.image)
	if err != nil {
		return Image{}, err
	}
	image := Image{Name: j.image}
	if found.Labels[labelTLSByInput] == "true" {
		image.TLSByInput, image.Entrypoint = true, found.Entrypoint
	}
	if user, ok := found.Labels[labelUser]; ok {
		owner, err := baseimage.ParseUIDGID(user)
		if err != nil {
			return Image{}, fmt.Errorf("reading label %s of image %q: %w", labelUser, j.image, err)
		}
		image.User = &owner
	}
	return image, nil
}

// maxTurns is how often a builder tries to become holder or waiter before it gives up.
const maxTurns = 3

// startOver says that a turn has settled nothing: neither container nor image was there any more.
type startOver struct{ reason error }

func (s startOver) Error() string { return s.reason.Error() }
func (s startOver) Unwrap() error { return s.reason }

// produce makes the image, or watches somebody make it.
func (b *Builder) produce(ctx context.Context, j *job) error {
	var again startOver
	for range maxTurns {
		err := b.turn(ctx, j)
		if !errors.As(err, &again) || ctx.Err() != nil {
			return err
		}
		b.Log.Info("starting over", "reason", again.reason)
		if _, err := b.existing(ctx, j); err == nil {
			return nil
		}
	}
	return fmt.Errorf("giving up after %d turns: %w", maxTurns, again.reason)
}

// turn tries to become the holder, else follows whoever is.
func (b *Builder) turn(ctx context.Context, j *job) error {
	id, holder, err := b.claim(ctx, j)
	switch {
	case err != nil:
		return err
	case holder != nil:
		return b.follow(ctx, j, *holder)
	}
	return b.hold(ctx, j, id)
}
