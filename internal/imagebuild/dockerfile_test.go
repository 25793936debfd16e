// SPDX-License-Identifier: Apache-2.0

package imagebuild_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/baseimage"
	"fabric-builder-docker/internal/config"
	"fabric-builder-docker/internal/imagebuild"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/platform"
	"fabric-builder-docker/test/fakeengine"
)

// recipeBuild builds a package that has a Dockerfile.
type recipeBuild struct {
	engine *fakeengine.Engine
	plan   platform.Plan
	pulls  baseimage.Pulls

	settings config.Dockerfiles

	files  map[string]string
	answer func(turn int) string // of the engine's builder; empty: the build succeeds

	contexts [][]byte // that the engine got
}

func (r *recipeBuild) run(t *testing.T) (imagebuild.Image, string, error) {
	t.Helper()
	if r.engine == nil {
		r.engine = fakeengine.New(t)
	}
	r.engine.AddImage(fakeengine.Image{Name: "x"})
	r.engine.SetBuilder(r.build)
	source := t.TempDir()
	for name, text := range r.files {
		path := filepath.Join(source, name)
		if strings.HasSuffix(name, "/") {
			require.NoError(t, os.MkdirAll(path, 0o700))
			continue
		}
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
	b := newBuilder(t, r.engine)
	b.Pulls, b.Dockerfiles = r.pulls, r.settings
	r.plan.Type, r.plan.Kind = "docker", platform.Dockerfile
	image, err := b.Build(t.Context(), r.plan, open(t, source), "cc_1")
	return image, b.output.String(), err
}

// build is the engine's builder.
func (r *recipeBuild) build(request *fakeengine.BuildRequest) *fakeengine.Image {
	r.contexts = append(r.contexts, request.Context)
	if r.answer != nil {
		if text := r.answer(len(r.contexts)); text != "" {
			io.WriteString(request.Answer, text)
			return nil
		}
	}
	io.WriteString(request.Answer, `{"stream":"built\n"}`)
	return &recipeImage
}

var recipeImage = fakeengine.Image{User: "500:500", Command: []string{"x"}}

// entries returns the names in a tar archive, and checks that their metadata does not depend on who packs it.
func entries(t *testing.T, archive []byte) []string {
	t.Helper()
	var all []string
	for reader := tar.NewReader(bytes.NewReader(archive)); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		require.NoError(t, err)
		assert.Zero(t, header.Uid)
		assert.Zero(t, header.ModTime.Unix())
		all = append(all, header.Name)
	}
}

var recipeFiles = map[string]string{"src/Dockerfile": "FROM x", "src/main.rs": "fn main() {}", "META-INF/x.json": "{}", "other.txt": "x"}

func TestWhatADockerfileIsBuiltFrom(t *testing.T) {
	tests := map[string]struct {
		files  map[string]string
		rooted bool
		want   []string
	}{
		"src": {recipeFiles, false, []string{"Dockerfile", "main.rs"}},
		"the package's root": {map[string]string{"Dockerfile": "FROM x", "a/b": "", "META-INF/statedb/x.json": ""}, true,
			[]string{"a/", "Dockerfile", "a/b"}},
		".dockerignore": {map[string]string{
			"src/Dockerfile": "", "src/.dockerignore": "# comment\n\n/target\n**/*.log\n!keep.log\nDockerfile\n.dockerignore\n",
			"src/target/x": "", "src/a/target/x": "", "src/a/b/x.log": "", "src/keep.log": "", "src/x.log": "",
		}, false, []string{"a/", "a/b/", "a/target/", "Dockerfile", "a/target/x", "keep.log"}},
		"one of the Dockerfile's own": {map[string]string{
			"src/Dockerfile": "", "src/.dockerignore": "*", "src/Dockerfile.dockerignore": "b\n", "src/a": "", "src/b": "",
		}, false, []string{".dockerignore", "Dockerfile", "Dockerfile.dockerignore", "a"}},
		"empty directories": {map[string]string{"src/Dockerfile": "FROM x\nCOPY data/ /data/\n", "src/data/": "", "src/a/b/": ""}, false,
			[]string{"a/", "a/b/", "data/", "Dockerfile"}},
		"everything ignored": {map[string]string{"src/Dockerfile": "", "src/.dockerignore": "*", "src/a": ""}, false, []string{"Dockerfile"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := &recipeBuild{files: test.files, plan: platform.Plan{CodeAtRoot: test.rooted}}
			_, _, err := r.run(t)
			require.NoError(t, err)
			assert.Equal(t, test.want, entries(t, r.contexts[0]))
		})
	}
}

func TestABadIgnoreFileIsNamed(t *testing.T) {
	_, _, err := (&recipeBuild{files: map[string]string{"src/Dockerfile": "", "src/.dockerignore": "a[\n", "src/a": ""}}).run(t)
	assert.ErrorContains(t, err, "reading the package: .dockerignore: ")
	_, _, err = (&recipeBuild{files: map[string]string{"src/Dockerfile": "", "src/.dockerignore": strings.Repeat("\n", metadata.MaxFile+1)}}).run(t)
	assert.ErrorContains(t, err, "reading .dockerignore: the file is larger than 16 MiB")
}

func TestADockerfileIsBuiltAsTheSettingsSay(t *testing.T) {
	r := &recipeBuild{files: recipeFiles, plan: platform.Plan{BuildArgs: []string{"A=1", "B=x=y"}}}
	image, said, err := r.run(t)
	require.NoError(t, err)
	assert.Equal(t, &metadata.UIDGID{UID: 500, GID: 500}, image.User)
	assert.Contains(t, said, "cc_1 | built\n")
	asked := r.engine.Calls(fakeengine.Build)[0].Query
	assert.Regexp(t, `^{"A":"1","B":"x=y","BUILDKIT_CACHE_MOUNT_NS":"`+image.Name+`"}$`, asked.Get("buildargs"), "no other package has that name")
	assert.Equal(t, `{"fabric-builder-docker.kind":"chaincode","org.hyperledger.fabric.chaincode.type":"DOCKER"}`, asked.Get("labels"))
	assert.Empty(t, asked.Get("pull"), "base images have been pulled by then")
	made := asked.Get("t")
	assert.True(t, strings.HasPrefix(made, image.Name+"-"), made)
	assert.Equal(t, []string{"build " + made, "tag " + made + " " + image.Name, "untag " + made}, r.engine.ImageCalls())
	assert.Equal(t, []string{image.Name, "x:latest"}, r.engine.Images())

	again, said, err := r.run(t)
	require.NoError(t, err)
	assert.Equal(t, image, again)
	assert.Contains(t, said, "the image exists already")
	assert.Len(t, r.engine.Calls(fakeengine.Build), 1)
}

func TestAnImageIsNamedByWhatItIsBuiltFrom(t *testing.T) {
	name := func(plan platform.Plan, files map[string]string) string {
		image, _, err := (&recipeBuild{files: files, plan: plan}).run(t)
		require.NoError(t, err)
		return image.Name
	}
	with := func(path, text string) map[string]string {
		files := map[string]string{path: text}
		for path, text := range recipeFiles {
			if _, ok := files[path]; !ok {
				files[path] = text
			}
		}
		return files
	}
	one := name(platform.Plan{}, recipeFiles)
	assert.Equal(t, one, name(platform.Plan{}, recipeFiles))
	assert.Equal(t, one, name(platform.Plan{}, with("META-INF/x.json", "[]")))
	assert.Equal(t, one, name(platform.Plan{}, with("other.txt", "outside")))
	assert.Equal(t, one, name(platform.Plan{BuildArgs: []string{"HTTP_PROXY=x"}}, recipeFiles), "the plan decides what counts")
	assert.NotEqual(t, one, name(platform.Plan{DigestInputs: []string{"A=1"}}, recipeFiles))
	assert.NotEqual(t, one, name(platform.Plan{}, with("src/main.rs", "fn main() { }")))
	assert.NotEqual(t, one, name(platform.Plan{}, with("src/new", "")))
	ignored := with("src/.dockerignore", "x")
	assert.Equal(t, name(platform.Plan{}, ignored), func() string { ignored["src/x"] = "y"; return name(platform.Plan{}, ignored) }())
}

// Of several builders of the same content, an engine tells only one which step failed.
func TestABuildThatFailsWithoutAWordIsTriedAgain(t *testing.T) {
	const untold = `{"errorDetail":{"message":"exit code: 3"}}`
	tests := map[string]struct {
		answers []string
		turns   int
		want    string
	}{
		"then it succeeds":    {[]string{untold, ""}, 2, ""},
		"again and again":     {[]string{untold, untold, untold, ""}, 3, "the build of the package's Dockerfile failed: "},
		"an answer cut off":   {[]string{`{"stream":"x`, ""}, 1, "unexpected EOF"},
		"with the step named": {[]string{failedTrace, ""}, 1, "exit code: 3; its output is above"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := &recipeBuild{files: recipeFiles, answer: func(turn int) string { return test.answers[turn-1] }}
			_, _, err := r.run(t)
			if test.want == "" {
				assert.NoError(t, err)
			} else {
				assert.ErrorContains(t, err, test.want)
			}
			assert.Len(t, r.engine.Calls(fakeengine.Build), test.turns)
			if test.want != "" {
				assert.Empty(t, r.engine.Calls(fakeengine.Tag))
			}
		})
	}
}

// failedTrace is an answer in which BuildKit reports that the step "RUN x" failed.
const failedTrace = `{"id":"moby.buildkit.trace","aux":"Ch8KAWEaBVJVTiB4KgIIATICCAI6C2V4aXQgY29kZTog"}{"errorDetail":{"message":"exit code: 3"}}`

// The first image gets the name of its content. A second image of the same content is not needed.
func TestTheFirstOfTwoEqualImagesStays(t *testing.T) {
	r := &recipeBuild{files: recipeFiles, engine: fakeengine.New(t)}
	r.answer = func(int) string { // another builder is faster
		made := r.engine.Calls(fakeengine.Build)[0].Target
		first := recipeImage
		first.Name, first.Labels = made[:strings.Index(made, ":")+65], map[string]string{"first": "yes"}
		r.engine.AddImage(first)
		return ""
	}
	image, _, err := r.run(t)
	require.NoError(t, err)
	made := r.engine.Calls(fakeengine.Build)[0].Target
	assert.Equal(t, []string{"build " + made, "untag " + made}, r.engine.ImageCalls())
	assert.Equal(t, []string{image.Name, "x:latest"}, r.engine.Images())
	kept, _ := r.engine.Image(image.Name)
	assert.Contains(t, kept.Labels, "first")
}
