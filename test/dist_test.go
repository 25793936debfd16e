// SPDX-License-Identifier: Apache-2.0

package test_test

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// copySources copies the files that git has or would add to a directory, as they are now.
func copySources(t *testing.T, dir string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(dir, 0o755))
	output, err := exec.Command("sh", "-c", `cd .. && git ls-files -coz --exclude-standard --deduplicate |
		tar --null --files-from=- --ignore-failed-read -c | tar --no-same-permissions -x -C "$1"`, "sh", dir).CombinedOutput()
	require.NoError(t, err, string(output))
}

// commitSources makes a repository of a directory. The same files give the same commit.
func commitSources(t *testing.T, dir string) {
	t.Helper()
	cmd := exec.Command("sh", "-c", "git init -q && git add -A && git commit -q --no-verify -m Sources")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null")
	for _, who := range []string{"AUTHOR", "COMMITTER"} {
		cmd.Env = append(cmd.Env, "GIT_"+who+"_NAME=Test", "GIT_"+who+"_EMAIL=test@example.com", "GIT_"+who+"_DATE=2026-11-27T05:32:41+02:00")
	}
	output, err := cmd.CombinedOutput()
	require.NoError(t, err, string(output))
}

// makeDist makes the release files for this machine's architecture from the sources in dir, and returns their contents by
// name. Those for the other one differ in a variable, and would take a minute to compile where that was never done.
func makeDist(t *testing.T, dir, umask string, environ ...string) map[string][]byte {
	t.Helper()
	cmd := exec.Command("sh", "-c", "umask "+umask+` && exec make --silent -C "$1" dist PLATFORMS=`+runtime.GOARCH, "sh", dir)
	cmd.Env = slices.Concat(makeCommand("").Env, environ)
	output, err := cmd.CombinedOutput()
	require.NoError(t, err, string(output))
	entries, err := os.ReadDir(filepath.Join(dir, "dist"))
	require.NoError(t, err)
	files := map[string][]byte{}
	for _, entry := range entries {
		files[entry.Name()], err = os.ReadFile(filepath.Join(dir, "dist", entry.Name()))
		require.NoError(t, err)
	}
	return files
}

// unpack returns the modes and contents of an archive's entries by name.
func unpack(t *testing.T, archive io.Reader) (modes map[string]string, contents map[string][]byte) {
	t.Helper()
	modes, contents = map[string]string{}, map[string][]byte{}
	for r := tar.NewReader(archive); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return modes, contents
		}
		require.NoError(t, err)
		assert.Zero(t, header.Uid+header.Gid, header.Name)
		assert.Equal(t, "2026-11-27T03:32:41Z", header.ModTime.UTC().Format("2006-01-02T15:04:05Z"), header.Name)
		modes[header.Name] = header.FileInfo().Mode().String()
		contents[header.Name], err = io.ReadAll(r)
		require.NoError(t, err)
	}
}

func TestReleaseFiles(t *testing.T) {
	goFiles(t, "cmd", "internal", "packaging") // so that go test's cache notices a change of any of them
	dir := t.TempDir()
	one, two := filepath.Join(dir, "one"), filepath.Join(dir, "elsewhere", "two")
	for _, clone := range []string{one, two} {
		copySources(t, clone)
		commitSources(t, clone)
	}
	files := makeDist(t, one, "022")
	again := makeDist(t, two, "077", "GOFLAGS=-buildvcs=true", "GOAMD64=v2", "TZ=Asia/Tokyo", "LC_ALL=C", "GOMAXPROCS=1")

	base := "fabric-builder-docker-" + readVersion(t) + "-linux-" + runtime.GOARCH
	var names []string
	for name, content := range files {
		names = append(names, name)
		assert.True(t, bytes.Equal(content, again[name]), "%s is different when it is made in another directory with other settings", name)
	}
	assert.ElementsMatch(t, []string{"SHA256SUMS", base + ".tar.gz", base + ".image.tar", base + ".cdx.json"}, names)
	assert.Len(t, again, len(files))

	sums := exec.Command("sha256sum", "--check", "--strict", "SHA256SUMS")
	sums.Dir = filepath.Join(one, "dist")
	output, err := sums.CombinedOutput()
	assert.NoError(t, err, string(output))
	assert.Equal(t, len(files)-1, strings.Count(string(output), ": OK\n"))

	packed, err := gzip.NewReader(bytes.NewReader(files[base+".tar.gz"]))
	require.NoError(t, err)
	modes, contents := unpack(t, packed)
	t.Run("tarball", func(t *testing.T) { checkTarball(t, base, modes, contents) })
	t.Run("version", func(t *testing.T) { checkVersion(t, one, contents[base+"/bin/release"]) })
	t.Run("list of modules", func(t *testing.T) { checkModules(t, files[base+".cdx.json"], base, contents) })
	t.Run("image", func(t *testing.T) {
		checkImage(t, filepath.Join(one, "dist", base+".image.tar"), base, contents)
	})
}

func checkTarball(t *testing.T, base string, modes map[string]string, contents map[string][]byte) {
	for name, mode := range map[string]string{
		"/": "drwxr-xr-x", "/bin/": "drwxr-xr-x", "/bin/detect": "-rwxr-xr-x", "/bin/build": "-rwxr-xr-x", "/bin/release": "-rwxr-xr-x",
		"/bin/run": "-rwxr-xr-x", "/config.yaml": "-rw-r--r--", "/LICENSE": "-rw-r--r--", "/NOTICE": "-rw-r--r--", "/README.md": "-rw-r--r--",
	} {
		assert.Equal(t, mode, modes[base+name], name)
	}
	for name := range modes {
		assert.Regexp(t, "^"+regexp.QuoteMeta(base)+"/($|bin/|docs/|config.yaml$|LICENSE$|NOTICE$|README.md$)", name)
	}
	for line := range strings.Lines(string(contents[base+"/config.yaml"])) {
		assert.True(t, strings.TrimSpace(line) == "" || strings.HasPrefix(strings.TrimSpace(line), "#"), "config.yaml sets something: %s", line)
	}
	assert.Contains(t, string(contents[base+"/LICENSE"]), "Apache License")
	assert.Contains(t, string(contents[base+"/NOTICE"]), "github.com/hashicorp/go-hclog")
}

// checkVersion runs a released program: its version is that of the file, with the commit and its date.
func checkVersion(t *testing.T, repository string, program []byte) {
	path := filepath.Join(t.TempDir(), "release")
	require.NoError(t, os.WriteFile(path, program, 0o700))
	output, err := exec.Command(path, "--version").Output()
	require.NoError(t, err)
	commit, err := exec.Command("git", "-C", repository, "rev-parse", "HEAD").Output()
	require.NoError(t, err)
	assert.Equal(t, fmt.Sprintf("release %s, commit %s of 2026-11-27T03:32:41Z (%s, linux/%s)\n", readVersion(t), commit[:12], runtime.Version(), runtime.GOARCH), string(output))
}

// checkModules compares the list of modules with what each program says that it was built of.
func checkModules(t *testing.T, list []byte, base string, contents map[string][]byte) {
	var bom struct {
		BomFormat string
		Metadata  struct {
			Component struct{ Name, Version string }
		}
		Components []struct{ Name, Version string }
	}
	require.NoError(t, json.Unmarshal(list, &bom))
	assert.Equal(t, "CycloneDX", bom.BomFormat)
	assert.Equal(t, struct{ Name, Version string }{module, readVersion(t)}, bom.Metadata.Component)
	listed := map[string]bool{}
	for _, component := range bom.Components {
		listed[component.Name+" "+component.Version] = true
	}
	assert.True(t, listed["std "+runtime.Version()])
	for _, phase := range []string{"detect", "build", "release", "run"} {
		info, err := buildinfo.Read(bytes.NewReader(contents[base+"/bin/"+phase]))
		require.NoError(t, err)
		assert.NotEmpty(t, info.Deps)
		for _, dependency := range info.Deps {
			assert.True(t, listed[dependency.Path+" "+dependency.Version], "%s links %s %s", phase, dependency.Path, dependency.Version)
		}
	}
}

// checkImage compares the files of the image with those of the tarball.
func checkImage(t *testing.T, archive, base string, contents map[string][]byte) {
	image, err := tarball.ImageFromPath(archive, nil)
	require.NoError(t, err)
	config, err := image.ConfigFile()
	require.NoError(t, err)
	assert.Equal(t, "linux/"+runtime.GOARCH, config.OS+"/"+config.Architecture)
	assert.Equal(t, readVersion(t), config.Config.Labels["org.opencontainers.image.version"])
	flat := mutate.Extract(image)
	defer flat.Close()
	_, files := unpack(t, bufio.NewReader(flat))
	const home = "opt/hyperledger/docker_builder/"
	for _, name := range []string{"bin/detect", "bin/build", "bin/release", "bin/run", "config.yaml", "LICENSE", "NOTICE"} {
		assert.True(t, bytes.Equal(contents[base+"/"+name], files[home+name]), name)
		delete(files, home+name)
	}
	for name := range files {
		assert.True(t, strings.HasPrefix(home+"bin/", strings.TrimSuffix(name, "/")+"/"), "unexpected file %s", name)
	}
}

// Sources without git, even inside the repository of something else, have a version, but no commit.
func TestVersionWithoutGit(t *testing.T) {
	outer := t.TempDir()
	sources := filepath.Join(outer, "vendor", module)
	copySources(t, sources)
	require.NoError(t, os.WriteFile(filepath.Join(outer, ".gitignore"), []byte("vendor\n"), 0o600))
	commitSources(t, outer)
	output, err := makeCommand(sources, "--silent", "bin/release").CombinedOutput()
	require.NoError(t, err, string(output))
	version, err := exec.Command(filepath.Join(sources, "bin", "release"), "--version").Output()
	require.NoError(t, err)
	assert.Equal(t, fmt.Sprintf("release %s (%s, %s/%s)\n", readVersion(t), runtime.Version(), runtime.GOOS, runtime.GOARCH), string(version))
	assert.Empty(t, output, "git must not complain")
}
