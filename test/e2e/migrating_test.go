// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/test/peer"
)

// A peer has installed packages with its built-in controller: it keeps them, and no builds. This builder is new in its
// core.yaml. See docs/migrating.md.
func TestAPeerMovesFromItsBuiltInController(t *testing.T) {
	dir := t.TempDir()
	before := newPeer(t, func(o *peer.Options) { o.Dir = dir })
	golang := before.install(t, fresh(t, "golang", "kv_1.0", entries(t, filepath.Join(world.samples, "go"))...))
	node := before.install(t, fresh(t, "node", "kvnode_1.0", entries(t, filepath.Join(world.samples, "node"))...))
	for _, id := range []string{golang, node} {
		require.NoError(t, world.engine.Delete(timeout(t), "/images/"+before.record(t, id).Image+"?force=1"))
	}
	require.NoError(t, before.Close())
	require.NoError(t, os.RemoveAll(filepath.Join(dir, "externalbuilder")))
	packages, err := filepath.Glob(filepath.Join(dir, "lifecycle", "chaincodes", "*.tar.gz"))
	require.NoError(t, err)
	require.Len(t, packages, 2)

	t.Run("and its packages are built at its next start, one after another", func(t *testing.T) {
		copied := t.TempDir()
		require.NoError(t, os.CopyFS(copied, os.DirFS(dir)))
		home := builder(t, config(""))
		warm := start(t, home, "build", append([]string{"--warm"}, packages...)...)
		require.Zero(t, warm.status(t), warm.stderr)

		after := newPeer(t, withBuilder(home), func(o *peer.Options) { o.Dir = copied })
		require.NoError(t, after.LaunchAll(timeout(t)))
		assert.NotContains(t, after.said("build"), "installing the dependencies ahead", "it was warmed")
		var programs []string
		for _, line := range after.journal.Lines() {
			if strings.Contains(line.Text, "build: built: ") || strings.Contains(line.Text, "container is running") {
				programs = append(programs, line.Program)
			}
		}
		assert.Equal(t, []string{"build", "run", "build", "run"}, programs)
		for _, id := range []string{golang, node} {
			after.invoke(t, id, "put", "a", "1")
			require.NoError(t, world.engine.Delete(timeout(t), "/images/"+after.record(t, id).Image+"?force=1"))
		}
	})

	t.Run("and finds images that were made before", func(t *testing.T) {
		home := builder(t, config(""))
		made := start(t, home, "build", append([]string{"--anew"}, packages...)...)
		require.Zero(t, made.status(t), made.stderr)
		after := newPeer(t, withBuilder(home), func(o *peer.Options) { o.Dir = dir })
		require.NoError(t, after.LaunchAll(timeout(t)))
		assert.Equal(t, 2, strings.Count(after.said("build"), "the image exists already"))
		after.invoke(t, golang, "put", "a", "1")
		after.invoke(t, node, "put", "a", "1")
	})
}

// Without this builder in core.yaml, but with another one, a peer refuses what this builder has built, until the directories of
// the builds are deleted. A builder that accepts nothing stands for the one that ships with Fabric: the peer would then ask its
// built-in controller.
func TestAPeerGoesBackToItsBuiltInController(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(other, "bin"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(other, "bin", "detect"), []byte("#!/bin/sh\nexit 1\n"), 0o755))
	ours := newPeer(t, func(o *peer.Options) { o.Dir = dir })
	id := ours.install(t, sample(t, "go", "golang", "kv_1.0"))
	ours.invoke(t, id, "put", "a", "1")
	require.NoError(t, ours.Close())

	back := func() error {
		p := newPeer(t, withBuilder(other), func(o *peer.Options) { o.Dir, o.BuilderName = dir, "ccaas_builder" })
		defer p.Close()
		_, err := p.Launch(timeout(t), id)
		return err
	}
	require.ErrorContains(t, back(), "was already built with builder 'docker', but that builder is no longer available")
	require.NoError(t, os.RemoveAll(ours.Build(id).Dir))
	require.ErrorIs(t, back(), peer.ErrNotOurs)
}
