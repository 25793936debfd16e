// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"context"
	"errors"
	"time"

	"fabric-builder-docker/internal/figures"
	"fabric-builder-docker/internal/metadata"
)

// Result returns how a build has ended, for [figures.Builds]. outcome is that of [Builder.Outcome], and ctx the one that a signal
// ends.
func Result(ctx context.Context, outcome string, err error) string {
	switch {
	case err == nil:
		return outcome
	case errors.Is(err, ErrTimeout):
		return figures.TimedOut
	case ctx.Err() != nil:
		return figures.Stopped
	}
	return figures.Failed
}

// Outcome returns what the last build has come to, if it has succeeded: [figures.Built], [figures.Reused] or [figures.Shared].
func (b *Builder) Outcome() string { return b.outcome }

// noteShared notes that another builder has made the image of a package. Its dependencies do not count.
func (b *Builder) noteShared(j *job) {
	if j.kind == metadata.KindChaincode {
		b.outcome = figures.Shared
	}
}

// countPull counts a pull.
func (b *Builder) countPull(err error) {
	result := figures.Pulled
	if err != nil {
		result = figures.NotPulled
	} else if b.outcome == figures.Reused { // the image that a package names
		b.outcome = figures.Built
	}
	b.Figures.Add(figures.Pulls, 1, result)
}

// countBuild counts what the last build has spent its time on, and whether it has run out of memory.
func (b *Builder) countBuild(err error) {
	b.phases.each(func(key string, spent time.Duration) { b.Figures.Add(figures.BuildSeconds, spent.Seconds(), key) })
	if failed := (*Failed)(nil); errors.As(err, &failed) && failed.OOMKilled {
		b.Figures.Add(figures.OOMKills, 1, figures.Build)
	}
}
