// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"archive/tar"
	"bytes"
	"crypto/rand"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/test/peer"
)

// derive creates an image from another one: it adds files, runs a script as root, and applies changes. The image is
// removed when the test ends.
func derive(t *testing.T, from string, files map[string]string, script string, changes ...string) string {
	t.Helper()
	name := prefix + "/derived:" + strings.ToLower(rand.Text())
	id := createContainer(t, "", map[string]any{"Image": from, "User": "0:0", "Cmd": []string{"/bin/sh", "-ec", script}})
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for path, text := range files {
		require.NoError(t, w.WriteHeader(&tar.Header{Name: strings.TrimPrefix(path, "/"), Mode: 0o755, Size: int64(len(text))}))
		_, err := w.Write([]byte(text))
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	require.NoError(t, world.engine.Upload(timeout(t), id, "/", &archive))
	require.NoError(t, world.engine.Post(timeout(t), "/containers/"+id+"/start", nil, nil))
	var ended struct{ StatusCode int }
	require.NoError(t, world.engine.Post(timeout(t), "/containers/"+id+"/wait", nil, &ended))
	require.Zero(t, ended.StatusCode, printedBy(t, id))
	query := url.Values{"container": {id}, "repo": {prefix + "/derived"}, "tag": {name[strings.LastIndex(name, ":")+1:]}, "changes": changes}
	require.NoError(t, world.engine.Post(timeout(t), "/commit?"+query.Encode(), struct{}{}, nil))
	t.Cleanup(func() { assert.NoError(t, world.engine.Delete(background(t), "/images/"+name+"?force=1")) })
	return name
}

// withImage returns config with another builder image.
func withImage(image, extra string) string {
	return strings.Replace(config(extra), "builder: "+world.ccenv, "builder: "+image, 1)
}

// buildByHand builds a package and returns its record and build's stderr.
func buildByHand(t *testing.T, config, packageType string, code ...peer.Entry) (metadata.Record, string) {
	t.Helper()
	u := unpack(t, packageType, "shared_1.0", code...)
	p := start(t, builder(t, config), "build", u.source, u.metadata, u.output)
	require.Zero(t, p.status(t), p.stderr)
	record, err := metadata.ReadRecord(u.output)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, world.engine.Delete(background(t), "/images/"+record.Image+"?force=1")) })
	return record, p.stderr.String()
}

// failsByHand builds a package that does not build, and returns build's stderr.
func failsByHand(t *testing.T, config, packageType string, code ...peer.Entry) string {
	t.Helper()
	u := unpack(t, packageType, "shared_1.0", code...)
	p := start(t, builder(t, config), "build", u.source, u.metadata, u.output)
	require.Equal(t, 1, p.status(t), p.stderr)
	return p.stderr.String()
}

// goPrints returns the output of a golang package's program.
func goPrints(t *testing.T, config string, code ...peer.Entry) string {
	t.Helper()
	record, _ := buildByHand(t, config, "golang", code...)
	program := filepath.Join(t.TempDir(), "chaincode")
	writeProgram(t, program, imageFile(t, record.Image, "/usr/local/bin/chaincode"))
	output, err := exec.Command(program).CombinedOutput()
	require.NoError(t, err, string(output))
	return string(output)
}

// source returns files of a package, given as path and text in turn.
func source(pairs ...string) []peer.Entry {
	var all []peer.Entry
	for i := 0; i < len(pairs); i += 2 {
		all = append(all, peer.File(pairs[i], pairs[i+1]))
	}
	return all
}

// cgoPackage returns a package that prints a number from its C code.
func cgoPackage(c string) []peer.Entry {
	return source("src/go.mod", "module example.com/cgo\n\ngo 1.21\n",
		"src/main.go", "package main\n\n// "+c+"\nimport \"C\"\n\nfunc main() { print(int(C.RATE)) }\n")
}

// The builder image contains the system's headers, so what was compiled with them is not shared with another image. SARMAG is 8
// in every C library. The other image takes a minute of a core, since it compiles the standard library for itself.
func TestTwoBuilderImagesWithDifferentHeaders(t *testing.T) {
	t.Parallel()
	code := append(cgoPackage("#include <ar.h>\n// #define RATE SARMAG"), peer.File("src/salt.txt", rand.Text()))
	other := derive(t, world.ccenv, map[string]string{"/usr/include/ar.h": "#define SARMAG 9\n"}, "true", "USER chaincode")
	assert.Equal(t, "8", goPrints(t, withImage(world.ccenv, ""), code...))
	assert.Equal(t, "9", goPrints(t, withImage(other, ""), code...))
	assert.Equal(t, "8", goPrints(t, withImage(world.ccenv, ""), code...))
}

// A compiler maps a precompiled header into its memory unchecked, so those of packages are not uploaded.
func TestAPrecompiledHeaderIsNotUsed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "rate.h"), []byte("#define RATE 8\n"), 0o644))
	compile := exec.Command("gcc", "-x", "c-header", "-g", "-O2", "-o", "rate.h.gch", "rate.h")
	compile.Dir = dir
	output, err := compile.CombinedOutput()
	require.NoError(t, err, string(output))
	compiled, err := os.ReadFile(filepath.Join(dir, "rate.h.gch"))
	require.NoError(t, err)
	victim := append(cgoPackage(`#include "rate.h"`), peer.File("src/rate.h", "#define RATE 7\n"))
	hostile := append(victim, peer.File("src/rate.h.gch", string(compiled)), peer.File("src/salt.txt", rand.Text()))
	assert.Equal(t, "7", goPrints(t, config(""), hostile...))
	assert.Equal(t, "7", goPrints(t, config(""), append(victim, peer.File("src/salt.txt", rand.Text()))...))
}

// Nearly every vendored chaincode contains golang.org/x/sys/unix. The assembler looks for textflag.h in that directory
// first, and the go command does not hash files that a build constraint excludes.
func TestAHostileHeaderInAVendoredDependency(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module example.com/sys\n\ngo 1.21\n\nrequire golang.org/x/sys v0.1.0\n"), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "main.go"), []byte("package main\n\nimport \"golang.org/x/sys/unix\"\n\n"+
		"// Salt is "+rand.Text()+".\nfunc main() {\n\tpid, _, _ := unix.Syscall(unix.SYS_GETPID, 0, 0, 0)\n\tprint(pid == uintptr(unix.Getpid()))\n}\n"), 0o644))
	for _, args := range [][]string{{"mod", "tidy"}, {"mod", "vendor"}} {
		vendor := exec.Command("go", args...)
		vendor.Dir = dir
		output, err := vendor.CombinedOutput()
		require.NoError(t, err, string(output))
	}
	victim := entries(t, dir)
	const header = "// +build ignore\n\n#define NOSPLIT 4\n#define JMP MOVQ $1, r1+32(FP); RET; CALL\n"
	hostile := append(victim, peer.File("src/vendor/golang.org/x/sys/unix/textflag.h", header))
	assert.Equal(t, "false", goPrints(t, config(""), hostile...), "the hostile package does what it is meant to")
	assert.Equal(t, "true", goPrints(t, config(""), victim...))
}

// The go command's index tells files apart by name, size and time, and an upgrade may change nothing but their content.
func TestAnUpgradeWithFilesOfEqualSize(t *testing.T) {
	t.Parallel()
	version := func(imported, constraint string) []peer.Entry {
		return source("src/go.mod", "module example.com/cc\n\ngo 1.21\n", "src/v1/r.go", "package rate\n\nconst Rate = 1\n", "src/v2/r.go", "package rate\n\nconst Rate = 2\n",
			"src/main.go", "package main\n\nimport \"example.com/cc/"+imported+"\"\n\nvar add = 0\n\nfunc main() { print(rate.Rate + add) }\n",
			"src/guard.go", "//go:build "+constraint+"\n\npackage main\n\nfunc init() { add = 10 }\n", "src/salt.txt", rand.Text())
	}
	assert.Equal(t, "11", goPrints(t, config(""), version("v1", "linux ")...))
	assert.Equal(t, "12", goPrints(t, config(""), version("v2", "linux ")...))
	assert.Equal(t, "2", goPrints(t, config(""), version("v2", "ignore")...))
}

// git runs commands from a repository's settings, and a builder image may have git and run as root.
func TestAPackageWithARepository(t *testing.T) {
	t.Parallel()
	code := append(entries(t, filepath.Join(world.samples, "dies")),
		peer.File("src/.git/HEAD", "ref: refs/heads/main\n"),
		peer.File("src/.git/config", "[core]\n\trepositoryformatversion = 0\n\tfsmonitor = sh ./x.sh\n"),
		peer.File("src/.git/objects/info/x", ""), peer.File("src/.git/refs/heads/x", ""),
		peer.File("src/x.sh", "echo it ran >&2\ntouch /chaincode/output/it-ran\n"))
	root := derive(t, world.ccenv, nil, "true", "USER root")
	for name, image := range map[string]string{"root": root, "chaincode": world.ccenv} {
		t.Run(name, func(t *testing.T) {
			record, said := buildByHand(t, withImage(image, ""), "golang", append(code, peer.File("src/salt.txt", rand.Text()))...)
			assert.NotContains(t, said, "it ran")
			assert.NotContains(t, said, "VCS")
			assert.Equal(t, []string{"/usr/local/bin/chaincode"}, filesIn(t, record.Image, "/usr/local/bin"))
		})
	}
}

// filesIn returns the regular files below a directory of an image.
func filesIn(t *testing.T, image, dir string) []string {
	t.Helper()
	id := createContainer(t, "", map[string]any{"Image": image, "User": "0", "Entrypoint": []string{"find", dir, "-type", "f"}})
	require.NoError(t, world.engine.Post(timeout(t), "/containers/"+id+"/start", nil, nil))
	require.NoError(t, world.engine.Post(timeout(t), "/containers/"+id+"/wait", nil, nil))
	return strings.Fields(printedBy(t, id))
}

// Another user cannot use a cache that root has filled.
func TestBuilderImagesOfDifferentUsers(t *testing.T) {
	t.Parallel()
	root := derive(t, world.ccenv, nil, "true", "USER root")
	for _, image := range []string{root, world.ccenv, root} {
		buildByHand(t, withImage(image, ""), "golang", append(entries(t, filepath.Join(world.samples, "go")), peer.File("src/salt.txt", rand.Text()))...)
	}
}

// moduleOf answers as a proxy for version 1.0.0 of a module with one Go file.
func moduleFiles(t *testing.T, module, text string) http.Handler {
	t.Helper()
	dir := t.TempDir()
	at := filepath.Join(dir, module+"@v1.0.0")
	require.NoError(t, os.MkdirAll(at, 0o755))
	mod := "module " + module + "\n\ngo 1.21\n"
	require.NoError(t, os.WriteFile(filepath.Join(at, "go.mod"), []byte(mod), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(at, "x.go"), []byte(text), 0o644))
	served := filepath.Join(dir, "served", module, "@v")
	require.NoError(t, os.MkdirAll(served, 0o755))
	archive := exec.Command("jar", "--create", "--no-manifest", "--file", filepath.Join(served, "v1.0.0.zip"), "-C", dir, module+"@v1.0.0")
	output, err := archive.CombinedOutput()
	require.NoError(t, err, string(output))
	for name, body := range map[string]string{"list": "v1.0.0\n", "v1.0.0.info": `{"Version":"v1.0.0"}`, "v1.0.0.mod": mod} {
		require.NoError(t, os.WriteFile(filepath.Join(served, name), []byte(body), 0o644))
	}
	return http.FileServer(http.Dir(filepath.Join(dir, "served")))
}

// A private module reaches only builds that were given access to it, wherever a package says it is.
func TestAPrivateModuleReachesNobodyElse(t *testing.T) {
	t.Parallel()
	const module = "private.example/secret"
	proxy := httptest.NewServer(moduleFiles(t, module, "package secret\n\nconst Rate = 7\n"))
	defer proxy.Close()
	given := config(fmt.Sprintf("  build: {environment: {GOPROXY: %q, GONOSUMDB: '*', GOFLAGS: -mod=mod}}\n", proxy.URL))
	// -mod=readonly on the command line takes precedence, so go.sum is needed.
	main := "package main\n\nimport \"" + module + "\"\n\nfunc main() { print(secret.Rate) }\n"
	dir := t.TempDir()
	mod := "module example.com/cc\n\ngo 1.21\n\nrequire " + module + " v1.0.0\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.mod"), []byte(mod), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "main.go"), []byte(main), 0o644))
	tidy := exec.Command("go", "mod", "tidy")
	tidy.Dir, tidy.Env = dir, append(os.Environ(), "GOPROXY="+proxy.URL, "GONOSUMDB=*", "GOMODCACHE="+filepath.Join(dir, "mod"), "GOFLAGS=-modcacherw")
	output, err := tidy.CombinedOutput()
	require.NoError(t, err, string(output))
	sums, err := os.ReadFile(filepath.Join(dir, "go.sum"))
	require.NoError(t, err)

	victim := source("src/go.mod", mod, "src/go.sum", string(sums), "src/main.go", main, "src/salt.txt", rand.Text())
	assert.Equal(t, "7", goPrints(t, given, victim...))
	thief := source("src/main.go", main, "src/salt.txt", rand.Text(),
		"src/go.mod", mod+"\nreplace "+module+" => /chaincode/cache/mod/"+module+"@v1.0.0\n")
	said := failsByHand(t, config(""), "golang", thief...)
	assert.Contains(t, said, "does not exist")
	said = failsByHand(t, config("  build: {environment: {GOPROXY: 'off'}}\n"), "golang", victim...)
	assert.Contains(t, said, "GOPROXY=off")
}

// Companies add modules to their builder image, private ones included, for builds without a network.
func TestModulesThatTheBuilderImageBrings(t *testing.T) {
	t.Parallel()
	const module = "private.example/baked"
	proxy := httptest.NewServer(moduleFiles(t, module, "package baked\n\nconst Rate = 7\n"))
	defer proxy.Close()
	dir := t.TempDir()
	mod, main := "module example.com/cc\n\ngo 1.21\n\nrequire "+module+" v1.0.0\n", "package main\n\nimport \""+module+"\"\n\nfunc main() { print(baked.Rate) }\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.mod"), []byte(mod), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "main.go"), []byte(main), 0o644))
	tidy := exec.Command("go", "mod", "tidy")
	tidy.Dir, tidy.Env = dir, append(os.Environ(), "GOPROXY="+proxy.URL, "GONOSUMDB=*", "GOMODCACHE="+filepath.Join(dir, "mod"), "GOFLAGS=-modcacherw")
	output, err := tidy.CombinedOutput()
	require.NoError(t, err, string(output))
	sums, err := os.ReadFile(filepath.Join(dir, "go.sum"))
	require.NoError(t, err)
	files := map[string]string{}
	require.NoError(t, filepath.WalkDir(filepath.Join(dir, "mod"), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		body, err := os.ReadFile(path)
		files["/go/pkg/mod"+strings.TrimPrefix(path, filepath.Join(dir, "mod"))] = string(body)
		return err
	}))
	image := derive(t, world.ccenv, files, "chmod -R a+rX /go", "ENV GOPATH=/go", "ENV GOPROXY=off", "ENV GOPRIVATE=private.example", "USER chaincode")
	code := source("src/go.mod", mod, "src/go.sum", string(sums), "src/main.go", main, "src/salt.txt", rand.Text())
	assert.Equal(t, "7", goPrints(t, withImage(image, ""), code...))
}

// A setting that changes the program changes the image, even if the package was built before.
func TestAVariableOfBuildsChangesTheImage(t *testing.T) {
	t.Parallel()
	const main = "package main\n\nimport \"runtime/debug\"\n\nfunc main() {\n\tinfo, _ := debug.ReadBuildInfo()\n\tfor _, s := range info.Settings {\n\t\tif s.Key == \"GOAMD64\" {\n\t\t\tprint(s.Value)\n\t\t}\n\t}\n}\n"
	code := source("src/go.mod", "module cc\n\ngo 1.21\n", "src/main.go", main, "src/salt.txt", rand.Text())
	assert.Equal(t, "v1", goPrints(t, config(""), code...))
	assert.Equal(t, "v2", goPrints(t, config("  build: {environment: {GOAMD64: v2}}\n"), code...))
	assert.Equal(t, "v1", goPrints(t, config(""), code...))
}

// Empty directories of a package are kept, because chaincode may expect them.
func TestEmptyDirectoriesReachTheImage(t *testing.T) {
	t.Parallel()
	manifest := `{"name":"x","version":"1.0.0","scripts":{"start":"true"}}`
	lock := `{"name":"x","version":"1.0.0","lockfileVersion":3,"packages":{"":{"name":"x","version":"1.0.0"}}}`
	for name, test := range map[string]struct {
		packageType, path string
		code              []peer.Entry
	}{
		"node, with a lock file": {"node", "/usr/local/src/logs", source("src/package.json", manifest, "src/package-lock.json", lock)},
		"node, without one":      {"node", "/usr/local/src/logs", source("src/package.json", manifest)},
		"Dockerfile":             {"docker", "/logs", source("src/Dockerfile", "FROM "+world.baseos+"\nCOPY logs /logs\nCMD [\"true\"]\n")},
	} {
		t.Run(name, func(t *testing.T) {
			u := unpack(t, test.packageType, "empty_1.0", append(test.code, peer.File("src/salt.txt", rand.Text()))...)
			require.NoError(t, os.Mkdir(filepath.Join(u.source, "src/logs"), 0o700))
			p := start(t, builder(t, config("")), "build", u.source, u.metadata, u.output)
			require.Zero(t, p.status(t), p.stderr)
			record, err := metadata.ReadRecord(u.output)
			require.NoError(t, err)
			removeBuilt(t, record.Image)
			id := createContainer(t, "", map[string]any{"Image": record.Image, "Entrypoint": []string{"test", "-d", test.path}})
			require.NoError(t, world.engine.Post(timeout(t), "/containers/"+id+"/start", nil, nil))
			var ended struct{ StatusCode int }
			require.NoError(t, world.engine.Post(timeout(t), "/containers/"+id+"/wait", nil, &ended))
			assert.Zero(t, ended.StatusCode)
		})
	}
}

// A package's build steps do not see what another package's left in a cache mount.
func TestCacheMountsAreNotShared(t *testing.T) {
	t.Parallel()
	if isPodman(t) { // it shares them, and they are refused
		u := unpack(t, "docker", "cache_1.0", dockerfile("FROM "+world.baseos+"\nUSER root\nRUN --mount=type=cache,target=/tools true\n")...)
		p := start(t, builder(t, config("")), "build", u.source, u.metadata, u.output)
		assert.Equal(t, 1, p.status(t))
		assert.Contains(t, p.stderr.String(), "builder.dockerfile.unsafeMounts")
		return
	}
	recipe := func(command string) []peer.Entry {
		return dockerfile("FROM " + world.baseos + "\nUSER root\nCOPY salt.txt /\nRUN --mount=type=cache,id=tools,target=/tools " + command + "\nCMD [\"cat\", \"/tool\"]\n")
	}
	buildByHand(t, config(""), "docker", recipe("echo evil > /tools/tool && cp /tools/tool /tool")...)
	record, _ := buildByHand(t, config(""), "docker", recipe("test -e /tools/tool || echo good > /tools/tool; cp /tools/tool /tool")...)
	assert.Equal(t, "good\n", string(imageFile(t, record.Image, "/tool")))
}

// https://github.com/npm/rfcs/pull/460: npm runs these root scripts after it has installed the dependencies.
func TestAnNPMScriptThatChangesDependencies(t *testing.T) {
	t.Parallel()
	code := source(
		"src/package.json", `{"name":"n1","version":"1.0.0","scripts":{"dependencies":"[ ! -f patch.js ] || node patch.js","start":"node index.js"},"dependencies":{"is-number":"7.0.0"}}`,
		"src/package-lock.json", `{"name":"n1","version":"1.0.0","lockfileVersion":3,"requires":true,"packages":{"":{"name":"n1","version":"1.0.0","dependencies":{"is-number":"7.0.0"}},`+
			`"node_modules/is-number":{"version":"7.0.0","integrity":"sha512-41Cifkg6e8TylSpdtTpeLVMqvSBEVzTttHvERD741+pnZ8ANv0004MRL43QKPDlK9cGvNp6NZWZUBlbGXYxxng=="}}}`,
		"src/patch.js", "require('fs').appendFileSync('node_modules/is-number/index.js', '// patched')\n", "src/index.js", "", "src/salt.txt", rand.Text())
	record, _ := buildByHand(t, config(""), "node", code...)
	assert.Contains(t, string(imageFile(t, record.Image, "/usr/local/src/node_modules/is-number/index.js")), "// patched")
}

// A linker may be made to run a program: gcc hands its plug-in the options that an object file holds. It also takes such
// an object from the directory it runs in, the upload, if that has a file of a name in one of its own scripts.
func TestCodeThatALinkerRunsReachesNothingShared(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	run := func(name string, args ...string) {
		cmd := exec.Command(name, args...)
		cmd.Dir = dir
		output, err := cmd.CombinedOutput()
		require.NoError(t, err, string(output))
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "e.c"), []byte("int f(void) { return 1; }\n"), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "options"), []byte("'-fno-openmp' '-fno-openacc' '-O1' '-Xassembler' '@/chaincode/input/src/args'\x00"), 0o644))
	run("gcc", "-O1", "-flto", "-Wa,--noexecstack", "-c", "e.c", "-o", "e.o")
	run("objcopy", "--update-section", ".gnu.lto_.opts=options", "e.o", "evil.o")
	object, err := os.ReadFile(filepath.Join(dir, "evil.o"))
	require.NoError(t, err)
	// The message of the standard library is replaced by one of equal length, and what can be written to is noted.
	const script = `for dir in /chaincode/cache/*; do touch $dir/reached 2>/dev/null && echo $dir; done >/chaincode/output/reached
cat /proc/net/dev | grep -c : >/chaincode/output/interfaces
env >/chaincode/output/environment
for file in $(grep -rl 'invalid syntax' /chaincode/cache 2>/dev/null); do sed -i 's/invalid syntax/PWNED!! syntax/' $file 2>/dev/null; done
cat >/dev/null
`
	module := source("src/go.mod", "module example.com/evil\n\ngo 1.21\n")
	evil := source("src/evil.o", string(object), "src/x.sh", script,
		"src/args", "--noexecstack\n-wrapper\n/bin/sh,/chaincode/input/src/x.sh\n", "src/salt.txt", rand.Text())
	main := "import \"strconv\"\n\nfunc main() { strconv.Atoi(\"x\") }\n"
	// Each package has a cache of its own or shares one, and none of the settings reach code of a package.
	given := config("  cache: {scope: SCOPE}\n  build: {environment: {GIT_TOKEN: s3cret, GONOSUMDB: s3cret.example.com}}\n")
	pointer := source("src/go.mod", "module example.com/evil\n\ngo 1.21\n\nrequire github.com/mattn/go-pointer v0.0.1\n", "src/go.sum",
		"github.com/mattn/go-pointer v0.0.1 h1:n+XhsuGeVO6MEAp7xyEukFINEa+Quek5psIR/ylA6o0=\ngithub.com/mattn/go-pointer v0.0.1/go.mod h1:2zXcozF6qYGgmsG+SeTZz3oAbFLdD3OWqnUbNvJZAlc=\n")
	importer := "package main\n\nimport (\n\t\"strconv\"\n\n\t_ \"github.com/mattn/go-pointer\"\n)\n\nfunc main() {\n\t_, err := strconv.Atoi(\"x\")\n\tprint(err.Error())\n}\n"
	hostile := map[string][]peer.Entry{
		"cgo":                              append(module[:1:1], source("src/main.go", "package main\n\n// #cgo LDFLAGS: ${SRCDIR}/evil.o\n// int f(void);\nimport \"C\"\n"+strings.Replace(main, "strconv.Atoi", "C.f(); strconv.Atoi", 1))...),
		"an odd object":                    append(module[:1:1], source("src/main.go", "package main\n\n"+main, "src/x.syso", "/* "+strings.Repeat("x", 200)+" */ INPUT(/chaincode/input/src/evil.o)\n")...),
		"a library that ld looks for here": append(pointer[:2:2], source("src/main.go", importer, "src/libgcc_s.so.1", string(object))...),
	}
	for _, scope := range []string{"engine", "off"} {
		given := strings.Replace(given, "SCOPE", scope, 1)
		for name, code := range hostile {
			t.Run(name+", "+scope, func(t *testing.T) {
				u := unpack(t, "golang", "evil_1.0", append(code, evil...)...)
				p := start(t, builder(t, given), "build", u.source, u.metadata, u.output)
				status := p.status(t)
				assert.Contains(t, p.stderr.String(), "building it without a network")
				if status == 0 { // the program is the package's own affair
					record, err := metadata.ReadRecord(u.output)
					require.NoError(t, err)
					removeBuilt(t, record.Image)
					files := filesIn(t, record.Image, "/usr/local/bin")
					t.Log(files)
					for _, file := range files {
						switch filepath.Base(file) {
						case "reached":
							// They go with its container. std is part of its image: podman gives the user what only root has elsewhere.
							for _, dir := range strings.Fields(string(imageFile(t, record.Image, file))) {
								assert.Contains(t, []string{"/chaincode/cache/build", "/chaincode/cache/mod", "/chaincode/cache/std"}, dir)
							}
						case "interfaces":
							assert.Equal(t, "1\n", string(imageFile(t, record.Image, file)), "loopback alone")
						case "environment":
							assert.NotContains(t, string(imageFile(t, record.Image, file)), "s3cret")
						}
					}
				}
			})
		}
		t.Run("what others build then, "+scope, func(t *testing.T) {
			victim := source("src/go.mod", "module example.com/victim\n\ngo 1.21\n", "src/salt.txt", rand.Text(),
				"src/main.go", "package main\n\nimport \"strconv\"\n\nfunc main() {\n\t_, err := strconv.Atoi(\"x\")\n\tprint(err.Error())\n}\n")
			assert.Equal(t, `strconv.Atoi: parsing "x": invalid syntax`, goPrints(t, given, victim...))
			withC := append(victim[:2:2], cgoPackage("#define RATE 7")...)
			assert.Equal(t, "7", goPrints(t, given, withC...))
			importing := append(pointer[:2:2], source("src/main.go", importer, "src/salt.txt", rand.Text())...)
			assert.Equal(t, `strconv.Atoi: parsing "x": invalid syntax`, goPrints(t, given, importing...))
		})
	}
}

// What npm has installed with a credential is for those alone who have it: another package decides what becomes of it.
func TestASnapshotIsForThoseWhoWereGivenTheSame(t *testing.T) {
	t.Parallel()
	code := source("src/package.json", `{"name":"n","version":"1.0.0","scripts":{"start":"node index.js"}}`,
		"src/package-lock.json", `{"name":"n","version":"1.0.0","lockfileVersion":3,"packages":{"":{"name":"n","version":"1.0.0"}}}`, "src/index.js", "")
	snapshots := map[string]bool{}
	for _, environment := range []string{"{}", "{NPM_TOKEN: a}", "{NPM_TOKEN: b}", "{NPM_TOKEN: a}"} {
		_, said := buildByHand(t, config("  build: {environment: "+environment+", transport: [NPM_TOKEN]}\n"), "node", append(code, peer.File("src/salt.txt", rand.Text()))...)
		_, name, ok := strings.Cut(said, "snapshot="+prefix+"/")
		require.True(t, ok, said)
		snapshots[strings.Fields(name)[0]] = true
	}
	assert.Len(t, snapshots, 3)
	for name := range snapshots {
		removeBuilt(t, prefix+"/"+name)
	}
}
