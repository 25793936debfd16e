// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"fabric-builder-docker/internal/baseimage"
	"fabric-builder-docker/internal/content"
	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/metadata"
)

// labelScript is the label of a snapshot that records the SHA-256 of the build script that made it, or [baseimage.NoScript].
const labelScript = "fabric-builder-docker.build-script"

// unknownScript is the error for a build script that may do more than install dependencies.
type unknownScript struct{ path, sum string }

func (u unknownScript) Error() string {
	return fmt.Sprintf("%s of the builder image (SHA-256 %s) may do more than install dependencies, see builder.node.knownScripts", u.path, u.sum)
}

// onSnapshot makes the image from the snapshot of the package's dependencies, and makes the snapshot first if it does not
// exist. It returns false if dependencies and code must be built together.
func (b *Builder) onSnapshot(ctx context.Context, j *job) (made bool, err error) {
	if j.plan.Snapshot == nil {
		if j.plan.NoSnapshotReason != "" {
			b.Log.Info("installing the dependencies together with the code", "reason", j.plan.NoSnapshotReason)
		}
		return false, nil
	}
	s := b.snapshotJob(j)
	if b.anew {
		s.makeAnew(b.Prefix)
		j.below = s
	}
	snapshot, err := b.ensureSnapshot(ctx, s)
	if reason := s.noSnapshot(err); reason != nil {
		b.Log.Info("installing the dependencies together with the code", "reason", reason)
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if s.resolves {
		return true, b.buildInSnapshot(ctx, j, s, snapshot)
	}
	b.Log.Info("adding the code to its dependencies", "type", j.plan.Type, "image", j.image, "snapshot", s.image)
	j.snapshot = s.finalName()
	lookup := b.newLookup(ctx, snapshot, j.plan.Target)
	defer lookup.close()
	return true, b.assemble(ctx, j, addition{
		below:  snapshot,
		lookup: lookup,
		write:  j.packCode,
	})
}

// noSnapshot returns the reason why a package is built without a snapshot, if err is one. Downloads are not needed: where their
// own container has failed or they are too much for an image, the build that has the code decides.
func (j *job) noSnapshot(err error) error {
	var unknown unknownScript
	var failed *Failed
	switch {
	case errors.As(err, &unknown):
		return unknown
	case !j.resolves:
		return nil
	case errors.As(err, &failed), isTooMuch(err), errors.Is(err, errDownloads), errors.Is(err, docker.ErrNoPath):
		return err
	}
	return nil
}

// snapshotJob returns the job that installs a package's dependencies: the same plan with fewer files. A snapshot is not a
// chaincode image, so it does not depend on the Fabric version.
func (b *Builder) snapshotJob(j *job) *job {
	s := *j
	s.kind = metadata.KindSnapshot
	s.plan.Type += "-snapshot"
	s.plan.FabricVersion = ""
	// Only builds with the same environment share a snapshot: it may contain private dependencies, and any package built
	// on it can read them.
	s.plan.DigestInputs = slices.Concat(j.plan.DigestInputs, j.plan.Snapshot.Environment)
	s.pkg = j.snapshotFiles()
	if s.resolves = j.plan.Snapshot.Command != nil; s.resolves {
		s.plan.Command, s.plan.Target = j.plan.Snapshot.Command, "/"
	}
	s.setDigest(b.Prefix, contentDigest(s.plan, s.pkg, s.builder, s.runtime))
	return &s
}

// snapshotFiles returns the part of a package that its snapshot is made from.
func (j *job) snapshotFiles() *content.Package {
	from := j.plan.Snapshot
	names := map[string]bool{}
	for _, name := range from.Files {
		names[name] = true
	}
	pkg := j.pkg.Only(func(f content.File) bool { return names[f.Path] })
	if from.Command == nil { // npm reads these files, and executes none
		for i := range pkg.Files {
			pkg.Files[i].Executable = false
		}
	}
	for _, placeholder := range from.Placeholders {
		pkg = pkg.With(placeholder.Path, placeholder.Text)
	}
	return pkg
}

// ensureSnapshot returns the image with a package's dependencies, and makes it if it does not exist. Its error is an
// unknownScript if the script that would make the image, or that made an existing one, is not known.
func (b *Builder) ensureSnapshot(ctx context.Context, s *job) (docker.Image, error) {
	found, err := b.Engine.Image(ctx, s.image)
	if err == nil && !s.resolves {
		return found, s.checkScript(found.Labels[labelScript])
	}
	if !errors.Is(err, docker.ErrNoImage) {
		return found, err
	}
	if s.resolves {
		return b.resolve(ctx, s)
	}
	if s.script, err = b.images().ScriptSum(ctx, s.builder.ID, s.plan.Snapshot.Script); err != nil {
		return docker.Image{}, err
	}
	if err := s.checkScript(s.script); err != nil {
		return docker.Image{}, err
	}
	if err := b.makeImage(ctx, s); err != nil {
		return docker.Image{}, err
	}
	return b.Engine.Image(ctx, s.image)
}

func (j *job) checkScript(sum string) error {
	if sum != baseimage.NoScript && !slices.Contains(j.plan.Snapshot.Known, sum) {
		return unknownScript{j.plan.Snapshot.Script, sum}
	}
	return nil
}
