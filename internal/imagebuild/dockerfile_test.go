package imagebuild_test

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/baseimage"
	"fabric-builder-docker/internal/cli"
	"fabric-builder-docker/internal/config"
	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/imagebuild"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/platform"
)

// recipeBuild is a package with a Dockerfile on an engine that builds as it is told.
type recipeBuild struct {
	store  *imageStore
	plan   platform.Plan
	pulls  baseimage.Pulls
	files  map[string]string
	answer func(turn int) string // of the builder; an empty one has built

	asked []map[string]string // what the engine was asked for
	sent  [][]string          // names in the context
}

func (r *recipeBuild) run(t *testing.T) (imagebuild.Image, string, error) {
	t.Helper()
	if r.store == nil {
		r.store = &imageStore{there: names()}
	}
	r.store.build = func(w http.ResponseWriter, request *http.Request) {
		query := map[string]string{}
		for key, values := range request.URL.Query() {
			query[key] = values[0]
		}
		r.asked = append(r.asked, query)
		r.sent = append(r.sent, entries(t, request.Body))
		text := ""
		if r.answer != nil {
			text = r.answer(len(r.asked))
		}
		if text == "" {
			r.store.there[query["t"]] = true
			text = `{"stream":"built\n"}`
		}
		fmt.Fprint(w, text)
	}
	server := httptest.NewServer(r.store)
	t.Cleanup(server.Close)
	client, err := docker.Connect(t.Context(), "tcp://"+server.Listener.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { client.Close() })
	source := t.TempDir()
	for name, text := range r.files {
		path := filepath.Join(source, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
	output := &locked{}
	b := imagebuild.Builder{
		Engine: client, Log: cli.NewLogger("build", output), Stderr: output, Prefix: "p", Version: "1", Periods: periods, Pulls: r.pulls,
	}
	r.plan.Type, r.plan.Kind = "docker", platform.Dockerfile
	image, err := b.Build(t.Context(), r.plan, open(t, source), "cc_1")
	return image, output.String(), err
}

// entries are the names in a tar, which must be alike whoever packs it.
func entries(t *testing.T, archive io.Reader) []string {
	t.Helper()
	var all []string
	for reader := tar.NewReader(archive); ; {
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
		"everything ignored": {map[string]string{"src/Dockerfile": "", "src/.dockerignore": "*", "src/a": ""}, false, []string{"Dockerfile"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := &recipeBuild{files: test.files, plan: platform.Plan{CodeAtRoot: test.rooted}}
			_, _, err := r.run(t)
			require.NoError(t, err)
			assert.Equal(t, test.want, r.sent[0])
		})
	}
}

func TestABadIgnoreFileIsNamed(t *testing.T) {
	_, _, err := (&recipeBuild{files: map[string]string{"src/Dockerfile": "", "src/.dockerignore": "a[\n", "src/a": ""}}).run(t)
	assert.ErrorContains(t, err, "reading the package: .dockerignore: ")
}

func TestADockerfileIsBuiltAsTheSettingsSay(t *testing.T) {
	r := &recipeBuild{files: recipeFiles, plan: platform.Plan{BuildArgs: []string{"A=1", "B=x=y"}}, pulls: baseimage.Pulls{Policy: config.PullAlways}}
	image, said, err := r.run(t)
	require.NoError(t, err)
	assert.Equal(t, &metadata.UIDGID{UID: 500, GID: 500}, image.User)
	assert.Contains(t, said, "cc_1 | built\n")
	asked := r.asked[0]
	assert.Regexp(t, `^{"A":"1","B":"x=y","BUILDKIT_CACHE_MOUNT_NS":".*-[0-9a-f]{16}"}$`, asked["buildargs"], "no other build can have that name")
	assert.Equal(t, `{"fabric-builder-docker.kind":"chaincode","org.hyperledger.fabric.chaincode.type":"DOCKER"}`, asked["labels"])
	assert.Equal(t, "1", asked["pull"])
	made := asked["t"]
	assert.True(t, strings.HasPrefix(made, image.Name+"-"), made)
	assert.Equal(t, []string{"build", "tag " + made + " " + image.Name, "untag " + made}, r.store.calls)

	again, said, err := r.run(t)
	require.NoError(t, err)
	assert.Equal(t, image, again)
	assert.Contains(t, said, "the image exists already")
	assert.Len(t, r.asked, 1)
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

// Of several builders of the same, an engine tells one alone what has failed.
func TestABuildThatFailsWithoutAWordIsTriedAgain(t *testing.T) {
	const untold = `{"errorDetail":{"message":"exit code: 3"}}`
	tests := map[string]struct {
		answers []string
		turns   int
		want    string
	}{
		"then well":  {[]string{untold, ""}, 2, ""},
		"then ill":   {[]string{untold, untold, untold, ""}, 3, "the build of the package's Dockerfile failed: "},
		"cut":        {[]string{`{"stream":"x`, ""}, 1, "unexpected EOF"},
		"with words": {[]string{failedTrace, ""}, 1, "exit code: 3; its output is above"},
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
			assert.Len(t, r.asked, test.turns)
			assert.False(t, slices.ContainsFunc(r.store.calls, func(call string) bool { return test.want != "" && strings.HasPrefix(call, "tag ") }))
		})
	}
}

// failedTrace is BuildKit's word that the step "RUN x" has failed.
const failedTrace = `{"id":"moby.buildkit.trace","aux":"Ch8KAWEaBVJVTiB4KgIIATICCAI6C2V4aXQgY29kZTog"}{"errorDetail":{"message":"exit code: 3"}}`

// Whoever is first has given the image its name. Another one of the same content is not needed.
func TestTheFirstOfTwoEqualImagesStays(t *testing.T) {
	r := &recipeBuild{files: recipeFiles}
	r.answer = func(int) string {
		made := r.asked[0]["t"]
		r.store.there[made[:strings.LastIndex(made, "-")]] = true // another builder was faster
		return ""
	}
	image, _, err := r.run(t)
	require.NoError(t, err)
	assert.Equal(t, []string{"build", "untag " + r.asked[0]["t"]}, r.store.calls)
	assert.True(t, r.store.there[image.Name])
}
