package platform_test

import (
	"archive/zip"
	"bytes"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/config"
	"fabric-builder-docker/internal/metadata"
)

// pkgFiles are a package's, by path.
type pkgFiles map[string]string

// with is the files with others, which replace those of the same path; a path with an empty text is removed.
func (f pkgFiles) with(others pkgFiles) pkgFiles {
	all := maps.Clone(f)
	for name, text := range others {
		all[name] = text
		if text == "" {
			delete(all, name)
		}
	}
	return all
}

func (f pkgFiles) source() fstest.MapFS {
	source := fstest.MapFS{}
	for name, text := range f {
		source[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return source
}

func TestWhatIsCompiledUnderAKey(t *testing.T) {
	module := pkgFiles{"src/go.mod": "module example.com/cc", "src/main.go": "package main"}
	assembly := pkgFiles{"src/vendor/x.org/sys/asm_amd64.s": "", "src/vendor/modules.txt": "# x"}
	assembly["src/vendor/x.org/sys/asm_amd64.s"] = "RET"
	cgo := pkgFiles{"src/c/c.go": `import "C"`}
	tests := map[string]struct {
		path  string
		files pkgFiles
		want  []string // empty: nothing
	}{
		"Go alone":                          {"", module, nil},
		"Go alone, vendored":                {"", module.with(pkgFiles{"src/vendor/a/a.go": "package a", "src/vendor/modules.txt": "#"}), nil},
		"files that are not compiled":       {"", module.with(pkgFiles{"src/README.md": "x", "src/lib/a.h": "x", "src/lib/a.c": "x"}), nil},
		"assembly":                          {"", module.with(assembly), []string{"./vendor/x.org/sys"}},
		"cgo":                               {"", module.with(cgo), []string{"./c"}},
		"in the package itself":             {"", module.with(pkgFiles{"src/a.S": "x"}), []string{"./."}},
		"below the root":                    {"cc", pkgFiles{"src/cc/go.mod": "module x", "src/cc/a.s": "x", "src/other/b.sx": "x"}, []string{"./.", "../other"}},
		"without a module":                  {"cc", pkgFiles{"src/cc/main.go": `import "C"`}, []string{"./cc"}},
		"at the root of the package":        {"", pkgFiles{"go.mod": "module x", "a/a.swig": "x"}, []string{"./a"}},
		"a replacement":                     {"", module.with(pkgFiles{"src/go.mod": "module x\nreplace a => ./a"}), []string{"all"}},
		"a replacement that is vendored":    {"", module.with(pkgFiles{"src/go.mod": "module x\nreplace a => ./a", "src/vendor/modules.txt": "#"}), nil},
		"a replacement in another module":   {"", module.with(pkgFiles{"src/a/go.mod": "module x\nreplace a => ./a"}), nil},
		"a workspace":                       {"", module.with(pkgFiles{"src/go.work": "go 1.21"}), []string{"all"}},
		"a name that no pattern can hold":   {"", module.with(pkgFiles{"src/a=b/a.s": "x"}), []string{"all"}},
		"a name with dots":                  {"", module.with(pkgFiles{"src/a.../a.s": "x"}), []string{"all"}},
		"version control and what it hides": {"", module.with(pkgFiles{"src/.git/a.s": "x"}), nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := plan(t, metadata.Package{Type: "golang", Path: test.path}, test.files.source()).Command[10:]
			if test.want == nil {
				assert.Equal(t, []string{""}, got)
				return
			}
			assert.Regexp(t, "^[0-9a-f]{64}$", got[0])
			assert.Equal(t, test.want, got[1:])
		})
	}
	many := maps.Clone(module)
	for i := range 300 {
		many["src/a"+strings.Repeat("x", i)+"/a.s"] = "x"
	}
	assert.Equal(t, []string{"all"}, plan(t, metadata.Package{Type: "golang"}, many.source()).Command[11:])
}

func TestWhatChangesTheKey(t *testing.T) {
	base := pkgFiles{"src/go.mod": "module x", "src/main.go": "package main", "src/a.s": "x", "src/inc/a.h": "x"}
	key := func(f pkgFiles) string { return plan(t, metadata.Package{Type: "golang"}, f.source()).Command[10] }
	for name, change := range map[string]pkgFiles{
		"assembly": {"src/a.s": "y"}, "a header elsewhere": {"src/inc/a.h": "y"}, "a new file": {"src/b.inc": "x"},
		"a name": {"src/inc/a.h": "", "src/inc/b.h": "x"}, "no file": {"src/inc/a.h": ""},
	} {
		assert.NotEqual(t, key(base), key(base.with(change)), name)
	}
	for name, change := range map[string]pkgFiles{"Go": {"src/main.go": "package main // y"}, "version control": {"src/.git/HEAD": "x"}} {
		assert.Equal(t, key(base), key(base.with(change)), name)
	}
}

// builds are builds one after another with one cache and the real toolchain, as on one engine.
type builds struct {
	box
	proxy string // of modules
}

func newBuilds(t *testing.T) builds {
	b := builds{newBox(t), t.TempDir()}
	goroot, err := exec.Command("go", "env", "GOROOT").Output()
	require.NoError(t, err)
	b.file("/tools/go", "#!/bin/sh\nexport HOME=ROOT GOTOOLCHAIN=local GOSUMDB=off GOPROXY=${GOPROXY:-file://"+b.proxy+"}\nexec "+
		strings.TrimSpace(string(goroot))+"/bin/go \"$@\"\n", 0o755)
	t.Cleanup(func() { _ = exec.Command("chmod", "-R", "u+w", b.root).Run() }) // the module cache
	return b
}

// module publishes version 1.0.0 of a module.
func (b builds) module(path string, content pkgFiles) {
	b.t.Helper()
	var archive bytes.Buffer
	w := zip.NewWriter(&archive)
	for name, text := range content {
		file, err := w.Create(path + "@v1.0.0/" + name)
		require.NoError(b.t, err)
		_, err = file.Write([]byte(text))
		require.NoError(b.t, err)
	}
	require.NoError(b.t, w.Close())
	dir := filepath.Join(b.proxy, path, "@v")
	require.NoError(b.t, os.MkdirAll(dir, 0o755))
	published := pkgFiles{"list": "v1.0.0\n", "v1.0.0.info": `{"Version":"v1.0.0"}`, "v1.0.0.mod": content["go.mod"], "v1.0.0.zip": archive.String()}
	for name, text := range published {
		require.NoError(b.t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
}

// build builds a package as the build container does, and returns what its program prints and which packages were
// compiled. Environment is that of the container.
func (b builds) build(pkg pkgFiles, environment ...string) (printed string, compiled []string) {
	b.t.Helper()
	require.NoError(b.t, os.RemoveAll(b.path("/chaincode/input")))
	require.NoError(b.t, os.RemoveAll(b.path("/chaincode/output")))
	require.NoError(b.t, os.MkdirAll(b.path("/chaincode/output"), 0o755))
	planned := plan(b.t, metadata.Package{Type: "golang"}, pkg.source())
	for name, text := range pkg {
		if planned.Rooted {
			name = "src/" + name
		}
		b.file("/chaincode/input/"+name, text, 0o644)
	}
	command := planned.Command
	for _, variable := range environment {
		command[2] = "export " + variable + "\n" + command[2]
	}
	status, stderr, _ := b.run(command)
	require.Zero(b.t, status, stderr)
	output, err := exec.Command(b.path("/chaincode/output/chaincode")).Output()
	require.NoError(b.t, err)
	return string(output), strings.Fields(stderr)
}

const (
	goMod  = "module example.com/cc\n\ngo 1.21\n"
	goMain = "package main\n\nimport \"example.com/cc/rate\"\n\nfunc main() { print2(rate.Rate()) }\n"
	// goPrint prints without fmt, which takes long to compile.
	goPrint = "package main\n\nimport (\n\t\"os\"\n\t\"strconv\"\n)\n\nfunc print2(i int64) { os.Stdout.WriteString(strconv.FormatInt(i, 10)) }\n"
	goAsm   = "package rate\n\nfunc Rate() int64\n"
	goCgo   = "package rate\n\n// #cgo CFLAGS: -I${SRCDIR}/../include\n// INCLUDE\nimport \"C\"\n\nfunc Rate() int64 { return C.RATE }\n"
)

var (
	chaincode = pkgFiles{"src/go.mod": goMod, "src/main.go": goMain, "src/print.go": goPrint}
	withAsm   = chaincode.with(pkgFiles{"src/rate/rate.go": goAsm, "src/rate/rate_amd64.s": asm("7")})
	withCgo2  = chaincode.with(pkgFiles{"src/rate/rate.go": strings.ReplaceAll(goCgo, "INCLUDE", `#include "rate.h"`)})
)

// asm is a function in assembly that returns a value.
func asm(value string, includes ...string) string {
	text := "#include \"textflag.h\"\n"
	for _, include := range includes {
		text += "#include \"" + include + "\"\n"
	}
	return text + "TEXT ·Rate(SB), NOSPLIT, $0-8\n\tMOVQ $" + value + ", AX\n\tMOVQ AX, ret+0(FP)\n\tRET\n"
}

// hostileHeader is found ahead of the toolchain's textflag.h, and the go command leaves it out.
const hostileHeader = "//go:build ignore\n#define NOSPLIT 4\n#define RET NEGQ ret+0(FP); BYTE $0xc3\n"

// What the go command does not hash must change a program all the same, and compile no more than is needed.
func TestAChangeThatTheGoCommandDoesNotHash(t *testing.T) {
	oneShell(t, "dash", testAChangeThatTheGoCommandDoesNotHash)
}

func testAChangeThatTheGoCommandDoesNotHash(t *testing.T) {
	b := newBuilds(t)
	for name, test := range map[string]struct{ before, change pkgFiles }{
		"a header in another directory": {
			withCgo2.with(pkgFiles{"src/include/rate.h": "#define RATE 7"}), pkgFiles{"src/include/rate.h": "#define RATE 8"},
		},
		"a header that a header includes": {
			withCgo2.with(pkgFiles{"src/include/rate.h": "#include \"more/rate.h\"", "src/include/more/rate.h": "#define RATE 7"}),
			pkgFiles{"src/include/more/rate.h": "#define RATE 8"},
		},
		"a file beside cgo that is no header": {
			chaincode.with(pkgFiles{"src/rate/rate.go": strings.ReplaceAll(goCgo, "INCLUDE", `#include "rate.inc"`), "src/rate/rate.inc": "#define RATE 7"}),
			pkgFiles{"src/rate/rate.inc": "#define RATE 8"},
		},
		"a static library": {
			chaincode.with(pkgFiles{
				"src/rate/rate.go": "package rate\n\n// #cgo pkg-config: ./rate.pc\n// #define str(x) #x\n// #define RATE ONE+OTHER\nimport \"C\"\n\nfunc Rate() int64 { return C.RATE }\n",
				"src/rate/rate.pc": "Name: rate\nDescription: rate\nVersion: 1\nCflags: -DONE=3 -DOTHER=4\n",
			}),
			pkgFiles{"src/rate/rate.pc": "Name: rate\nDescription: rate\nVersion: 1\nCflags: -DONE=4 -DOTHER=4\n"},
		},
		"what assembly includes from another directory": {
			withAsm.with(pkgFiles{"src/rate/rate_amd64.s": asm("RATE", "../inc/rate.h"), "src/inc/rate.h": "#define RATE 7\n"}),
			pkgFiles{"src/inc/rate.h": "#define RATE 8\n"},
		},
		"what assembly includes and a constraint hides": {
			withAsm.with(pkgFiles{"src/rate/rate_amd64.s": asm("RATE", "rate.h"), "src/rate/rate.h": "// +build ignore\n\n#define RATE 7\n"}),
			pkgFiles{"src/rate/rate.h": "// +build ignore\n\n#define RATE 8\n"},
		},
		"assembly": {withAsm, pkgFiles{"src/rate/rate_amd64.s": asm("8")}},
	} {
		t.Run(name, func(t *testing.T) {
			b.t = t
			printed, _ := b.build(test.before)
			assert.Equal(t, "7", printed)
			printed, compiled := b.build(test.before.with(test.change))
			assert.Equal(t, "8", printed)
			assert.Subset(t, []string{"example.com/cc/rate", "example.com/cc"}, compiled, "no more than that")
			_, compiled = b.build(test.before.with(pkgFiles{"src/print.go": goPrint + "\n// " + name}))
			assert.Equal(t, []string{"example.com/cc"}, compiled, "a Go line compiles its own package alone")
		})
	}
}

// The operator's flags for the compiler stay, and what the go command does not hash still counts.
func TestFlagsForTheCompilerAndAKey(t *testing.T) {
	oneShell(t, "busybox", testFlagsForTheCompilerAndAKey)
}

func testFlagsForTheCompilerAndAKey(t *testing.T) {
	const flags = "GOFLAGS=-gcflags=all=-N"
	b := newBuilds(t)
	pkg := withAsm.with(pkgFiles{"src/rate/rate_amd64.s": asm("RATE", "../inc/rate.h"), "src/inc/rate.h": "#define RATE 7\n"})
	printed, compiled := b.build(pkg, flags)
	assert.Equal(t, "7", printed)
	assert.Contains(t, compiled, "runtime")
	printed, _ = b.build(pkg.with(pkgFiles{"src/inc/rate.h": "#define RATE 8\n"}), flags)
	assert.Equal(t, "8", printed)
	printed, compiled = b.build(pkg, flags)
	assert.Equal(t, "7", printed)
	assert.Empty(t, compiled)
}

// A package is never given what another package's files have made of the same dependency.
func TestAHostilePackageChangesNoOther(t *testing.T) {
	oneShell(t, "busybox", testAHostilePackageChangesNoOther)
}

func testAHostilePackageChangesNoOther(t *testing.T) {
	const inRoot = "/proc/self/root/chaincode/input/src/dep"
	b := newBuilds(t)
	for name, test := range map[string]struct {
		hostile    pkgFiles
		directives string // of its go.mod
	}{
		"vendored":                 {hostile: vendored("textflag.h", hostileHeader)},
		"replaced by another":      {directives: "replace DEP => EVIL v1.0.0\n"},
		"replaced by a directory":  {hostile: hostileCopy, directives: "replace DEP => ./dep\n"},
		"replaced by a way around": {hostile: hostileCopy, directives: "replace DEP => " + inRoot + "\n"},
		"a workspace":              {hostile: hostileCopy.with(pkgFiles{"src/go.work": "go 1.21\n\nuse .\nuse ./dep\n"})},
		"a workspace's way around": {hostile: hostileCopy.with(pkgFiles{"src/go.work": "go 1.21\n\nuse .\nuse " + inRoot + "\n"})},
		"from the cache of modules": {
			hostile:    pkgFiles{"src/more.go": "package main\n\nimport _ \"EVIL\"\n"},
			directives: "require EVIL v1.0.0\nreplace DEP => /chaincode/cache/mod/EVIL@v1.0.0\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			b.t = t
			dep := "example.com/dep" + strconv.Itoa(len(name)) // one for each, in a cache for all
			names := strings.NewReplacer("DEP", dep, "EVIL", dep+"evil")
			module := pkgFiles{"go.mod": "module " + dep + "\n\ngo 1.21\n", "dep.go": depGo, "dep_amd64.s": asm("7")}
			b.module(dep, module)
			b.module(dep+"evil", module.with(pkgFiles{"go.mod": "module " + dep + "evil\n\ngo 1.21\n", "textflag.h": hostileHeader}))
			victim := pkgFiles{
				"src/go.mod": goMod + "\nrequire DEP v1.0.0\n", "src/print.go": goPrint,
				"src/main.go": strings.NewReplacer("example.com/cc/rate", "DEP", "rate.", "dep.").Replace(goMain),
			}
			b.download(dep + "evil@v1.0.0") // an earlier package of the hostile author
			hostile := victim.with(test.hostile).with(pkgFiles{"src/go.mod": victim["src/go.mod"] + test.directives})

			printed, _ := b.build(b.tidy(hostile.replaced(names)))
			require.Equal(t, "-7", printed, "the hostile package does what it is meant to")
			printed, _ = b.build(b.tidy(victim.replaced(names)))
			assert.Equal(t, "7", printed, "a victim that downloads it")
			printed, _ = b.build(victim.with(vendored("LICENSE", "x")).replaced(names))
			assert.Equal(t, "7", printed, "a victim that has it vendored")
		})
	}
}

// replaced is the files with other names in them.
func (f pkgFiles) replaced(names *strings.Replacer) pkgFiles {
	all := pkgFiles{}
	for name, text := range f {
		all[names.Replace(name)] = names.Replace(text)
	}
	return all
}

var (
	depGo = strings.Replace(goAsm, "rate", "dep", 1)
	// hostileCopy is a dependency in a directory of the package, with a header that is not its own.
	hostileCopy = pkgFiles{
		"src/dep/go.mod": "module DEP\n\ngo 1.21\n", "src/dep/dep.go": depGo, "src/dep/dep_amd64.s": asm("7"), "src/dep/textflag.h": hostileHeader,
	}
)

// vendored is a dependency that a package brings, with one file more.
func vendored(name, text string) pkgFiles {
	return pkgFiles{
		"src/vendor/modules.txt": "# DEP v1.0.0\n## explicit; go 1.21\nDEP\n", "src/vendor/DEP/dep.go": depGo,
		"src/vendor/DEP/dep_amd64.s": asm("7"), "src/vendor/DEP/" + name: text,
	}
}

// download puts a module into the cache.
func (b builds) download(module string) {
	b.t.Helper()
	cmd := exec.Command(b.path("/tools/go"), "mod", "download", module)
	cmd.Dir = b.t.TempDir()
	cmd.Env = []string{"PATH=/usr/bin:/bin", "GOMODCACHE=" + b.path("/chaincode/cache/mod")}
	output, err := cmd.CombinedOutput()
	require.NoError(b.t, err, string(output))
}

// tidy adds the sums of what a module depends on.
func (b builds) tidy(pkg pkgFiles) pkgFiles {
	b.t.Helper()
	if pkg["src/vendor/modules.txt"] != "" {
		return pkg
	}
	dir := b.path("/chaincode/input") // where a replacement may point to
	require.NoError(b.t, os.RemoveAll(dir))
	for name, text := range pkg {
		b.file("/chaincode/input/"+name, text, 0o644)
	}
	cmd := exec.Command(b.path("/tools/go"), "list", "-mod=mod", "-deps", ".")
	if pkg["src/go.work"] != "" {
		cmd = exec.Command(b.path("/tools/go"), "version")
	}
	cmd.Dir = filepath.Join(dir, "src")
	cmd.Env = []string{"PATH=/usr/bin:/bin", "GOMODCACHE=" + b.path("/chaincode/cache/mod"), "GOCACHE=" + b.path("/chaincode/cache/tidy")}
	output, err := cmd.CombinedOutput()
	require.NoError(b.t, err, string(output))
	sums, err := os.ReadFile(filepath.Join(dir, "src/go.sum"))
	if err != nil {
		return pkg
	}
	return pkg.with(pkgFiles{"src/go.sum": string(sums)})
}

// CGO_ENABLED counts, whoever has set it.
func TestGoBuildScriptHeedsCGO(t *testing.T) { eachShell(t, testGoBuildScriptHeedsCGO) }

func testGoBuildScriptHeedsCGO(t *testing.T) {
	for value, want := range map[string]string{"0": noCgo, "1": withCgo} {
		b := newBox(t)
		b.tool("/tools/go", "")
		command := plan(t, metadata.Package{Type: "golang", Path: "./cmd"}, source("src/go.mod")).Command
		command[2] = "export CGO_ENABLED=" + value + "\n" + command[2]
		status, stderr, calls := b.run(command)
		require.Zero(t, status, stderr)
		assert.Equal(t, "go in /chaincode/input/src: "+strings.ReplaceAll(want, "BOX", b.root), calls[len(calls)-1])
		assert.NotContains(t, strings.Join(calls, "\n"), " list ", "nothing is looked for")
	}
}

// The image's own modules are one more source, ahead of the others.
func TestModulesOfTheBuilderImage(t *testing.T) { eachShell(t, testModulesOfTheBuilderImage) }

func testModulesOfTheBuilderImage(t *testing.T) {
	b := newBuilds(t)
	b.module("example.com/dep", pkgFiles{"go.mod": "module example.com/dep\n\ngo 1.21\n", "dep.go": "package dep\n\nfunc Rate() int64 { return 7 }\n"})
	pkg := b.tidy(pkgFiles{
		"src/go.mod": goMod + "\nrequire example.com/dep v1.0.0\n", "src/print.go": goPrint,
		"src/main.go": strings.NewReplacer("example.com/cc/rate", "example.com/dep", "rate.", "dep.").Replace(goMain),
	})
	baked := b.path("/baked")
	require.NoError(t, os.Rename(b.path("/chaincode/cache/mod"), baked))
	for name, environment := range map[string][]string{
		"offline":                 {"GOPROXY=off", "GOMODCACHE=" + baked},
		"of a private module":     {"GOPROXY=off", "GOPRIVATE=example.com", "GOMODCACHE=" + baked},
		"without its own setting": {"GOPROXY=off", "GOPATH=" + b.path("/go") + ":/other"},
	} {
		t.Run(name, func(t *testing.T) {
			b.t = t
			if name == "without its own setting" {
				require.NoError(t, os.MkdirAll(b.path("/go/pkg"), 0o755))
				require.NoError(t, os.Symlink(baked, b.path("/go/pkg/mod")))
			}
			_ = exec.Command("chmod", "-R", "u+w", b.path("/chaincode/cache/mod")).Run()
			require.NoError(t, os.RemoveAll(b.path("/chaincode/cache/mod")))
			printed, _ := b.build(pkg, environment...)
			assert.Equal(t, "7", printed)
		})
	}
}

// What the package has of version control must run nothing and disturb nothing.
func TestVersionControlIsLeftOut(t *testing.T) {
	got := plan(t, metadata.Package{Type: "golang"}, source("src/go.mod"))
	for _, name := range []string{".git", ".hg", ".svn", ".bzr", ".fslckout", "*.gch"} {
		assert.True(t, slices.Contains(got.LeftOut, name), name)
	}
	node, err := planFor(metadata.Package{Type: "node"}, nodePackage(), config.Defaults(), nil)
	require.NoError(t, err)
	assert.Empty(t, node.LeftOut, "nobody runs anything because of it there")
}
