package imagebuild

import (
	"context"
	"errors"
	"fmt"
	"time"

	"fabric-builder-docker/internal/config"
	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/loglines"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/platform"
)

// buildCapabilities lists what a package manager that runs as root needs to manage its own files. None of it has an effect
// outside the container.
var buildCapabilities = []string{"CHOWN", "DAC_OVERRIDE", "FOWNER"}

// createBuildContainer creates the build container and returns its ID. If another builder has created it already, it returns
// that builder's container.
func (b *Builder) createBuildContainer(ctx context.Context, j *job) (id string, other *docker.Container, err error) {
	spec := docker.Spec{
		Name:        j.lock,
		Image:       j.builder.ID, // the name may mean another image by now, and the digest is about this one
		Command:     j.plan.Command,
		Environment: config.Environment(j.plan.Tuning).With(j.plan.Environment...),
		Labels:      b.labels(j, metadata.KindBuild),
		NetworkMode: b.networkMode(j.plan),
		Init:        !b.Limits.NoInit,
		LogOptions:  logOptions,
		Security:    docker.Security{Capabilities: buildCapabilities},
		Resources:   docker.Resources{Memory: b.Limits.Memory, CPUs: b.Limits.CPUs, Pids: b.Limits.Pids},
	}
	if spec.Volumes, err = b.volumes(ctx, j); err != nil {
		return "", nil, err
	}
	if !j.plan.RunsNoCode || b.Limits.HostNetwork == nil || !b.Limits.HostNetwork(ctx) {
		return b.Engine.CreateOrInspect(ctx, spec)
	}
	spec.NetworkMode = hostNetwork
	id, other, err = b.Engine.CreateOrInspect(ctx, spec)
	if err != nil && !errors.Is(err, docker.ErrNoImage) && ctx.Err() == nil { // engines that use user namespaces refuse it
		b.Log.Debug("the engine refuses the host's network for the build: using its default network", "reason", err)
		spec.NetworkMode = ""
		return b.Engine.CreateOrInspect(ctx, spec)
	}
	return id, other, err
}

func (b *Builder) networkMode(plan platform.Plan) string {
	if plan.NoNetwork {
		return noNetwork
	}
	return b.Limits.Network
}

func (b *Builder) labels(j *job, kind string) map[string]string {
	return map[string]string{
		metadata.LabelKind:    kind,
		metadata.LabelVersion: b.Version,
		metadata.LabelDigest:  j.digest,
	}
}

// buildAsLeader builds in the container that is the lock, and always removes it, unless the package needs C:
// [Builder.buildPackage] removes it then.
func (b *Builder) buildAsLeader(ctx context.Context, j *job, id string) (err error) {
	defer func() {
		if j.needsC(err) {
			j.phase1 = id
			return
		}
		b.discard(ctx, id)
	}()
	if exists, err := b.exists(ctx, j); err != nil || exists { // an earlier leader has made it since the last check
		return err
	}
	if j.warm {
		b.Log.Info("filling the cache", "type", j.plan.Type, "builder_image", j.plan.Builder.Name)
	} else {
		b.Log.Info("building", "type", j.plan.Type, "image", j.image, "builder_image", j.plan.Builder.Name)
	}
	if !j.warm {
		go j.lookup.get() // takes a moment for a new base image; an error comes again when the image is made
	}
	err = b.run(ctx, j, id)
	if err == nil && !j.warm {
		return b.assembleOutput(ctx, j, id)
	}
	var failed *Failed
	if errors.As(err, &failed) && !j.needsC(err) {
		b.keepForFollowers(ctx)
	}
	return err
}

// run runs the build and shows its output.
func (b *Builder) run(ctx context.Context, j *job, id string) error {
	output, err := b.Engine.Attach(ctx, id, nil)
	if err != nil {
		return err
	}
	defer output.Close()
	exits, err := b.Engine.Wait(ctx, id)
	if err != nil {
		return err
	}
	if err := b.upload(ctx, id, j.pack); err != nil {
		return err
	}
	discard, err := b.uploadModules(ctx, j, id)
	if err != nil {
		return err
	}
	defer discard()
	if err := b.Engine.Start(ctx, id); err != nil {
		return err
	}
	shown := b.show(output, j)
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case exit := <-exits:
		if exit.Err != nil {
			return exit.Err
		}
		if err := b.drain(ctx, shown); err != nil {
			if ctx.Err() != nil {
				return err
			}
			b.Log.Warn("the build's output is incomplete", "container_id", id, "error", err)
		}
		return b.exitResult(ctx, id, exit.Code)
	}
}

// exitResult returns the result of a build that has ended. A build succeeded only if its container still exists and has
// exited, because a wait also reports 0 for a container that was removed.
func (b *Builder) exitResult(ctx context.Context, id string, code int) error {
	container, err := b.Engine.Inspect(ctx, id)
	switch {
	case err != nil && code != 0:
		return &Failed{Status: code}
	case err != nil:
		return err
	case container.ExitCode != 0:
		return &Failed{container.ExitCode, container.OOMKilled}
	case !container.Ended():
		return fmt.Errorf("the build ended but its container is %s", container.Status)
	}
	return nil
}

// show copies the output of a build to stderr, with the package's label on each line. When all output has been copied, it
// sends the error of the copy to the channel and closes it.
func (b *Builder) show(output *docker.Output, j *job) <-chan error {
	done := make(chan error, 1)
	go func() {
		defer close(done)
		stdout, stderr := loglines.NewWriter(b.Stderr, j.linePrefix()), loglines.NewWriter(b.Stderr, j.linePrefix())
		err := output.Copy(stdout, stderr)
		done <- errors.Join(err, stdout.Close(), stderr.Close())
	}()
	return done
}

// drainTime limits how long the last output of a container may take to arrive after its exit.
const drainTime = 10 * time.Second

// drain waits until all output has been shown.
func (b *Builder) drain(ctx context.Context, shown <-chan error) error {
	select {
	case err := <-shown:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(drainTime):
		return fmt.Errorf("the build's output did not end within %v of the build", drainTime)
	}
}

// keepForFollowers delays the removal of a failed build container, so that followers can read its output and exit status.
func (b *Builder) keepForFollowers(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(b.Periods.Linger):
	}
}

// discard removes a container within Periods.Cleanup, even if ctx has ended. If that fails it only logs a warning, because
// the build does not depend on it, and a slow engine may still complete the removal.
func (b *Builder) discard(ctx context.Context, id string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), b.Periods.Cleanup)
	defer cancel()
	if err := b.Engine.Remove(ctx, id); err != nil {
		b.Log.Warn("a container of this build may be left on the engine", "container_id", id, "error", err)
	}
}
