// SPDX-License-Identifier: Apache-2.0

package docker_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/test/fakeengine"
)

// flavours are engines that answer differently.
var flavours = map[string][]fakeengine.Option{
	"docker 20.10": {fakeengine.API("1.41", "1.12")},
	"docker 29":    {fakeengine.API("1.55", "1.40")},
	"podman":       {fakeengine.Podman()},
}

// connect starts a fake engine with the image base:1 and connects to it.
func connect(t *testing.T, options ...fakeengine.Option) (*fakeengine.Engine, *docker.Engine) {
	t.Helper()
	engine := fakeengine.New(t, options...)
	engine.AddImage(fakeengine.Image{Name: "base:1", Layers: []string{"sha256:a"}, Command: []string{"sh"}})
	client, err := docker.Connect(t.Context(), engine.Host())
	require.NoError(t, err)
	t.Cleanup(func() { client.Close() })
	return engine, client
}

// create creates a container called "one".
func create(t *testing.T, client *docker.Engine) string {
	t.Helper()
	id, holder, err := client.CreateOrInspect(t.Context(), docker.Spec{Name: "one", Image: "base:1"})
	require.NoError(t, err)
	require.Nil(t, holder)
	return id
}

// output reads both streams to their end.
func output(t *testing.T, o *docker.Output) (stdout, stderr string, err error) {
	t.Helper()
	defer o.Close()
	var out, errs bytes.Buffer
	err = o.Copy(&out, &errs)
	return out.String(), errs.String(), err
}
