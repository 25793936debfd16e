// SPDX-License-Identifier: Apache-2.0

package imagebuild_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/imagebuild"
	"fabric-builder-docker/internal/platform"
	"fabric-builder-docker/test/fakeengine"
)

var given = platform.Given{
	Secrets:   []platform.Secret{{Place: "~/.netrc", Content: []byte("s3cret")}},
	Variables: []string{"TOKEN=s3cret"},
	CABundle:  []byte("certificates"),
}

func (b *builder) buildGiven(t *testing.T, given platform.Given) (imagebuild.Image, error) {
	t.Helper()
	withGiven := plan
	withGiven.Given = given
	return b.Build(t.Context(), withGiven, newPackage(t), "basic_1.0")
}

// The secrets reach the build's process and nothing that the engine keeps.
func TestSecretsReachTheBuildAlone(t *testing.T) {
	engine := newEngine(t)
	var input, bundle string
	engine.SetProgram(func(p *fakeengine.Process) int {
		read, _ := io.ReadAll(io.LimitReader(p.Stdin, int64(len(given.Input()))))
		input, bundle = string(read), p.Files.Read(platform.CABundleFile)
		return compile(p)
	})
	b := newBuilder(t, engine)
	_, err := b.buildGiven(t, given)
	require.NoError(t, err)
	assert.Equal(t, string(given.Input()), input)
	assert.Equal(t, "certificates", bundle)
	for _, call := range engine.Calls() {
		assert.NotContains(t, string(call.Body), "s3cret", call.Route)
		assert.NotContains(t, string(call.Body), strings.Fields(string(given.Input()))[0], call.Route)
	}
	assert.NotContains(t, b.output.String(), "s3cret")
	var body struct {
		OpenStdin, StdinOnce bool
		HostConfig           struct{ Tmpfs map[string]string }
	}
	require.NoError(t, json.Unmarshal(engine.Calls(fakeengine.Create)[0].Body, &body))
	assert.True(t, body.OpenStdin && body.StdinOnce)
	assert.Contains(t, body.HostConfig.Tmpfs, platform.MemoryDir)
}

// Without secrets, a build has no standard input and needs no attach, which a proxy in front of the socket may refuse.
func TestABuildWithoutSecretsHasNoInput(t *testing.T) {
	for name, given := range map[string]platform.Given{"nothing": {}, "certificates": {CABundle: []byte("x")}} {
		engine := newEngine(t)
		_, err := newBuilder(t, engine).buildGiven(t, given)
		require.NoError(t, err, name)
		assert.Empty(t, engine.Calls(fakeengine.Attach), name)
	}
}

func TestABuildWhoseSecretsCannotBeSent(t *testing.T) {
	engine := newEngine(t)
	engine.On(fakeengine.Attach, fakeengine.Fail(http.StatusForbidden, "not here"))
	_, err := newBuilder(t, engine).buildGiven(t, given)
	assert.ErrorContains(t, err, "attaching to container ")
	assert.ErrorContains(t, err, "not here")
	assert.Empty(t, engine.Calls(fakeengine.Start), "it would wait for its secrets for ever")
	assert.Empty(t, engine.Containers())
}

// A container that an operator prunes between two calls is made again, and gets the secrets again.
func TestABuildThatIsPrunedGetsItsSecretsAgain(t *testing.T) {
	engine := newEngine(t)
	received := ""
	engine.SetProgram(func(p *fakeengine.Process) int {
		read, _ := io.ReadAll(io.LimitReader(p.Stdin, int64(len(given.Input()))))
		received = string(read)
		return compile(p)
	})
	engine.On(fakeengine.Start, fakeengine.Once(fakeengine.Before(engine.Prune)))
	_, err := newBuilder(t, engine).buildGiven(t, given)
	require.NoError(t, err)
	assert.Equal(t, string(given.Input()), received)
	assert.Len(t, engine.Calls(fakeengine.Attach), 2)
}

// One peer's expired password must not fail the build of another, whose credentials are right. They share an image all the same.
func TestAFailureOfABuilderThatWasGivenSomethingElseDoesNotCount(t *testing.T) {
	for name, test := range map[string]struct {
		way    string // of the follower
		builds int
		fails  bool
	}{"the same": {"expired", 1, true}, "something else": {"right", 2, false}} {
		t.Run(name, func(t *testing.T) {
			engine := newEngine(t)
			var builds atomic.Int64
			engine.SetProgram(func(p *fakeengine.Process) int {
				if builds.Add(1) > 1 {
					return compile(p)
				}
				engine.AwaitStreams(t, fakeengine.Logs, 1)
				engine.AwaitStreams(t, fakeengine.Wait, 2)
				return fails(1)(p)
			})
			leader, follower := newBuilder(t, engine), newBuilder(t, engine)
			led := make(chan error, 1)
			go func() {
				_, err := leader.buildGiven(t, platform.Given{Way: "expired"})
				led <- err
			}()
			engine.Await(t, fakeengine.Start, 1)
			_, err := follower.buildGiven(t, platform.Given{Way: test.way})
			assert.Error(t, <-led)
			assert.Equal(t, test.fails, err != nil, follower.output.String())
			assert.EqualValues(t, test.builds, builds.Load())
		})
	}
}
