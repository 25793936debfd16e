// SPDX-License-Identifier: Apache-2.0

// Package imagebuild turns a package and its plan into an image, once for all builders of the same content on an engine.
//
// An image is named by its content, so builders on one host or many share it. If several want the same content at the same
// time, one of them, the leader, builds it, and the others follow. The name of the build container includes the digest and
// is the lock: whoever creates the container is the leader.
//
//	newJob    pulls missing base images and computes the digest; if the image exists, nothing else happens
//	leader    creates, fills and starts the build container, and shows its output
//	follower  shows the output of the leader's container, and takes over its result
//	assemble  loads the output as one layer on the runtime image; engines that load no such image commit a container instead
//	sweep     removes build containers whose builder's time is over
//
// Nobody can tell a leader that has died from one that is slow. So nobody removes a build container before its leader's
// time-out, which stands in a label. A follower that has waited too long for a container that should have gone on becomes
// the leader of another attempt beside it, whose container's name ends in -2, -3 and so on.
//
// If dependencies can be installed ahead of the code, they become an image first, the snapshot. For node, only the code is
// added to it then: no build container, one load or commit (snapshot.go). For java, the code is built in a container of the
// snapshot (downloads.go).
//
// Nothing here assumes that a container or an image still exists, because operators prune.
package imagebuild

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"fabric-builder-docker/internal/baseimage"
	"fabric-builder-docker/internal/buildlog"
	"fabric-builder-docker/internal/config"
	"fabric-builder-docker/internal/content"
	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/figures"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/platform"
)

// Engine lists the calls of a container engine that this package needs.
type Engine interface {
	baseimage.Engine
	Inspect(ctx context.Context, id string) (docker.Container, error)
	Lookup(ctx context.Context, id string) (docker.Container, error)
	List(ctx context.Context, labels map[string]string) ([]docker.Container, error)
	Clock(ctx context.Context) (time.Time, error)
	Describe(ctx context.Context) (docker.Description, error)
	Build(ctx context.Context, build docker.Build, output io.Writer) error
	FollowLog(ctx context.Context, id string, position *docker.LogPosition) (*docker.Output, error)
	ReadLog(ctx context.Context, id string, position *docker.LogPosition, deliver func(docker.LogPiece) error) (complete bool, err error)
	Wait(ctx context.Context, id string) (<-chan docker.Exit, error)
	WaitEnded(ctx context.Context, id string) (<-chan docker.Exit, error)
	Attach(ctx context.Context, id string, input []byte) (*docker.Output, error)
	Start(ctx context.Context, id string) error
	Upload(ctx context.Context, id, dir string, archive io.Reader) error
	Commit(ctx context.Context, id, ref string, changes []string) error
	Load(ctx context.Context, archive io.Reader) error
	Blob(ctx context.Context, digest string, size int64) ([]byte, error)
	Export(ctx context.Context, image string) (io.ReadCloser, error)
	RemoveUnnamed(ctx context.Context, id string) error
	ImageNames(ctx context.Context, pattern string) ([]string, error)
	EnsureVolume(ctx context.Context, name string, labels map[string]string) error
}

// Periods holds the time limits of a builder. See [DefaultPeriods].
type Periods struct {
	Build     time.Duration // limit of one build, including the time spent following
	Created   time.Duration // patience with a build container that is not started: an upload may be under way
	Ended     time.Duration // patience with a build container that has ended and left no image
	Inspect   time.Duration // limit for an inspect of another builder's container
	Poll      time.Duration // the longest pause between two polls of another builder's work
	Output    time.Duration // pause between two reads of the build's output
	Silence   time.Duration // without a written line, after which a build says what it is doing; 0: never
	Redraw    time.Duration // between two updates of the status line
	Reconnect time.Duration // how long the engine may be away during a build
	Blobs     time.Duration // limit for reading what the engine's store says of a base image
	Learn     time.Duration // a build waits so long to find out how the engine loads images, once it has committed one
	Cleanup   time.Duration // limit for removing what was created, also after a signal
}

// DefaultPeriods returns the standard periods with the given build timeout.
func DefaultPeriods(build time.Duration) Periods {
	return Periods{
		Build:     build,
		Created:   time.Minute,
		Ended:     5 * time.Second,
		Inspect:   2 * time.Second,
		Poll:      200 * time.Millisecond,
		Output:    100 * time.Millisecond,
		Silence:   20 * time.Second,
		Redraw:    200 * time.Millisecond,
		Reconnect: 30 * time.Second,
		Blobs:     5 * time.Second,
		Learn:     3 * time.Second,
		Cleanup:   30 * time.Second,
	}
}

// Builder builds images on one engine.
type Builder struct {
	Engine  Engine
	Log     hclog.Logger
	Stderr  io.Writer // for whole lines only
	Prefix  string    // of all names, builder.prefix
	Version string    // of this program, for labels
	Periods Periods
	Limits  Limits
	Pulls   baseimage.Pulls
	Scratch string // directory for the new layer of an image; empty: the system's for temporary files

	Dockerfiles config.Dockerfiles

	LastWrite func() time.Time  // when the program last wrote a line to its stderr; nil: not known
	Figures   *figures.Figures  // what Build counts; nil: nothing
	Status    func(text string) // shows on a terminal what the build is doing; nil: there is none

	printed *buildlog.Log // nil before Build
	phases  *phases       // nil before Build

	outcome string // of the last build, if it has succeeded: see [figures.Builds]

	anew     bool                      // images are made although they exist, see [Builder.Anew]
	discards sync.WaitGroup            // see [Builder.discardBeside]
	ended    atomic.Pointer[time.Time] // when the context of the build ended, by a signal or its time-out
}

// Program holds what a Builder needs from the program that it runs in.
type Program struct {
	Log     hclog.Logger
	Stderr  io.Writer // for whole lines only
	Environ []string
	Version string
	Scratch string // see [Builder]

	LastWrite func() time.Time  // see [Builder]
	Figures   *figures.Figures  // see [Builder]
	Status    func(text string) // see [Builder]
}

// New returns a Builder with the operator's settings.
func New(engine Engine, settings config.Settings, program Program) *Builder {
	return &Builder{
		Engine:  engine,
		Log:     program.Log,
		Stderr:  program.Stderr,
		Prefix:  settings.Builder.Prefix,
		Version: program.Version,
		Periods: DefaultPeriods(settings.Builder.BuildTimeout),
		Pulls:   baseimage.PullsOf(settings, program.Environ),
		Limits:  LimitsOf(settings),
		Scratch: program.Scratch,

		Dockerfiles: settings.Builder.Dockerfile,
		LastWrite:   program.LastWrite,
		Figures:     program.Figures,
		Status:      program.Status,
	}
}

// images returns access to the base images of the engine.
func (b *Builder) images() baseimage.Images {
	return baseimage.Images{Engine: b.Engine, Log: b.Log, Pulls: b.Pulls, Prefix: b.Prefix, Cleanup: b.cleanupLeft,
		Pulling: func() func() { return b.phases.enter(pulling) }, Pulled: b.countPull,
		Progress: b.phases.notePull}
}

// noteEnd records when ctx ends, until stop is called.
func (b *Builder) noteEnd(ctx context.Context) (stop func() bool) {
	return context.AfterFunc(ctx, func() {
		now := time.Now()
		b.ended.Store(&now)
	})
}

// minCleanup is enough to send a request. An engine completes a removal even if its client has gone.
const minCleanup = 200 * time.Millisecond

// cleanupLeft returns how much of Periods.Cleanup is left. After a signal, all removals together have that time: whoever has
// sent it will not wait longer.
func (b *Builder) cleanupLeft() time.Duration {
	if ended := b.ended.Load(); ended != nil {
		return max(b.Periods.Cleanup-time.Since(*ended), minCleanup)
	}
	return b.Periods.Cleanup
}

// Image is a chaincode's image.
type Image struct {
	Name       string           // PREFIX/TYPE:DIGEST
	ID         string           // of the engine; the same on engines with the same kind of store
	TLSByInput bool             // a shell in it can read the TLS files from standard input before it executes the entrypoint
	Entrypoint []string         // of the image; set only with TLSByInput
	User       *metadata.UIDGID // that the chaincode runs as; nil: not looked up, see [baseimage.ResolveUser]
}

// ErrTimeout is the error of a build that took longer than builder.buildTimeout.
var ErrTimeout = errors.New("the build took too long")

// Failed is the error of a build whose command exited with a status other than 0. Its output has been shown.
type Failed struct {
	Status    int
	OOMKilled bool
	Reason    string // the line of the output that says best why
	Hint      string // which setting may help; empty: none is known to
}

func (f *Failed) Error() string {
	if f.OOMKilled {
		return fmt.Sprintf("the build ran out of memory (exit status %d): builder.build.memory limits it, else the engine's machine does; its output is above", f.Status)
	}
	message := fmt.Sprintf("the build ended with exit status %d", f.Status)
	if f.Reason != "" {
		message += ": " + f.Reason
	}
	if message += "; its output is above"; f.Hint != "" {
		message += ". Note: " + f.Hint
	}
	return message
}

// Build makes the image of a package, unless it exists. Every line that the build prints gets the label as a prefix. The
// error is a [Failed] if the build's command failed, and wraps [ErrTimeout] if the build took too long.
func (b *Builder) Build(ctx context.Context, plan platform.Plan, pkg *content.Package, label string) (Image, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, b.Periods.Build, ErrTimeout)
	defer cancel()
	defer b.noteEnd(ctx)()
	b.beginOutput(label)
	stop := b.heartbeat(ctx, label)
	build := b.build
	switch plan.Kind {
	case platform.Prebuilt:
		build = b.prebuilt
	case platform.Dockerfile:
		build = b.dockerfile
	}
	var image Image
	err := b.insist(ctx, func() (err error) { image, err = build(ctx, plan, pkg, label); return err })
	stop()
	err = b.explain(ctx, err)
	b.endOutput(err)
	b.countBuild(err)
	return image, err
}

// maxStarts limits how often a build starts because what it needs was removed from the engine. A cron job that prunes every
// few seconds can hit a build more than once.
const maxStarts = 5

// insist builds, and starts over if what the build needs was removed from the engine meanwhile. It returns when the containers
// that were left to the background are removed, too.
func (b *Builder) insist(ctx context.Context, build func() error) error {
	defer b.discards.Wait()
	err := build()
	for n := 1; docker.IsGone(err) && ctx.Err() == nil && n < maxStarts; n++ {
		b.Log.Warn("a container or an image was removed from the engine during the build: starting over", "error", err)
		b.discards.Wait() // the name of such a container is a lock
		err = build()
	}
	return err
}

// build makes the image of a package that is built in a container, unless it exists.
func (b *Builder) build(ctx context.Context, plan platform.Plan, pkg *content.Package, label string) (Image, error) {
	b.outcome = figures.Built
	j, err := b.newJob(ctx, plan, pkg, label)
	if err != nil {
		return Image{}, err
	}
	defer j.lookup.close()
	image, found, err := b.find(ctx, j)
	if err != nil || found {
		if found {
			b.outcome = figures.Reused
			b.Log.Info("the image exists already", "image", j.image)
			b.logUnpinned(plan, "the versions of dependencies are those that the first build of this image chose")
		}
		return image, err
	}
	defer b.sweep(ctx)()
	made, err := b.onSnapshot(ctx, j)
	if err == nil && !made {
		err = b.buildPackage(ctx, j)
	}
	if err != nil {
		return Image{}, err
	}
	b.logUnpinned(plan, "the versions of dependencies were chosen by this build and stay")
	if j.made != nil {
		return *j.made, nil
	}
	image, found, err = b.find(ctx, j)
	if err == nil && !found {
		err = fmt.Errorf("image %q was removed right after another builder made it: %w", j.image, docker.ErrNoImage)
	}
	return image, err
}

// explain replaces "context canceled" with the reason why the context ended.
func (b *Builder) explain(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	switch cause := docker.Cause(ctx); {
	case cause == nil:
		return err
	case errors.Is(cause, ErrTimeout):
		return fmt.Errorf("%w: more than %v, see builder.buildTimeout", ErrTimeout, b.Periods.Build)
	default:
		return fmt.Errorf("building the image: %w", cause)
	}
}

// makeImage makes the image, or waits for another builder to make it.
func (b *Builder) makeImage(ctx context.Context, j *job) error {
	var built string // ID of a container whose build has succeeded, and whose leader has left no image
	for n := 1; ; {
		j.name = metadata.AttemptName(j.lock, n)
		id, other, err := b.createBuildContainer(ctx, j)
		if err != nil {
			return err
		}
		if other == nil {
			began := time.Now()
			err := b.buildAsLeader(ctx, j, id, built)
			b.endStep(j, err, began)
			return err
		}
		result := late // what cannot be removed, or is not a build of this content, would hold it up for ever
		if j.isBuiltIn(*other) && !other.IsGoing() {
			began := time.Now()
			if result, err = b.follow(ctx, j, n, *other); result == settled {
				if err == nil {
					b.noteShared(j)
				}
				b.endStep(j, err, began, "by", "another builder")
			}
		}
		switch result {
		case settled:
			return err
		case vanished:
			if exists, err := b.exists(ctx, j); err != nil || exists {
				b.noteShared(j)
				return err
			}
			b.Log.Info("another builder is gone and left no image: starting over", "image", j.image)
			n = 1
		case late, lateBuilt:
			b.Log.Warn("the other builder makes no progress: starting another attempt", "container_id", other.ID, "image", j.image)
			if n++; result == lateBuilt {
				built = other.ID
			}
		}
	}
}
