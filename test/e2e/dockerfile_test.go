// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"archive/tar"
	"bytes"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/test/peer"
)

var sharedKV shared[[]byte]

// kvBinary returns the sample chaincode, compiled on this machine.
func kvBinary(t *testing.T) []byte {
	t.Helper()
	return sharedKV.get(t, func() []byte {
		path := filepath.Join(t.TempDir(), "kv")
		build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, ".")
		build.Dir, build.Env = filepath.Join(world.samples, "go"), append(os.Environ(), "CGO_ENABLED=0")
		out, err := build.CombinedOutput()
		require.NoError(t, err, string(out))
		binary, err := os.ReadFile(path)
		require.NoError(t, err)
		return binary
	})
}

// removeBuilt removes the image of a record from the engine when the test ends.
func removeBuilt(t *testing.T, image string) {
	t.Helper()
	t.Cleanup(func() { assert.NoError(t, world.engine.Delete(background(t), "/images/"+image+"?force=1")) })
}

// A package with a Dockerfile is built once, and its chaincode serves with and without TLS, as a user that the image
// specifies only by name.
func TestADockerfileGoesAllTheWay(t *testing.T) {
	recipe := "FROM " + world.baseos + `
ARG GREETING=none
ARG UNKNOWN
USER root
COPY . /opt/kv
RUN echo "greeting $GREETING" && ls /opt/kv && chmod 0755 /opt/kv/kv && test ! -e /opt/kv/left-out.txt && test -e /opt/kv/deep/kept.md
LABEL fabric-builder-docker.kind=cache
USER chaincode
ENTRYPOINT ["/bin/sh", "-c", "exec /opt/kv/kv -peer.address=\"$CORE_PEER_ADDRESS\""]
`
	pkg := fresh(t, "docker", "any_1.0",
		peer.File("src/Dockerfile", recipe), peer.File("src/kv", string(kvBinary(t))),
		peer.File("src/.dockerignore", "# what stays\n*.txt\n!salt.txt\n**/*.md\n!deep/kept.md\nDockerfile\n"),
		peer.File("src/left-out.txt", "x"), peer.File("src/deep/kept.md", "x"), peer.File("src/deep/dropped.md", "x"))
	var built []string
	t.Cleanup(func() { // after the peers have ended, and with them their containers
		for _, image := range built {
			assert.NoError(t, world.engine.Delete(background(t), "/images/"+image+"?force=1"))
		}
	})
	dir := builder(t, config("  buildArgs: {GREETING: hello there}\n"))
	first := newPeer(t, withBuilder(dir), withTLS(true))
	id := first.install(t, pkg)
	record := first.record(t, id)
	built = append(built, record.Image)
	assert.True(t, strings.HasPrefix(record.Image, prefix+"/docker:"), record.Image)
	assert.NotZero(t, record.User.UID)
	assert.Regexp(t, `any_1\.0 \| `+stepLine, plain(first.said("build")))
	assert.Contains(t, first.said("build"), "greeting hello there")
	first.invoke(t, id, "put", "colour", "blue")
	assert.Equal(t, "blue", first.invoke(t, id, "get", "colour"))

	var image struct {
		Config struct {
			Labels map[string]string
			User   string
		}
	}
	require.NoError(t, world.engine.Get(t.Context(), "/images/"+record.Image+"/json", &image))
	assert.Equal(t, metadata.KindChaincode, image.Config.Labels[metadata.LabelKind], "the Dockerfile does not decide that")
	assert.Equal(t, "DOCKER", image.Config.Labels[metadata.LabelChaincodeType])
	assert.Equal(t, "chaincode", image.Config.User)

	second := newPeer(t, withBuilder(dir), withTLS(false))
	again := second.install(t, pkg)
	assert.Equal(t, record.Image, second.record(t, again).Image)
	assert.Contains(t, second.said("build"), "the image exists already")
	second.invoke(t, again, "put", "colour", "red")

	other := newPeer(t, withBuilder(builder(t, config("  buildArgs: {GREETING: other}\n"))))
	changed := other.record(t, other.install(t, pkg))
	built = append(built, changed.Image)
	assert.NotEqual(t, record.Image, changed.Image, "a build argument is a part of the content")
	noContainers(t, metadata.LabelKind, metadata.KindAssembly)
}

// dockerfile returns a package's source with that Dockerfile and new content.
func dockerfile(recipe string) []peer.Entry {
	return []peer.Entry{peer.File("src/Dockerfile", recipe), peer.File("src/salt.txt", rand.Text())}
}

// The image of one chaincode holds what other packages may not read, whatever they call it.
func TestADockerfileCannotUseTheImageOfAChaincode(t *testing.T) {
	t.Parallel()
	record, _ := buildByHand(t, config(""), "docker", dockerfile("FROM "+world.baseos+"\nUSER root\nCOPY salt.txt /\nCMD [\"x\"]\n")...)
	var image struct {
		ID string `json:"Id"`
	}
	require.NoError(t, world.engine.Get(t.Context(), "/images/"+record.Image+"/json", &image))
	_, id, _ := strings.Cut(image.ID, ":")
	for name, recipe := range map[string]string{
		"FROM":           "FROM " + record.Image + "\n",
		"an ID":          "FROM " + id[:12] + "\n",
		"COPY --from":    "FROM " + world.baseos + "\nCOPY --from=" + record.Image + " /salt.txt /\n",
		"a mount":        "FROM " + world.baseos + "\nRUN --mount=from=" + record.Image + ",target=/x cat /x/salt.txt\n",
		"ONBUILD":        "FROM " + world.baseos + " AS a\nONBUILD COPY --from=" + record.Image + " /salt.txt /\nFROM a\n",
		"in an argument": "ARG NAME=" + record.Image + "\nFROM ${NAME}\n",
	} {
		t.Run(name, func(t *testing.T) {
			u := unpack(t, "docker", "thief_1.0", dockerfile(recipe)...)
			p := start(t, builder(t, config("")), "build", u.source, u.metadata, u.output)
			assert.Equal(t, 1, p.status(t))
			assert.Contains(t, p.stderr.String(), "only other images can be used in a Dockerfile")
		})
	}
}

// An archive of a package may have entries for directories, empty ones among them. Nothing asks a registry for the frontend.
func TestADockerfileCopiesAnEmptyDirectory(t *testing.T) {
	t.Parallel()
	recipe := "# syntax=docker/dockerfile:1\nFROM " + world.baseos + "\nUSER root\nCOPY data/ /data/\nCOPY salt.txt /\nRUN test -d /data && echo the directory is there\nCMD [\"x\"]\n"
	p := newPeer(t)
	id := p.install(t, fresh(t, "docker", "empty_1.0", append(dockerfile(recipe), peer.Entry{Name: "src/data/", Mode: 0o40755, Type: tar.TypeDir})...))
	removeBuilt(t, p.record(t, id).Image)
	assert.Contains(t, p.said("build"), "the directory is there")
	assert.Contains(t, p.said("build"), "builder.dockerfile.syntax")
}

// stepLine matches how an engine begins a line about a step: BuildKit numbers it, podman writes the instruction.
const stepLine = `(#\d|STEP \d)`

func TestADockerfileThatFailsSaysWhy(t *testing.T) {
	from := "FROM " + world.baseos + "\nUSER root\nCOPY salt.txt /\n"
	tests := map[string]struct {
		code []peer.Entry
		want []string // regular expressions, since engines choose their own words
	}{
		"a step": {dockerfile(from + "RUN echo main.go:5: undefined: x >&2; exit 3\n"),
			[]string{"main.go:5: undefined: x", "the build of the package's Dockerfile failed: ", "exit (code:|status) 3"}},
		"a silent step":    {dockerfile(from + "RUN exit 4\n"), []string{"exit (code:|status) 4"}},
		"no instruction":   {dockerfile(from + "RUNN x\n"), []string{"(?i)unknown instruction", "RUNN"}},
		"no file to copy":  {dockerfile(from + "COPY nothing /\n"), []string{"nothing"}},
		"nothing to start": {dockerfile("FROM scratch\nCOPY salt.txt /\n"), []string{"neither ENTRYPOINT nor CMD"}},
		"an unknown user": {dockerfile(from + "USER nobody-knows\nCMD [\"x\"]\n"),
			[]string{`"nobody-knows" is not in /etc/passwd|unknown user error looking up user "nobody-knows"`}},
		"bad .dockerignore": {append(dockerfile(from), peer.File("src/.dockerignore", "[")), []string{".dockerignore", "syntax error in pattern"}},
		"no Dockerfile":     {[]peer.Entry{peer.File("src/salt.txt", "x")}, []string{"image.json", "there is no src/Dockerfile"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			before := imagesOfPrefix(t)
			u := unpack(t, "docker", "bad_1.0", test.code...)
			p := start(t, builder(t, config("")), "build", u.source, u.metadata, u.output)
			assert.Equal(t, 1, p.status(t))
			for _, want := range test.want {
				assert.Regexp(t, want, p.stderr.String())
			}
			for _, image := range imagesOfPrefix(t) { // it was built well, and cannot be used
				if !slices.Contains(before, image) {
					removeBuilt(t, image)
				}
			}
			noContainers(t, metadata.LabelKind, metadata.KindAssembly)
		})
	}
}

// imagesOfPrefix returns the names of all images that Dockerfiles of these tests have created.
func imagesOfPrefix(t *testing.T) []string {
	t.Helper()
	var all []struct{ RepoTags []string }
	require.NoError(t, world.engine.Get(t.Context(), "/images/json", &all))
	var names []string
	for _, image := range all {
		for _, name := range image.RepoTags {
			if strings.HasPrefix(strings.TrimPrefix(name, "localhost/"), prefix+"/docker:") { // podman puts localhost before it
				names = append(names, name)
			}
		}
	}
	return names
}

// After a build is stopped, no step of it keeps running on the engine, and none begins: podman finishes the one that runs.
func TestADockerfileBuildThatIsStopped(t *testing.T) {
	t.Parallel()
	running := "while :; do sleep 0.1; done"
	if isPodman(t) {
		running = "sleep 5"
	}
	// steps returns a package whose steps can be told from all others on the engine's machine.
	steps := func() (first, second string, code []peer.Entry) {
		first, second = "first"+rand.Text(), "second"+rand.Text()
		return first, second, dockerfile(fmt.Sprintf("FROM %s\nUSER root\nCOPY salt.txt /\nRUN : %s; echo the first line; %s\nRUN : %s; sleep 600\n",
			world.baseos, first, running, second))
	}
	t.Run("by a signal", func(t *testing.T) {
		first, second, code := steps()
		u := unpack(t, "docker", "slow_1.0", code...)
		p := start(t, builder(t, config("")), "build", u.source, u.metadata, u.output)
		require.Eventually(t, func() bool { return strings.Contains(p.stderr.String(), " the first line\n") }, limit, 20*time.Millisecond)
		require.True(t, runs(t, first))
		require.NoError(t, p.Process.Signal(syscall.SIGTERM))
		assert.Equal(t, 1, p.status(t))
		assert.Contains(t, p.stderr.String(), `stopped by signal "terminated"`)
		require.Eventually(t, func() bool { return !runs(t, first) }, limit, 50*time.Millisecond, "the engine goes on")
		assert.False(t, runs(t, second), "the engine begins another step")
	})
	t.Run("by its time-out", func(t *testing.T) {
		first, _, code := steps()
		u := unpack(t, "docker", "slow_1.0", code...)
		p := start(t, builder(t, config("  buildTimeout: 3s\n")), "build", u.source, u.metadata, u.output)
		assert.Equal(t, 1, p.status(t))
		assert.Contains(t, p.stderr.String(), "builder.buildTimeout")
		require.Eventually(t, func() bool { return !runs(t, first) }, limit, 50*time.Millisecond, "the engine goes on")
	})
}

// runs reports whether a process on this machine, which is the engine's, has a word in its command.
func runs(t *testing.T, word string) bool {
	t.Helper()
	commands, err := filepath.Glob("/proc/[0-9]*/cmdline")
	require.NoError(t, err)
	return slices.ContainsFunc(commands, func(name string) bool {
		command, _ := os.ReadFile(name) // it may have ended meanwhile
		return bytes.Contains(command, []byte(word))
	})
}

// If several peers install the same package at the same moment, the engine runs each step once, and every failing build
// says why.
func TestTheSameDockerfileAtTheSameTime(t *testing.T) {
	run := func(t *testing.T, recipe string) (statuses []int, said []string, packages []unpacked) {
		code := dockerfile(recipe)
		dir := builder(t, config(""))
		var programs []*program
		for range 3 {
			u := unpack(t, "docker", "same_1.0", code...)
			packages = append(packages, u)
			programs = append(programs, start(t, dir, "build", u.source, u.metadata, u.output))
		}
		for _, p := range programs {
			statuses, said = append(statuses, p.status(t)), append(said, p.stderr.String())
		}
		return statuses, said, packages
	}
	from := "FROM " + world.baseos + "\nUSER root\nCOPY salt.txt /\n"
	t.Run("well", func(t *testing.T) {
		before := dangling(t)
		statuses, said, packages := run(t, from+"RUN sleep 2; head -c 16 /dev/urandom | od -An -tx1 > /random\nCMD [\"cat\", \"/random\"]\n")
		require.Equal(t, []int{0, 0, 0}, statuses, said)
		images := map[string]bool{}
		for _, u := range packages {
			record, err := metadata.ReadRecord(u.output)
			require.NoError(t, err)
			images[record.Image] = true
		}
		require.Len(t, images, 1)
		for image := range images {
			removeBuilt(t, image)
		}
		assert.ElementsMatch(t, before, dangling(t), "an image that lost its name to an equal one")
	})
	t.Run("badly", func(t *testing.T) {
		statuses, said, _ := run(t, from+"RUN sleep 2; echo the reason >&2; exit 3\n")
		assert.Equal(t, []int{1, 1, 1}, statuses)
		for _, text := range said {
			assert.Regexp(t, `same_1\.0 \| `+stepLine, text)
			assert.Contains(t, text, " the reason\n", text)
		}
	})
}

// dangling returns the images of Dockerfiles that have no name.
func dangling(t *testing.T) []string {
	t.Helper()
	var all []struct {
		ID       string `json:"Id"`
		RepoTags []string
		Labels   map[string]string
	}
	require.NoError(t, world.engine.Get(t.Context(), `/images/json?filters={"dangling":["true"]}`, &all))
	var ids []string
	for _, image := range all {
		if image.Labels[metadata.LabelChaincodeType] == "DOCKER" {
			ids = append(ids, image.ID)
		}
	}
	return ids
}
