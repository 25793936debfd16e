// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"fabric-builder-docker/internal/config"
	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/platform"
)

// rootCapabilities lists what a package manager that runs as root needs to manage its own files. None of it has an effect
// outside the container.
var rootCapabilities = []string{"CHOWN", "DAC_OVERRIDE", "FOWNER"}

// capabilities returns the capabilities of a build container. Docker gives them to root alone, podman to any user.
func capabilities(builder docker.Image) []string {
	user, _, _ := strings.Cut(builder.User, ":")
	if user == "" || user == "0" || user == "root" {
		return rootCapabilities
	}
	return nil
}

// createBuildContainer creates a build container and returns its ID. If another builder has created it already, it returns
// that builder's container.
func (b *Builder) createBuildContainer(ctx context.Context, j *job) (id string, other *docker.Container, err error) {
	spec := docker.Spec{
		Name:        j.name,
		Image:       j.builder.ID, // the name may mean another image by now, and the digest is about this one
		Command:     endAfter(b.Periods.Build, j.plan.Given.Wrap(j.plan.Command)),
		Environment: config.Environment(j.plan.Tuning).With(j.plan.Environment...),
		Labels:      b.labels(j),
		OwnLabel:    metadata.LabelCreate,
		NetworkMode: b.networkMode(j.plan),
		Init:        !b.Limits.NoInit,
		LogOptions:  logOptions,
		Security:    docker.Security{Capabilities: capabilities(j.builder)},
		Resources:   docker.Resources{Memory: b.Limits.Memory, CPUs: b.Limits.CPUs, Pids: b.Limits.Pids},
	}
	if !j.plan.Given.IsZero() {
		spec.Input = len(j.plan.Given.Input()) > 0
		spec.Tmpfs = []docker.Tmpfs{{Path: platform.MemoryDir, Size: "16m"}}
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

func (b *Builder) labels(j *job) map[string]string {
	labels := map[string]string{
		metadata.LabelKind:    metadata.KindBuild,
		metadata.LabelVersion: b.Version,
		metadata.LabelDigest:  j.digest,
		metadata.LabelCreate:  metadata.RandomID(),
		metadata.LabelTimeout: strconv.FormatInt(int64(b.Periods.Build/time.Second), 10),
	}
	if way := j.plan.Given.Way; way != "" {
		labels[metadata.LabelWay] = way
	}
	return labels
}

// endAfter returns a command that is killed at the build's time-out, which ends its container: if the leader has died, nobody
// else does that until another build begins. It needs an init, as process 1 cannot be killed from inside, and code that
// fights it wins.
func endAfter(limit time.Duration, command []string) []string {
	const script = `( (sleep "$0"; kill -9 $$) </dev/null >/dev/null 2>&1 & ); exec "$@"` // $$ stays that of the outer shell
	seconds := strconv.FormatInt(int64(limit/time.Second), 10)
	return append([]string{"/bin/sh", "-c", script, seconds}, command...)
}

// buildAsLeader builds in a container that is a lock, and always removes it, unless the package needs C:
// [Builder.buildPackage] removes it then. If another container's build has succeeded already, it takes the output of that.
func (b *Builder) buildAsLeader(ctx context.Context, j *job, id, built string) (err error) {
	defer func() {
		if j.needsC(err) {
			j.phase1 = id
			return
		}
		if j.resolves && err == nil {
			b.discardBeside(ctx, id)
			return
		}
		b.discard(ctx, id)
	}()
	if exists, err := b.exists(ctx, j); err != nil || exists { // an earlier leader has made it since the last check
		b.noteShared(j)
		return err
	}
	j.leads = time.Now()
	if built != "" {
		err := b.borrowOutput(ctx, j, built)
		if err == nil || !errors.Is(err, errNotBorrowed) {
			return err
		}
		b.Log.Warn("building again", "image", j.image, "reason", err)
	}
	b.Log.Info(j.task().begins, j.about("type", j.plan.Type, "builder_image", j.plan.Builder.Name)...)
	if err := b.run(ctx, j, id); err != nil || j.warm {
		return err
	}
	return b.assembleOutput(ctx, j, id)
}

// run runs the build and shows its output.
func (b *Builder) run(ctx context.Context, j *job, id string) error {
	defer b.phases.enter(building)()
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
	detach, err := b.sendSecrets(ctx, id, j.plan.Given)
	if err != nil {
		return err
	}
	defer detach()
	if err := b.Engine.Start(ctx, id); err != nil {
		return err
	}
	if !j.warm {
		go j.lookup.get() // takes a moment for a new base image; an error comes again when the image is made
	}
	ended, shown := make(chan struct{}), make(chan error, 1)
	go func() { shown <- b.newLogReader(j, id, &docker.LogPosition{}).poll(ctx, ended) }()
	code, err := b.awaitExit(ctx, id, exits)
	close(ended)
	// Also after a signal or the time-out: poll ends soon then.
	if drainErr := b.drain(context.WithoutCancel(ctx), shown); drainErr != nil && ctx.Err() == nil {
		b.Log.Warn("the build's output is incomplete", "container_id", id, "error", drainErr)
	}
	if err != nil {
		return err
	}
	return b.exitResult(ctx, id, code)
}

// sendSecrets writes the secrets to the standard input of a container that is not started. The caller must call detach when the build
// has ended: the input closes with the connection.
func (b *Builder) sendSecrets(ctx context.Context, id string, given platform.Given) (detach func(), err error) {
	input := given.Input()
	if len(input) == 0 {
		return func() {}, nil
	}
	output, err := b.Engine.Attach(ctx, id, input)
	if err != nil {
		return nil, err
	}
	go func() { _ = output.Copy(io.Discard, io.Discard) }() // the output is read from the log; the engine keeps what nobody reads
	return output.Close, nil
}

// maxReconnects limits how often in succession the connection to the engine may be lost during a build. One that was held for
// Periods.Reconnect begins the count again: a proxy may cut each that is silent for a minute.
const maxReconnects = 10

// awaitExit returns the exit status of a build container. If the connection to the engine is lost, it waits for the engine to
// come back: with live restore, the build goes on meanwhile.
func (b *Builder) awaitExit(ctx context.Context, id string, exits <-chan docker.Exit) (int, error) {
	for lost := 0; ; lost++ {
		var exit docker.Exit
		began := time.Now()
		select {
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		case exit = <-exits:
		}
		if exit.Err == nil {
			return exit.Code, nil
		}
		if time.Since(began) > b.Periods.Reconnect {
			lost = 0
		}
		if lost == maxReconnects || ctx.Err() != nil || errors.Is(exit.Err, docker.ErrNoContainer) {
			return 0, exit.Err
		}
		b.Log.Warn("lost the connection to the build's container: reconnecting", "container_id", id, "error", exit.Err)
		var err error
		if exits, err = b.waitAgain(ctx, id); err != nil {
			return 0, err
		}
	}
}

// waitAgain waits for a container again, once the engine answers.
func (b *Builder) waitAgain(ctx context.Context, id string) (<-chan docker.Exit, error) {
	for began := time.Now(); ; {
		exits, err := b.Engine.WaitEnded(ctx, id)
		if err == nil || errors.Is(err, docker.ErrNoContainer) || time.Since(began) > b.Periods.Reconnect {
			return exits, err
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(b.Periods.Poll):
		}
	}
}

// exitResult returns the result of a build that has ended. A build succeeded only if its container still exists and has
// exited, because a wait also reports 0 for a container that was removed.
func (b *Builder) exitResult(ctx context.Context, id string, code int) error {
	container, err := b.awaitExited(ctx, id)
	failed := &Failed{Status: code}
	if err == nil && container.Ended() {
		failed = &Failed{Status: container.ExitCode, OOMKilled: container.OOMKilled}
	}
	switch {
	case failed.Status != 0 && (err == nil || failed.isOwn()):
		return failed
	case err != nil:
		return err
	case !container.Ended():
		return fmt.Errorf("the build ended but its container is %s", container.Status)
	}
	return nil
}

// stopped is the status of a container on podman between its end and the moment at which its files can be read again.
const stopped = "stopped"

// awaitExited inspects a container that has ended, and waits while it is in podman's state in between.
func (b *Builder) awaitExited(ctx context.Context, id string) (docker.Container, error) {
	for late := time.After(drainTime); ; {
		container, err := b.Engine.Inspect(ctx, id)
		if err != nil || container.Status != stopped {
			return container, err
		}
		select {
		case <-ctx.Done():
			return docker.Container{}, context.Cause(ctx)
		case <-late:
			return container, nil
		case <-time.After(b.Periods.Poll):
		}
	}
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

// discard removes a container within Periods.Cleanup, even if ctx has ended, and tries again if the engine does not answer.
// If that fails it only logs a warning: the build does not depend on it, a slow engine may still complete the removal, and
// otherwise a later build removes the container.
func (b *Builder) discard(ctx context.Context, id string) { b.images().Discard(ctx, id) }

// discardBeside removes a container while the build goes on: with all that a JVM has written, this takes an engine a third of a
// second. [Builder.insist] waits for it.
func (b *Builder) discardBeside(ctx context.Context, id string) {
	b.discards.Go(func() { b.discard(ctx, id) })
}
