// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"archive/tar"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var metadata = map[string]any{"type": "golang", "path": "p", "label": "kv"}

func TestInstallCallsTheProgramsWithTheirArguments(t *testing.T) {
	note := `echo "$(basename $0) $# $(ls $1) $(ls $2)" >&2; echo nobody reads this`
	peer := start(t, scripts{
		"detect":  note,
		"build":   note + `; echo built > $3/result`,
		"release": note + `; mkdir -p $2/statedb; echo index > $2/statedb/x`,
	})

	id := peer.install(t, "kv_1.0")

	assert.Equal(t, PackageID("kv_1.0", pkgOf(t, "kv_1.0")), id)
	assert.Equal(t, strings.Join([]string{
		"detect: detect 2 src metadata.json",
		"build: build 3 src metadata.json",
		"release: release 2 result",
	}, "\n")+" \n", peer.journal.String())

	build := peer.Build(id)
	assert.Equal(t, strings.ReplaceAll(id, ":", "-"), filepath.Base(build.Dir))
	assert.Equal(t, filepath.Join(peer.options.Dir, "externalbuilder", "builds"), filepath.Dir(build.Dir))
	assert.FileExists(t, filepath.Join(build.Output, "result"))
	assert.FileExists(t, filepath.Join(build.Release, "statedb", "x"))
	info, err := os.ReadFile(filepath.Join(build.Dir, "build-info.json"))
	require.NoError(t, err)
	assert.JSONEq(t, `{"builder_name":"fake"}`, string(info))
}

func TestInstallUntarsWithThePeersModes(t *testing.T) {
	peer := start(t, scripts{"build": `cd $(dirname $1) && stat -c '%a %n' src src/* src/d/* metadata metadata/* >&2`})
	raw, err := Assemble(metadata,
		Entry{Name: "d/", Type: tar.TypeDir, Mode: 0o40755},
		Entry{Name: "d/plain", Mode: 0o100644},
		Entry{Name: "tool", Mode: 0o100755},
		Entry{Name: "setuid", Mode: 0o104755},
		Entry{Name: "open", Mode: 0o666},
	)
	require.NoError(t, err)

	_, err = peer.Install(t.Context(), raw)

	require.NoError(t, err)
	assert.Equal(t, []string{
		"700 src", "700 src/d", "644 src/open", "755 src/setuid", "755 src/tool", "644 src/d/plain",
		"700 metadata", "700 metadata/metadata.json",
	}, texts(peer.journal))
}

func TestInstallRefusesBadPackages(t *testing.T) {
	code, err := Archive(File("src/main.go", ""))
	require.NoError(t, err)
	outer := func(entries ...Entry) []byte {
		raw, err := Archive(entries...)
		require.NoError(t, err)
		return raw
	}
	assembled := func(metadata map[string]any, entries ...Entry) []byte {
		raw, err := Assemble(metadata, entries...)
		require.NoError(t, err)
		return raw
	}
	labelled := func(label string) []byte { return assembled(map[string]any{"label": label}) }
	good := File("metadata.json", `{"label":"kv"}`)

	tests := map[string]struct {
		pkg  []byte
		want string
	}{
		"not gzipped":             {[]byte("no gzip archive"), "parsing package: gzip: invalid header"},
		"no code":                 {outer(good), "code.tar.gz is missing"},
		"no metadata":             {outer(Entry{Name: "code.tar.gz", Body: code}), "metadata.json is missing"},
		"metadata elsewhere":      {outer(File("./metadata.json", `{"label":"kv"}`), Entry{Name: "code.tar.gz", Body: code}), "metadata.json is missing"},
		"a directory":             {outer(Entry{Name: "d/", Type: tar.TypeDir}, good), "d/ is not a regular file"},
		"metadata is no JSON":     {outer(File("metadata.json", "{"), Entry{Name: "code.tar.gz", Body: code}), "parsing metadata.json"},
		"code is no tar":          {outer(good, File("code.tar.gz", "no gzip archive")), "unpacking code: gzip: invalid header"},
		"empty label":             {labelled(""), "invalid label ''"},
		"label starts with a dot": {labelled(".kv"), "invalid label '.kv'"},
		"label with a slash":      {labelled("a/b"), "invalid label 'a/b'"},
		"label too long":          {labelled(strings.Repeat("l", 174)), "file name too long"},
		"symlink":                 {assembled(metadata, Entry{Name: "l", Type: tar.TypeSymlink, Link: "x"}), "invalid file type '50' contained in archive for file 'l'"},
		"hard link":               {assembled(metadata, File("x", ""), Entry{Name: "l", Type: tar.TypeLink, Link: "x"}), "invalid file type '49'"},
		"fifo":                    {assembled(metadata, Entry{Name: "f", Type: tar.TypeFifo}), "invalid file type '54'"},
		"escaping path":           {assembled(metadata, File("../x", "")), "absolute or escaping path '../x'"},
		"hidden escaping path":    {assembled(metadata, File("a/../../x", "")), "absolute or escaping path"},
		"absolute path":           {assembled(metadata, File("/x", "")), "absolute or escaping path '/x'"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			peer := start(t, nil)
			_, err := peer.Install(t.Context(), test.pkg)
			assert.ErrorContains(t, err, test.want)
			assert.Empty(t, peer.Processes(), "no program is asked")
		})
	}
}

func TestInstallTakesTheLongestLabelAndFurtherKeys(t *testing.T) {
	peer := start(t, scripts{"detect": `cat $2/metadata.json >&2`})
	label := strings.Repeat("l", 173)
	raw, err := Assemble(map[string]any{"label": label, "type": "GOLANG", "more": true}, File("main.go", ""))
	require.NoError(t, err)

	id, err := peer.Install(t.Context(), raw)

	require.NoError(t, err)
	assert.True(t, strings.HasPrefix(id, label+":"))
	assert.Contains(t, peer.journal.String(), `"more":true`)
}

func TestInstallIsNotOurs(t *testing.T) {
	tests := map[string]func(t *testing.T, detect string){
		"detect says no":            func(t *testing.T, detect string) { writeScript(t, detect, "exit 1") },
		"detect cannot be executed": func(t *testing.T, detect string) { require.NoError(t, os.Chmod(detect, 0o600)) },
		"detect is missing":         func(t *testing.T, detect string) { require.NoError(t, os.Remove(detect)) },
	}
	for name, spoil := range tests {
		t.Run(name, func(t *testing.T) {
			peer := start(t, nil)
			spoil(t, filepath.Join(peer.options.BuilderPath, "bin", "detect"))

			id, err := peer.Install(t.Context(), pkgOf(t, "kv"))

			assert.ErrorIs(t, err, ErrNotOurs)
			assert.NoDirExists(t, peer.Build(id).Dir)
		})
	}
}

func TestInstallReportsAFailedBuildByItsStatusAlone(t *testing.T) {
	peer := start(t, scripts{"build": "echo the reason >&2; exit 1"})

	id, err := peer.Install(t.Context(), pkgOf(t, "kv"))

	assert.EqualError(t, err, "could not build chaincode: external builder failed: external builder failed to build: external builder 'fake' failed: exit status 1")
	assert.Equal(t, []string{"the reason"}, texts(peer.journal))
	assert.NoDirExists(t, peer.Build(id).Dir)
	assert.Empty(t, leftovers(t, peer))
}

func TestInstallStartsAtDetectAgainAfterAFailure(t *testing.T) {
	peer := start(t, scripts{"build": "exit 7"})
	_, err := peer.Install(t.Context(), pkgOf(t, "kv"))
	require.ErrorContains(t, err, "external builder 'fake' failed: exit status 7")
	writeScript(t, filepath.Join(peer.options.BuilderPath, "bin", "build"), "exit 0")

	_, err = peer.Install(t.Context(), pkgOf(t, "kv"))

	assert.NoError(t, err)
	assert.Equal(t, []string{"detect", "build", "detect", "build"}, programs(peer))
}

func TestInstallFailsWithRelease(t *testing.T) {
	peer := start(t, scripts{"release": "exit 4"})
	_, err := peer.Install(t.Context(), pkgOf(t, "kv"))
	assert.EqualError(t, err, "could not build chaincode: external builder failed: external builder failed to release: builder 'fake' release failed: exit status 4")
}

func TestInstallSkipsAReleaseThatIsNotExecutable(t *testing.T) {
	peer := start(t, scripts{"release": "exit 4"})
	require.NoError(t, os.Chmod(filepath.Join(peer.options.BuilderPath, "bin", "release"), 0o600))
	peer.install(t, "kv")
	assert.Equal(t, []string{"detect", "build"}, programs(peer))
}

func TestInstallTwice(t *testing.T) {
	peer := start(t, nil)
	id := peer.install(t, "kv")
	again, err := peer.Install(t.Context(), pkgOf(t, "kv"))
	assert.ErrorIs(t, err, ErrInstalled)
	assert.Equal(t, id, again)
	assert.Equal(t, []string{"detect", "build"}, programs(peer))
}

func TestANewPeerFindsTheBuildsOfTheLastOne(t *testing.T) {
	first := start(t, nil)
	id := first.install(t, "kv")
	require.NoError(t, first.Close())

	second := restart(t, first.options, first.journal)
	assert.Equal(t, id, second.install(t, "kv"))
	assert.Empty(t, second.Processes(), "neither detect nor build is run")
	installed, err := second.Installed()
	require.NoError(t, err)
	assert.Equal(t, []string{id}, installed)
}

func TestALegacyPackageHasAnIDWithoutAHash(t *testing.T) {
	peer := start(t, scripts{"run": `cat $2/chaincode.json >&2; exit 1`})
	id, err := peer.InstallLegacy(t.Context(), "mycc", "1.0", pkgOf(t, "mycc"))
	require.NoError(t, err)
	assert.Equal(t, "mycc:1.0", id)
	assert.Equal(t, "mycc-1.0", filepath.Base(peer.Build(id).Dir))
	installed, err := peer.Installed()
	require.NoError(t, err)
	assert.Equal(t, []string{id}, installed)
	assert.Error(t, peer.LaunchAll(t.Context()))
	assert.Contains(t, peer.journal.String(), `"chaincode_id":"mycc:1.0"`)
}

func TestAFailedPackageIsForgotten(t *testing.T) {
	peer := start(t, scripts{"build": "exit 1"})
	_, err := peer.Install(t.Context(), pkgOf(t, "kv"))
	require.Error(t, err)
	installed, err := peer.Installed()
	require.NoError(t, err)
	assert.Empty(t, installed)
}

func TestABuildUnderAnotherNameIsLost(t *testing.T) {
	first := start(t, nil)
	first.install(t, "kv")
	require.NoError(t, first.Close())
	first.options.BuilderName = "renamed"

	second := restart(t, first.options, first.journal)
	_, err := second.Install(t.Context(), pkgOf(t, "kv"))
	assert.ErrorContains(t, err, "was already built with builder 'fake', but that builder is no longer available")
}

// release is copied first, so the output of build is missing altogether.
func TestAHalfCopiedBuildStaysAndIsTakenForOne(t *testing.T) {
	peer := start(t, scripts{
		"build": `echo a > $3/a; mkfifo $3/b`,
		"run":   `ls $1 >&2; exit 5`,
	})
	id, err := peer.Install(t.Context(), pkgOf(t, "kv"))
	require.ErrorContains(t, err, "refusing to copy unsupported file")
	require.DirExists(t, peer.Build(id).Dir)
	require.NoDirExists(t, peer.Build(id).Output)

	assert.Equal(t, id, peer.install(t, "kv"), "the next install succeeds")
	assert.Equal(t, []string{"detect", "build"}, programs(peer), "without building")
	_, err = peer.Launch(t.Context(), id)
	assert.ErrorContains(t, err, "builder 'fake' run failed: exit status 5")
}

func TestABuildWithoutItsNoteIsAnError(t *testing.T) {
	peer := start(t, nil)
	raw := pkgOf(t, "kv")
	id := PackageID("kv", raw)
	require.NoError(t, os.Mkdir(peer.Build(id).Dir, 0o700))
	_, err := peer.Install(t.Context(), raw)
	assert.ErrorContains(t, err, "for build info")
}

func TestADeletedBuildIsMadeAgainAfterARestart(t *testing.T) {
	first := start(t, scripts{"run": "exit 5"})
	id := first.install(t, "kv")
	require.NoError(t, first.Close())
	require.NoError(t, os.RemoveAll(first.Build(id).Dir))

	second := restart(t, first.options, first.journal)
	err := second.LaunchAll(t.Context())
	assert.ErrorContains(t, err, "run failed: exit status 5")
	assert.Equal(t, []string{"detect", "build", "run"}, programs(second))
}

func TestTheContextBoundsTheReplyAndNotTheBuild(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "go")
	peer := start(t, scripts{"build": `mkfifo ` + fifo + `; echo waiting >&2; read line < ` + fifo})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		_, _ = peer.journal.Wait(soon(t), "waiting")
		cancel()
	}()

	id, err := peer.Install(ctx, pkgOf(t, "kv"))

	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, os.WriteFile(fifo, []byte("go\n"), 0))
	assert.ErrorIs(t, secondInstall(t, peer), ErrInstalled, "the build went on and succeeded")
	assert.DirExists(t, peer.Build(id).Output)
}

func secondInstall(t *testing.T, peer *fixture) error {
	_, err := peer.Install(soon(t), pkgOf(t, "kv"))
	return err
}

// The longest line that the peer can read has 64 KiB less one byte.
func TestALineThatIsTooLongEndsTheReading(t *testing.T) {
	line := func(length string) string { return `head -c ` + length + ` /dev/zero | tr '\0' x >&2; echo >&2;` }

	t.Run("65535 bytes", func(t *testing.T) {
		peer := start(t, scripts{"build": line("65535") + "echo after >&2"})
		peer.install(t, "kv")
		assert.False(t, peer.ScannerDied())
		assert.Equal(t, "after", peer.journal.Lines()[1].Text)
	})

	t.Run("65536 bytes", func(t *testing.T) {
		peer := start(t, scripts{"build": line("65536") + "exec head -c 200000 /dev/zero >&2"})
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			_, _ = peer.journal.Wait(soon(t), "command output scanning failed: bufio.Scanner: token too long")
			cancel()
		}()
		_, err := peer.Install(ctx, pkgOf(t, "kv"))
		require.ErrorIs(t, err, context.Canceled, "the install hangs")
		assert.True(t, peer.ScannerDied())
		build := peer.Processes()[1]
		assert.Equal(t, "build", build.Program())
		assert.False(t, build.Ended(), "the program hangs in its write")
		assert.Error(t, build.Wait(expired(t)))
	})
}

func expired(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	t.Cleanup(cancel)
	return ctx
}

func texts(journal *Journal) []string {
	var texts []string
	for _, line := range journal.Lines() {
		texts = append(texts, line.Text)
	}
	return texts
}

func programs(peer *fixture) []string {
	var names []string
	for _, process := range peer.Processes() {
		names = append(names, process.Program())
	}
	return names
}

// leftovers returns the scratch directories that still exist.
func leftovers(t *testing.T, peer *fixture) []string {
	t.Helper()
	entries, err := os.ReadDir(peer.scratchDir())
	require.NoError(t, err)
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}
