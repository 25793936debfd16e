// SPDX-License-Identifier: Apache-2.0

package imagebuild_test

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/baseimage"
	"fabric-builder-docker/internal/config"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/platform"
	"fabric-builder-docker/internal/registry"
	"fabric-builder-docker/test/fakeengine"
)

// withRecipe returns a package that has only that Dockerfile.
func withRecipe(text string) map[string]string { return map[string]string{"src/Dockerfile": text} }

// Base images are pulled as all others are: by the policy, from the mirror, before the engine looks for them.
func TestBaseImagesOfADockerfileArePulledAhead(t *testing.T) {
	const recipe = "ARG V=1\nFROM rust:$V AS build\nFROM unused AS unused\nFROM x\nCOPY --from=build a b\nCOPY --from=tools:1 a b\nRUN --mount=from=more:1,target=/more c\n"
	tests := map[string]struct {
		pulls     baseimage.Pulls
		published []string
		calls     []string // before the build
		want      string   // error
	}{
		"missing": {baseimage.Pulls{}, []string{"rust:1", "tools:1", "more:1"}, []string{"pull rust:1", "pull tools:1", "pull more:1"}, ""},
		"always": {baseimage.Pulls{Policy: config.PullAlways}, []string{"rust:1", "x", "tools:1", "more:1"},
			[]string{"pull rust:1", "pull x:latest", "pull tools:1", "pull more:1"}, ""},
		"never":   {baseimage.Pulls{Policy: config.PullNever}, nil, nil, `base image "rust:1" is not on the engine and builder.pullPolicy is "never"`},
		"nowhere": {baseimage.Pulls{}, []string{"rust:1"}, []string{"pull rust:1", "pull tools:1"}, `cannot pull base image "tools:1": asking registry docker.io without credentials (`},
		"a mirror": {baseimage.Pulls{Mirror: "m.example.com/hub"}, []string{"m.example.com/hub/library/rust:1"}, []string{"pull m.example.com/hub/library/rust:1",
			"tag m.example.com/hub/library/rust:1 rust:1", "untag m.example.com/hub/library/rust:1", "pull m.example.com/hub/library/tools:1"}, `base image "tools:1"`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := &recipeBuild{engine: fakeengine.New(t), files: withRecipe(recipe), pulls: test.pulls}
			for _, name := range test.published {
				r.engine.Publish(fakeengine.Image{Name: name})
			}
			_, _, err := r.run(t)
			calls := r.engine.ImageCalls()
			if test.want != "" {
				assert.ErrorContains(t, err, test.want)
				assert.Equal(t, test.calls, calls)
				return
			}
			require.NoError(t, err)
			require.Greater(t, len(calls), len(test.calls))
			assert.Equal(t, test.calls, calls[:len(test.calls)])
			assert.True(t, strings.HasPrefix(calls[len(test.calls)], "build "), calls)
		})
	}
}

// A mirror's image that is named by a digest keeps the mirror's name, under which the engine's builder would not look for it.
func TestABaseImageByDigestIsPulledFromItsOwnRegistry(t *testing.T) {
	pinned := "rust@sha256:" + strings.Repeat("0123456789abcdef", 4)
	r := &recipeBuild{engine: fakeengine.New(t), files: withRecipe("FROM " + pinned + "\n"), pulls: baseimage.Pulls{Mirror: "m.example.com/hub"}}
	r.engine.Publish(fakeengine.Image{Name: pinned})
	_, _, err := r.run(t)
	require.NoError(t, err)
	assert.Equal(t, "pull "+pinned, r.engine.ImageCalls()[0])
}

// Otherwise any package could read every image that the operator may.
func TestOnlyListedBaseImagesArePulledWithCredentials(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.json")
	require.NoError(t, os.WriteFile(path, []byte(`{"auths":{"registry.example.com":{"auth":"YWRhOnMzY3JldA=="},"https://index.docker.io/v1/":{"auth":"YWRhOnMzY3JldA=="}}}`), 0o600))
	tests := map[string]struct {
		base  string
		bases []string
		sent  bool
	}{
		"none":              {"registry.example.com/base/rust:1", nil, false},
		"by a pattern":      {"registry.example.com/base/rust:1", []string{"registry.example.com/base/*"}, true},
		"by its name":       {"registry.example.com/base/rust:1", []string{"other", "registry.example.com/base/rust"}, true},
		"by name and tag":   {"registry.example.com/base/rust:1", []string{"registry.example.com/base/rust:1"}, true},
		"another tag":       {"registry.example.com/base/rust:1", []string{"registry.example.com/base/rust:2"}, false},
		"another directory": {"registry.example.com/base/secret/rust:1", []string{"registry.example.com/base/*"}, false},
		"of the Hub":        {"rust:1", []string{"docker.io/library/*"}, true},
		"of the Hub, short": {"docker.io/library/rust:1", []string{"rust"}, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := &recipeBuild{engine: fakeengine.New(t), files: withRecipe("FROM " + test.base + "\n"), settings: config.Dockerfiles{Bases: test.bases},
				pulls: baseimage.Pulls{Credentials: registry.Locate(path, nil)}}
			_, _, err := r.run(t)
			pulls := r.engine.Calls(fakeengine.Pull)
			require.Len(t, pulls, 1)
			assert.Equal(t, test.sent, pulls[0].Credentials(t) != nil)
			if !test.sent {
				assert.ErrorContains(t, err, "without credentials (base images of Dockerfiles get none unless builder.dockerfile.bases lists them)")
			}
		})
	}
}

// What is in the image of a chaincode is not for other packages, whatever they call it.
func TestImagesOfChaincodesAreNoBases(t *testing.T) {
	const own = "fabric-chaincode/golang:abc"
	image := fakeengine.Image{Name: own, ID: "sha256:" + strings.Repeat("f00d", 16), Labels: map[string]string{metadata.LabelKind: metadata.KindChaincode}}
	for name, recipe := range map[string]string{
		"by its name":                "FROM " + own,
		"by its full name":           "FROM docker.io/" + own,
		"by its ID":                  "FROM f00df00d",
		"by its whole ID":            "FROM sha256:" + strings.Repeat("f00d", 16),
		"by an ID alone":             "FROM x\nCOPY --from=" + strings.Repeat("f00d", 16) + " / /",
		"by podman's name":           "FROM localonly",
		"by an argument":             "ARG NAME=golang\nARG TAG\nFROM fabric-chaincode/${NAME}:${TAG:-abc}",
		"by a setting's argument":    "ARG GIVEN=x\nFROM $GIVEN",
		"COPY --from":                "FROM x\nCOPY --from=" + own + " / /",
		"a mount":                    "FROM x\nRUN --mount=type=bind,from=" + own + ",target=/y ls /y",
		"a mount among others":       "FROM x\nRUN --mount=type=tmpfs,target=/t --mount=type=cache,from=docker.io/" + own + ",target=/y ls /y",
		"a continued line":           "FROM x\nCOPY --fr\\\nom=" + own + " / /",
		"another escape":             "# escape=`\nFROM `\n" + own,
		"ONBUILD":                    "FROM x AS a\nONBUILD COPY --from=" + own + " / /\nFROM a",
		"a stage that nobody needs":  "FROM " + own + " AS a\nFROM x",
		"a stage of that name":       "FROM x AS f00d\nFROM f00d",
		"a heredoc of older engines": "FROM x\nRUN <<EOF\nCOPY --from=" + own + " / /\nEOF",
		"ONBUILD of the base image":  "FROM trigger",
		"the name of a pulled image": "FROM published",
		"what a peer has built":      "FROM dev-peer0-basic",
		"one that is yet to be made": "FROM docker.io/fabric-chaincode/docker:" + strings.Repeat("0123456789abcdef", 4) + " AS a\nFROM x",
		"dependencies":               "FROM fabric-chaincode/node-snapshot:abc",
	} {
		t.Run(name, func(t *testing.T) {
			r := &recipeBuild{engine: fakeengine.New(t), files: withRecipe(recipe + "\n"), plan: platform.Plan{BuildArgs: []string{"GIVEN=" + own}}}
			r.engine.AddImage(image)
			r.engine.AddImage(fakeengine.Image{Name: "localhost/localonly", Labels: image.Labels})
			r.engine.AddImage(fakeengine.Image{Name: "trigger", OnBuild: []string{"RUN a", "COPY --from=" + own + " / /"}})
			r.engine.AddImage(fakeengine.Image{Name: "dev-peer0-basic", Labels: map[string]string{metadata.LabelChaincodeType: "GOLANG"}})
			r.engine.AddImage(fakeengine.Image{Name: "fabric-chaincode/node-snapshot:abc", Labels: map[string]string{metadata.LabelKind: metadata.KindSnapshot}})
			r.engine.Publish(fakeengine.Image{Name: "published", Labels: image.Labels})
			_, _, err := r.run(t)
			assert.ErrorContains(t, err, "only other images can be used in a Dockerfile")
			assert.Empty(t, r.engine.Calls(fakeengine.Build))
		})
	}
}

// Podman takes more than names of images: directories and archives of its own machine.
func TestABaseThatIsNoImage(t *testing.T) {
	for _, base := range []string{"dir:/etc/x", "docker-archive:/x.tar", "containers-storage:localhost/fabric-chaincode/golang:abc", "docker://x", "X"} {
		r := &recipeBuild{engine: fakeengine.New(t, fakeengine.Podman()), files: withRecipe("FROM " + base + "\n")}
		_, _, err := r.run(t)
		assert.ErrorContains(t, err, `the Dockerfile uses "`+base+`", which is not the name of an image`)
		assert.Empty(t, r.engine.Calls(fakeengine.Build))
	}
}

// Not every engine sets the arguments for the platform. What is no name without them stops nothing.
func TestABaseImageNamedByThePlatform(t *testing.T) {
	for _, option := range [][]fakeengine.Option{nil, {fakeengine.Podman()}} {
		r := &recipeBuild{engine: fakeengine.New(t, option...), files: withRecipe("FROM --platform=$BUILDPLATFORM y:$TARGETARCH AS a-\nFROM $TARGETOS/y:$BUILDARCH-1\nCOPY --from=a- b c\n")}
		r.engine.AddImage(fakeengine.Image{Name: "y:amd64"})
		r.engine.AddImage(fakeengine.Image{Name: "linux/y:amd64-1"})
		_, _, err := r.run(t)
		assert.NoError(t, err)
	}
}

// sentRecipe returns the Dockerfile that the engine got.
func (r *recipeBuild) sentRecipe(t *testing.T) string {
	t.Helper()
	require.Len(t, r.contexts, 1)
	for reader := tar.NewReader(bytes.NewReader(r.contexts[0])); ; {
		header, err := reader.Next()
		require.NoError(t, err)
		if header.Name == "Dockerfile" {
			text, err := io.ReadAll(reader)
			require.NoError(t, err)
			return string(text)
		}
	}
}

func TestSyntaxDirectivesNeedTheOperator(t *testing.T) {
	tests := map[string]struct {
		recipe  string
		allowed []string
		sent    string // empty: none
		said    string // by the log or an error
	}{
		"the official one": {"# syntax=docker/dockerfile:1.4\nFROM x\n", nil, "\nFROM x\n",
			"building with the engine's own frontend instead of the one that the Dockerfile names, see builder.dockerfile.syntax: frontend=docker/dockerfile:1.4"},
		"with another directive":      {"# syntax=docker.io/docker/dockerfile\n# escape=`\nFROM `\nx\n", nil, "# escape=`\n\nFROM `\nx\n", "engine's own frontend"},
		"another one":                 {"# syntax=evil/frontend\nFROM x\n", nil, "", `the Dockerfile asks for the frontend "evil/frontend": remove its syntax directive, or add the frontend to builder.dockerfile.syntax`},
		"another registry's":          {"# syntax=evil.example.com/docker/dockerfile\nFROM x\n", nil, "", "builder.dockerfile.syntax"},
		"in a comment that follows":   {"# syntax=docker/dockerfile:1\n# syntax=evil/frontend\nFROM x\n", nil, "", "builder.dockerfile.syntax"},
		"in a file that is JSON":      {"{\"syntax\": \"docker/dockerfile\"}", nil, "", "in an unusual form"},
		"one that is allowed":         {"# syntax=own/frontend:1\nFROM x\n", []string{"own/frontend"}, "# syntax=own/frontend:1\nFROM x\n", ""},
		"the official one, if listed": {"# syntax=docker/dockerfile:1\nFROM x\n", []string{"docker/dockerfile"}, "# syntax=docker/dockerfile:1\nFROM x\n", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := &recipeBuild{engine: fakeengine.New(t), files: withRecipe(test.recipe), settings: config.Dockerfiles{Syntax: test.allowed}}
			r.engine.AddImage(fakeengine.Image{Name: "own/frontend:1"})
			r.engine.AddImage(fakeengine.Image{Name: "docker/dockerfile:1"})
			_, said, err := r.run(t)
			if test.sent == "" {
				assert.ErrorContains(t, err, test.said)
				assert.Empty(t, r.engine.Calls(fakeengine.Build))
				return
			}
			require.NoError(t, err)
			assert.Contains(t, said, test.said)
			assert.Equal(t, test.sent, r.sentRecipe(t))
		})
	}
}

// BuildKit keeps the cache mounts of packages apart. On podman they are shared, and a bind mount can follow a link to the host.
func TestMountsOnPodmanNeedTheOperator(t *testing.T) {
	for _, mount := range []string{"type=cache,target=/c", "target=/c", "type=bind,from=x,source=/link,target=/c"} {
		recipe := withRecipe("FROM x\nRUN --mount=" + mount + " a\n")
		r := &recipeBuild{engine: fakeengine.New(t, fakeengine.Podman()), files: recipe}
		_, _, err := r.run(t)
		assert.ErrorContains(t, err, "builder.dockerfile.unsafeMounts", mount)
		assert.Empty(t, r.engine.Calls(fakeengine.Build))
		r = &recipeBuild{engine: fakeengine.New(t, fakeengine.Podman()), files: recipe, settings: config.Dockerfiles{UnsafeMounts: true}}
		_, _, err = r.run(t)
		assert.NoError(t, err)
		_, _, err = (&recipeBuild{files: recipe}).run(t)
		assert.NoError(t, err)
	}
	_, _, err := (&recipeBuild{engine: fakeengine.New(t, fakeengine.Podman()), files: withRecipe("FROM x\nRUN --mount=type=secret,id=a a\n")}).run(t)
	assert.NoError(t, err)
}

// BuildKit and podman download it in the network of the engine's machine, whatever network the steps have.
func TestADDFromTheNetworkNeedsTheOperator(t *testing.T) {
	r := &recipeBuild{files: withRecipe("FROM x\nADD http://127.0.0.1:5984/_all_dbs /x\n")}
	_, _, err := r.run(t)
	assert.ErrorContains(t, err, `the Dockerfile adds "http://127.0.0.1:5984/_all_dbs"`)
	assert.ErrorContains(t, err, "builder.dockerfile.remoteFiles")
	assert.Empty(t, r.engine.Calls(fakeengine.Build))
	r.settings.RemoteFiles = true
	_, _, err = r.run(t)
	assert.NoError(t, err)
}

// Podman shares no steps between builds, so it always says all that it knows.
func TestPodmanBuildsAFailingDockerfileOnce(t *testing.T) {
	for want, answer := range map[string]string{
		"creating build container: no such host": `{"error":"creating build container: no such host\n","errorDetail":{"message":"creating build container: no such host\n"}}`,
		`building at STEP "RUN false": while running runtime: exit status 1; its output is above`: `{"stream":"STEP 2/2: RUN false\n"}{"stream":"the reason\n"}` +
			`{"error":"x","errorDetail":{"message":"building at STEP \"RUN false\": while running runtime: exit status 1\n"}}`,
	} {
		r := &recipeBuild{engine: fakeengine.New(t, fakeengine.Podman()), files: recipeFiles, answer: func(int) string { return answer }}
		_, said, err := r.run(t)
		assert.ErrorContains(t, err, "the build of the package's Dockerfile failed: ")
		assert.ErrorContains(t, err, want)
		assert.Len(t, r.engine.Calls(fakeengine.Build), 1)
		if strings.Contains(answer, "stream") {
			assert.Contains(t, said, "cc_1 | STEP 2/2: RUN false\ncc_1 | the reason\n")
		}
	}
}

// What engines read in different ways is refused before anything is sent.
func TestADockerfileThatCannotBeChecked(t *testing.T) {
	r := &recipeBuild{files: withRecipe("FROM x\nCOPY --from=$X a b\n")}
	_, _, err := r.run(t)
	assert.ErrorContains(t, err, "reading the Dockerfile: line 2: variables are not supported in from=$X")
	assert.Empty(t, r.engine.Calls(fakeengine.Build))
}
