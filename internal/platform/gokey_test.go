// SPDX-License-Identifier: Apache-2.0

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
	"sync"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/config"
	"fabric-builder-docker/internal/content"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/platform"
)

// pkgFiles maps the paths of a package's files to their contents.
type pkgFiles map[string]string

// with returns the files with others added or replaced. A path with an empty text is removed.
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
		want  []string // patterns; nil if there is no key
	}{
		"Go alone":                          {"", module, nil},
		"Go alone, vendored":                {"", module.with(pkgFiles{"src/vendor/a/a.go": "package a", "src/vendor/modules.txt": "#"}), nil},
		"files that are not compiled":       {"", module.with(pkgFiles{"src/README.md": "x", "src/lib/a.h": "x", "src/lib/a.c": "x"}), nil},
		"assembly":                          {"", module.with(assembly), []string{"./vendor/x.org/sys"}},
		"cgo is built elsewhere":            {"", module.with(cgo), nil},
		"in the package itself":             {"", module.with(pkgFiles{"src/a.s": "x"}), []string{"./."}},
		"below the root":                    {"cc", pkgFiles{"src/cc/go.mod": "module x", "src/cc/a.s": "x", "src/other/b.s": "x"}, []string{"./.", "../other"}},
		"without a module":                  {"cc", pkgFiles{"src/cc/main.go": "package main", "src/cc/a.s": "x"}, []string{"./cc"}},
		"at the root of the package":        {"", pkgFiles{"go.mod": "module x", "a/a.s": "x"}, []string{"./a"}},
		"a replacement":                     {"", module.with(pkgFiles{"src/go.mod": "module x\nreplace a => ./a"}), []string{"all"}},
		"a replacement that is vendored":    {"", module.with(pkgFiles{"src/go.mod": "module x\nreplace a => ./a", "src/vendor/modules.txt": "#"}), nil},
		"a replacement in another module":   {"", module.with(pkgFiles{"src/a/go.mod": "module x\nreplace a => ./a"}), nil},
		"a workspace":                       {"", module.with(pkgFiles{"src/go.work": "go 1.21"}), []string{"all"}},
		"a name that no pattern can hold":   {"", module.with(pkgFiles{"src/a=b/a.s": "x"}), []string{"all"}},
		"a name with dots":                  {"", module.with(pkgFiles{"src/a.../a.s": "x"}), []string{"all"}},
		"assembly in version control files": {"", module.with(pkgFiles{"src/.git/a.s": "x"}), nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := plan(t, metadata.Package{Type: "golang", Path: test.path}, test.files.source()).Command[11:]
			if test.want == nil {
				assert.Equal(t, []string{""}, got)
				return
			}
			assert.Regexp(t, "^[0-9a-f]{64}$", got[0])
			assert.Equal(t, test.want, got[1:])
		})
	}
	index := func(f pkgFiles) string { return plan(t, metadata.Package{Type: "golang"}, f.source()).Command[10] }
	assert.Equal(t, "on", index(module.with(assembly)))
	assert.Equal(t, "off", index(tests["a replacement"].files), "a replacement may be a module that is still being downloaded")
	assert.Equal(t, "off", index(tests["a workspace"].files))
	many := maps.Clone(module)
	for i := range 300 {
		many["src/a"+strings.Repeat("x", i)+"/a.s"] = "x"
	}
	assert.Equal(t, []string{"all"}, plan(t, metadata.Package{Type: "golang"}, many.source()).Command[12:])
}

func TestWhatChangesTheKey(t *testing.T) {
	base := pkgFiles{
		"src/go.mod": "module x", "src/main.go": "package main", "src/a.s": "// It includes a header.\n#include \"inc/a.h\"", "src/inc/a.h": "x",
		"src/LICENSE": "Derivative Works shall not include works that remain separable", "src/README.md": "#include \"main.go\"",
	}
	key := func(f pkgFiles) string { return plan(t, metadata.Package{Type: "golang"}, f.source()).Command[11] }
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

// builds runs builds one after another with one cache and the real toolchain, as on one engine.
type builds struct {
	box
	proxy string // directory of a file:// module proxy
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

// compiledBefore has a copy of what an earlier build has left in its cache.
var compiledBefore struct {
	once sync.Once
	dir  string
}

// newWarmBuilds returns builds on an engine that has built a package before, with the files of another test: compiling what all
// packages import takes 10 s of a core. It is for tests that do not look at what is compiled of the standard library.
func newWarmBuilds(t *testing.T) builds {
	b := newBuilds(t)
	cache := b.path("/chaincode/cache/build")
	compiledBefore.once.Do(func() {
		b.build(chaincode.with(pkgFiles{"src/rate/rate.go": "package rate\n\nfunc Rate() int64 { return 7 }\n"}))
		dir, err := os.MkdirTemp("", "compiled")
		require.NoError(t, err)
		copyTree(t, cache, dir)
		compiledBefore.dir = dir
	})
	require.NotEmpty(t, compiledBefore.dir, "another test has failed to fill the cache")
	require.NoError(t, os.RemoveAll(cache))
	require.NoError(t, os.MkdirAll(cache, 0o755))
	copyTree(t, compiledBefore.dir, cache)
	return b
}

func copyTree(t *testing.T, from, to string) {
	t.Helper()
	output, err := exec.Command("cp", "-R", from+"/.", to).CombinedOutput()
	require.NoError(t, err, string(output))
}

// TestMain removes what the tests share.
func TestMain(m *testing.M) {
	status := m.Run()
	if compiledBefore.dir != "" {
		os.RemoveAll(compiledBefore.dir)
	}
	os.Exit(status)
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

// build builds a package as the build containers do, and returns what its program prints and which packages were compiled.
// Environment is that of the containers. A build with C has a cache of its own, which goes with it.
func (b builds) build(pkg pkgFiles, environment ...string) (printed string, compiled []string) {
	b.t.Helper()
	status, stderr := b.attempt(pkg, environment...)
	require.Zero(b.t, status, stderr)
	output, err := exec.Command(b.path("/chaincode/output/chaincode")).Output()
	require.NoError(b.t, err)
	return string(output), strings.Fields(stderr)
}

// attempt builds a package and returns the exit status and stderr of its last container.
func (b builds) attempt(pkg pkgFiles, environment ...string) (int, string) {
	b.t.Helper()
	for _, dir := range []string{"/chaincode/input", "/chaincode/output"} {
		require.NoError(b.t, os.RemoveAll(b.path(dir)))
	}
	require.NoError(b.t, os.MkdirAll(b.path("/chaincode/output"), 0o755))
	planned := plan(b.t, metadata.Package{Type: "golang"}, pkg.source())
	left, err := content.Read(pkg.source())
	require.NoError(b.t, err)
	for _, f := range left.Without(planned.LeftOut...).Files {
		if f.Dir {
			continue
		}
		name := f.Path
		if planned.CodeAtRoot {
			name = "src/" + name
		}
		name = "/chaincode/input/" + name
		b.file(name, pkg[f.Path], 0o644)
		require.NoError(b.t, os.Chtimes(b.path(name), planned.ModTime, planned.ModTime))
	}
	status, stderr := b.call(planned.Command, environment...)
	if status != platform.NeedsC {
		return status, stderr
	}
	shared := b.path("/chaincode/cache/build")
	require.NoError(b.t, os.Rename(shared, shared+"-shared"))
	defer func() {
		require.NoError(b.t, os.RemoveAll(shared))
		require.NoError(b.t, os.Rename(shared+"-shared", shared))
	}()
	if _, err := os.Stat(b.path("/chaincode/cache/std")); err != nil {
		status, stderr := b.call(planned.WithC.Base.Command, environment...)
		require.Zero(b.t, status, stderr)
		require.NoError(b.t, os.Rename(b.path("/chaincode/output"), b.path("/chaincode/cache/std")))
		require.NoError(b.t, os.Mkdir(b.path("/chaincode/output"), 0o755))
	}
	require.NoError(b.t, os.MkdirAll(shared, 0o755))
	if planned.WithC.Modules != nil {
		modules := b.path("/chaincode/cache/mod")
		if status, stderr := b.call(planned.WithC.Modules.Command, environment...); status != 0 {
			return status, stderr
		}
		require.NoError(b.t, os.MkdirAll(modules, 0o755)) // a package without modules has none
		require.NoError(b.t, os.Rename(modules, modules+"-shared"))
		require.NoError(b.t, os.Rename(b.path("/chaincode/output/mod"), modules))
		defer func() {
			_ = exec.Command("chmod", "-R", "u+w", modules).Run()
			require.NoError(b.t, os.RemoveAll(modules))
			require.NoError(b.t, os.Rename(modules+"-shared", modules))
		}()
	}
	own := slices.DeleteFunc(slices.Clone(environment), func(variable string) bool { return strings.HasPrefix(variable, "GOSUMDB=") })
	for _, variable := range planned.WithC.Environment {
		own = append(own, b.inside(variable))
	}
	return b.call(planned.WithC.Command, own...)
}

func (b builds) call(command []string, environment ...string) (int, string) {
	command = slices.Clone(command)
	for _, variable := range environment {
		command[2] = "export " + variable + "\n" + command[2]
	}
	status, stderr, _ := b.run(command)
	return status, stderr
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

// asm returns the source of an assembly function that returns value.
func asm(value string, includes ...string) string {
	text := "#include \"textflag.h\"\n"
	for _, include := range includes {
		text += "#include \"" + include + "\"\n"
	}
	return text + "TEXT ·Rate(SB), NOSPLIT, $0-8\n\tMOVQ $" + value + ", AX\n\tMOVQ AX, ret+0(FP)\n\tRET\n"
}

// hostileHeader is included instead of the toolchain's textflag.h, but the go command does not hash it.
const hostileHeader = "//go:build ignore\n#define NOSPLIT 4\n#define RET NEGQ ret+0(FP); BYTE $0xc3\n"

// A change to a file that the go command does not hash must change the program, and must not compile more than needed.
func TestAChangeThatTheGoCommandDoesNotHash(t *testing.T) {
	oneShell(t, "dash", testAChangeThatTheGoCommandDoesNotHash)
}

func testAChangeThatTheGoCommandDoesNotHash(t *testing.T) {
	b := newWarmBuilds(t)
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
		"a Go file that assembly includes": {
			withAsm.with(pkgFiles{"src/rate/rate_amd64.s": asm("RATE", "../inc/rate.go"), "src/inc/rate.go": "#define RATE 7\n"}),
			pkgFiles{"src/inc/rate.go": "#define RATE 8\n"},
		},
		"a Go file with a hidden name, through a header": {
			withAsm.with(pkgFiles{"src/rate/rate_amd64.s": asm("RATE", "rate.h"), "src/rate/rate.h": "# /*\n*/ include /*\n*/ \"_x\\x2ego\"\n", "src/rate/_x.go": "#define RATE 7\n"}),
			pkgFiles{"src/rate/_x.go": "#define RATE 8\n"},
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
			assert.Subset(t, []string{"example.com/cc", "example.com/cc/rate"}, compiled, "a changed Go line compiles nothing else")
		})
	}
}

// The operator's compiler flags are preserved, and changes that the go command does not hash are still noticed.
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

// No build uses a dependency that was compiled with the files of another package.
func TestAHostilePackageChangesNoOther(t *testing.T) {
	oneShell(t, "busybox", testAHostilePackageChangesNoOther)
}

func testAHostilePackageChangesNoOther(t *testing.T) {
	const inRoot = "/proc/self/root/chaincode/input/src/dep"
	b, number := newWarmBuilds(t), 0
	for name, test := range map[string]struct {
		hostile    pkgFiles
		directives string // of its go.mod
	}{
		"vendored":                 {hostile: vendored("textflag.h", hostileHeader)},
		"replaced by another":      {directives: "replace DEP => EVIL v1.0.0\n"},
		"replaced by a directory":  {hostile: hostileCopy, directives: "replace DEP => ./dep\n"},
		"replaced by a /proc path": {hostile: hostileCopy, directives: "replace DEP => " + inRoot + "\n"},
		"a workspace":              {hostile: hostileCopy.with(pkgFiles{"src/go.work": "go 1.21\n\nuse .\nuse ./dep\n"})},
		"a workspace's /proc path": {hostile: hostileCopy.with(pkgFiles{"src/go.work": "go 1.21\n\nuse .\nuse " + inRoot + "\n"})},
		"from the module cache": {
			hostile:    pkgFiles{"src/more.go": "package main\n\nimport _ \"EVIL\"\n"},
			directives: "require EVIL v1.0.0\nreplace DEP => /chaincode/cache/mod/EVIL@v1.0.0\n",
		},
	} {
		number++
		t.Run(name, func(t *testing.T) {
			b.t = t
			dep := "example.com/dep" + strconv.Itoa(number) // unique, because all cases share one cache
			names := strings.NewReplacer("DEP", dep, "EVIL", dep+"evil")
			module := pkgFiles{"go.mod": "module " + dep + "\n\ngo 1.21\n", "dep.go": depGo, "dep_amd64.s": asm("7")}
			b.module(dep, module)
			b.module(dep+"evil", module.with(pkgFiles{"go.mod": "module " + dep + "evil\n\ngo 1.21\n", "textflag.h": hostileHeader}))
			victim := pkgFiles{
				"src/go.mod": goMod + "\nrequire DEP v1.0.0\n", "src/print.go": goPrint,
				"src/main.go": strings.NewReplacer("example.com/cc/rate", "DEP", "rate.", "dep.").Replace(goMain),
			}
			b.download(dep + "evil@v1.0.0") // for an earlier package of the attacker
			hostile := victim.with(test.hostile).with(pkgFiles{"src/go.mod": victim["src/go.mod"] + test.directives})

			printed, _ := b.build(b.tidy(hostile.replaced(names)))
			require.Equal(t, "-7", printed, "the hostile package works as intended")
			printed, _ = b.build(b.tidy(victim.replaced(names)))
			assert.Equal(t, "7", printed, "a victim that downloads the dependency")
			printed, _ = b.build(victim.with(vendored("LICENSE", "x")).replaced(names))
			assert.Equal(t, "7", printed, "a victim that vendors the dependency")
		})
	}
}

// The version of a module does not determine what its assembly includes from the package that is built.
func TestAModuleThatIncludesFilesOfThePackage(t *testing.T) {
	eachShell(t, testAModuleThatIncludesFilesOfThePackage)
}

func testAModuleThatIncludesFilesOfThePackage(t *testing.T) {
	b := newWarmBuilds(t)
	uploaded := b.path("/chaincode/input/src/rate.h")
	for name, assembly := range map[string]string{
		"absolute": asm("RATE", uploaded),
		"relative": asm("RATE", "../../../../input/src/rate.h"),
		"comment":  "/*\n// */ #include /* \n */ \"" + uploaded + "\"\n" + asm("RATE"),
		"header":   asm("RATE", "more.h"),
		"hidden":   asm("RATE", ".more.h"),
		"binary":   "// \xff\n" + asm("RATE", uploaded) + "// \x00\n",
	} {
		t.Run(name, func(t *testing.T) {
			b.t = t
			dep := "example.com/" + name
			b.module(dep, pkgFiles{
				"go.mod": "module " + dep + "\n\ngo 1.21\n", "dep.go": strings.ReplaceAll(goAsm, "package rate", "package dep"), "dep_amd64.s": assembly,
				"more.h": "#include \"" + uploaded + "\"\n", ".more.h": "#include \"" + uploaded + "\"\n",
			})
			pkg := b.tidy(pkgFiles{
				"src/go.mod": goMod + "\nrequire " + dep + " v1.0.0\n", "src/print.go": goPrint, "src/rate.h": "#define RATE 7\n",
				"src/main.go": strings.NewReplacer("example.com/cc/rate", dep, "rate.", "dep.").Replace(goMain),
			})
			for _, environment := range []string{"CGO_ENABLED=", "CGO_ENABLED=0"} {
				for _, rate := range []string{"7", "8"} {
					printed, compiled := b.build(pkg.with(pkgFiles{"src/rate.h": "#define RATE " + rate + "\n"}), environment)
					assert.Equal(t, rate, printed, environment)
					assert.NotContains(t, compiled, "runtime")
				}
			}
		})
	}
}

// Most modules with assembly include nothing but headers of the toolchain and their own: they are compiled once.
func TestAModuleWithPlainAssemblyIsCompiledOnce(t *testing.T) {
	oneShell(t, "dash", testAModuleWithPlainAssemblyIsCompiledOnce)
}

func testAModuleWithPlainAssemblyIsCompiledOnce(t *testing.T) {
	b := newWarmBuilds(t)
	b.module("example.com/plain", pkgFiles{
		"go.mod": "module example.com/plain\n\ngo 1.21\n", "dep.go": strings.ReplaceAll(goAsm, "package rate", "package dep"),
		"dep_amd64.s": "// This includes own headers.\n" + asm("RATE", "own.h"), "own.h": "#define RATE 7\n",
	})
	pkg := b.tidy(pkgFiles{
		"src/go.mod": goMod + "\nrequire example.com/plain v1.0.0\n", "src/print.go": goPrint,
		"src/main.go": strings.NewReplacer("example.com/cc/rate", "example.com/plain", "rate.", "dep.").Replace(goMain),
	})
	printed, compiled := b.build(pkg)
	assert.Equal(t, "7", printed)
	assert.Contains(t, compiled, "example.com/plain")
	_, compiled = b.build(pkg.with(pkgFiles{"src/print.go": goPrint + "\n// changed"}))
	assert.NotContains(t, compiled, "example.com/plain")
	assert.NotContains(t, compiled, "runtime")
}

// The container that needs C has no network: the toolchain comes with the modules, and nothing asks a checksum database for it.
func TestABuildWithCAndADownloadedToolchain(t *testing.T) {
	oneShell(t, "dash", testABuildWithCAndADownloadedToolchain)
}

func testABuildWithCAndADownloadedToolchain(t *testing.T) {
	b := newWarmBuilds(t)
	const version = "v0.0.1-go1.26.99.linux-amd64"
	local, err := os.ReadFile(b.path("/tools/go"))
	require.NoError(t, err)
	var archive bytes.Buffer
	w := zip.NewWriter(&archive)
	for name, text := range map[string]string{
		"bin/go":     "#!/bin/sh\ntouch " + b.path("/used") + "\nunset GOTOOLCHAIN_INTERNAL_SWITCH_VERSION GOTOOLCHAIN_INTERNAL_SWITCH_COUNT GOROOT\n" + string(local),
		"pkg/tool/x": "", "lib/x": "", "bin/gofmt": "",
	} {
		file, err := w.Create("golang.org/toolchain@" + version + "/" + name)
		require.NoError(t, err)
		_, err = file.Write([]byte(text))
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	dir := filepath.Join(b.proxy, "golang.org/toolchain/@v")
	require.NoError(t, os.MkdirAll(dir, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, version+".zip"), archive.Bytes(), 0o644))
	downloads := strings.NewReplacer("GOTOOLCHAIN=local", "GOTOOLCHAIN=auto", "GOSUMDB=off", "GOSUMDB=${GOSUMDB:-sum.golang.org}").Replace(string(local))
	require.NoError(t, os.WriteFile(b.path("/tools/go"), []byte(downloads), 0o755))

	printed, _ := b.build(withCgo2.with(pkgFiles{"src/include/rate.h": "#define RATE 7", "src/go.mod": goMod + "\ntoolchain go1.26.99\n"}),
		"GOPATH="+b.path("/go"), "GOSUMDB=off") // the image has no modules; there is no checksum database
	assert.Equal(t, "7", printed)
	assert.FileExists(t, b.path("/used"))
}

// replaced applies a replacer to the paths and contents of the files.
func (f pkgFiles) replaced(names *strings.Replacer) pkgFiles {
	all := pkgFiles{}
	for name, text := range f {
		all[names.Replace(name)] = names.Replace(text)
	}
	return all
}

var (
	depGo = strings.Replace(goAsm, "rate", "dep", 1)
	// hostileCopy is a copy of the dependency in a directory of the package, with an added header.
	hostileCopy = pkgFiles{
		"src/dep/go.mod": "module DEP\n\ngo 1.21\n", "src/dep/dep.go": depGo, "src/dep/dep_amd64.s": asm("7"), "src/dep/textflag.h": hostileHeader,
	}
)

// vendored returns a vendored dependency with one additional file.
func vendored(name, text string) pkgFiles {
	return pkgFiles{
		"src/vendor/modules.txt": "# DEP v1.0.0\n## explicit; go 1.21\nDEP\n", "src/vendor/DEP/dep.go": depGo,
		"src/vendor/DEP/dep_amd64.s": asm("7"), "src/vendor/DEP/" + name: text,
	}
}

// download adds a module to the module cache.
func (b builds) download(module string) {
	b.t.Helper()
	cmd := exec.Command(b.path("/tools/go"), "mod", "download", module)
	cmd.Dir = b.t.TempDir()
	cmd.Env = []string{"PATH=/usr/bin:/bin", "GOMODCACHE=" + b.path("/chaincode/cache/mod")}
	output, err := cmd.CombinedOutput()
	require.NoError(b.t, err, string(output))
}

// tidy adds go.sum to a package.
func (b builds) tidy(pkg pkgFiles) pkgFiles {
	b.t.Helper()
	if pkg["src/vendor/modules.txt"] != "" {
		return pkg
	}
	dir := b.path("/chaincode/input") // a replacement may refer to it
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

// CGO_ENABLED in the environment decides whether cgo is used.
func TestGoBuildScriptHeedsCGO(t *testing.T) { eachShell(t, testGoBuildScriptHeedsCGO) }

func testGoBuildScriptHeedsCGO(t *testing.T) {
	const list = "list -mod=readonly -deps -f {{if and (or .CgoFiles .SwigFiles .SwigCXXFiles .SysoFiles) (not .Standard)}}{{.ImportPath}}{{end}} ./cmd (CGO_ENABLED=1)"
	for value, want := range map[string]struct {
		status int
		last   string
	}{"0": {0, noCgo}, "1": {platform.NeedsC, list}} {
		b := newBox(t)
		b.tool("/tools/go", "")
		command := plan(t, metadata.Package{Type: "golang", Path: "./cmd"}, source("src/go.mod")).Command
		command[2] = "export CGO_ENABLED=" + value + "\n" + command[2]
		status, stderr, calls := b.run(command)
		assert.Equal(t, want.status, status, stderr)
		assert.Equal(t, "go in /chaincode/input/src: "+strings.ReplaceAll(want.last, "BOX", b.root), calls[len(calls)-1])
		assert.NotContains(t, strings.Join(calls[:len(calls)-1], "\n"), ".CgoFiles", "the script does not search for cgo")
	}
}

// The modules of the image take precedence over other sources.
func TestModulesOfTheBuilderImage(t *testing.T) { eachShell(t, testModulesOfTheBuilderImage) }

func testModulesOfTheBuilderImage(t *testing.T) {
	b := newWarmBuilds(t)
	b.module("example.com/dep", pkgFiles{"go.mod": "module example.com/dep\n\ngo 1.21\n", "dep.go": "package dep\n\nfunc Rate() int64 { return 7 }\n"})
	pkg := b.tidy(pkgFiles{
		"src/go.mod": goMod + "\nrequire example.com/dep v1.0.0\n", "src/print.go": goPrint,
		"src/main.go": strings.NewReplacer("example.com/cc/rate", "example.com/dep", "rate.", "dep.").Replace(goMain),
	})
	baked := b.path("/baked")
	require.NoError(t, os.Rename(b.path("/chaincode/cache/mod"), baked))
	for name, environment := range map[string][]string{
		"offline":             {"GOPROXY=off", "GOMODCACHE=" + baked},
		"of a private module": {"GOPROXY=off", "GOPRIVATE=example.com", "GOMODCACHE=" + baked},
		"without GOMODCACHE":  {"GOPROXY=off", "GOPATH=" + b.path("/go") + ":/other"},
	} {
		t.Run(name, func(t *testing.T) {
			b.t = t
			if name == "without GOMODCACHE" {
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

// Version control files in a package must not run anything or fail the build.
func TestVersionControlIsLeftOut(t *testing.T) {
	got := plan(t, metadata.Package{Type: "golang"}, source("src/go.mod"))
	for _, name := range []string{".git", ".hg", ".svn", ".bzr", ".fslckout", "*.gch"} {
		assert.True(t, slices.Contains(got.LeftOut, name), name)
	}
	node, err := planFor(metadata.Package{Type: "node"}, nodePackage(), config.Defaults(), nil)
	require.NoError(t, err)
	assert.Empty(t, node.LeftOut, "node builds do not run version control tools")
}

// The go command's index of directories knows files by name, size and time: with it, an upgrade that changed an import or
// a constraint of equal length was built as before, and a package could decide which files of another one count.
func TestFilesOfEqualSizeAreNotMixedUp(t *testing.T) {
	oneShell(t, "dash", testFilesOfEqualSizeAreNotMixedUp)
}

func testFilesOfEqualSizeAreNotMixedUp(t *testing.T) {
	const replaced = "module example.com/cc\n\ngo 1.21\n\nreplace example.com/other => ./other\n"
	b := newWarmBuilds(t)
	rate := func(import_, constraint string) pkgFiles {
		return chaincode.with(pkgFiles{
			"src/main.go":  "package main\n\nimport \"example.com/cc/" + import_ + "\"\n\nvar add int64\n\nfunc main() { print2(rate.Rate() + add) }\n",
			"src/guard.go": "//go:build " + constraint + "\n\npackage main\n\nfunc init() { add = 10 }\n",
			"src/v1/r.go":  "package rate\n\nfunc Rate() int64 { return 1 }\n", "src/v2/r.go": "package rate\n\nfunc Rate() int64 { return 2 }\n",
		})
	}
	for name, others := range map[string]pkgFiles{"a module": nil, "vendored": {"src/vendor/modules.txt": "# x"}, "a replacement": {"src/go.mod": replaced}} {
		for _, test := range []struct{ path, constraint, want string }{
			{"v1", "linux ", "11"}, {"v2", "linux ", "12"}, {"v2", "ignore", "2"}, {"v1", "linux ", "11"},
		} {
			printed, _ := b.build(rate(test.path, test.constraint).with(others))
			assert.Equal(t, test.want, printed, "%s: %s, %s", name, test.path, test.constraint)
		}
	}
}

// An upload may hold what the go command, without modules, takes for compiled packages and does not check.
func TestCompiledPackagesInTheUploadAreLeftOut(t *testing.T) {
	left := func(f pkgFiles) []string {
		planned := plan(t, metadata.Package{Type: "golang", Path: "cc"}, f.source())
		read, err := content.Read(f.source())
		require.NoError(t, err)
		var names []string
		for _, file := range read.Without(planned.LeftOut...).Files {
			if !file.Dir {
				names = append(names, file.Path)
			}
		}
		return names
	}
	assert.Equal(t, []string{"src/cc/main.go", "src/pkg/a.go"},
		left(pkgFiles{"src/cc/main.go": "package main", "src/pkg/a.go": "package pkg", "pkg/linux_amd64/victim.com/x.a": "forged"}))
	assert.Equal(t, []string{"cc/main.go", "pkg/a.go"}, left(pkgFiles{"cc/main.go": "package main", "pkg/a.go": "package pkg"}),
		"code at the root of the package goes into src")
}

// What gcc or ld would process is never built where the shared caches can be written to, cgo or not.
func TestWhatNeedsAnExternalLinkerIsBuiltApart(t *testing.T) {
	oneShell(t, "busybox", testWhatNeedsAnExternalLinkerIsBuiltApart)
}

func testWhatNeedsAnExternalLinkerIsBuiltApart(t *testing.T) {
	b := newBuilds(t)
	ran := b.path("/ran")
	b.file("/tools/gcc", "#!/bin/sh\ntouch "+ran+"\nexec /usr/bin/gcc \"$@\"\n", 0o755)
	unknown := chaincode.with(pkgFiles{"src/main.go": "package main\n\nfunc main() { print2(7) }\n", "src/x.syso": "/* */ INPUT(/chaincode/input/src/evil.o)"})
	status, stderr := b.call(plan(t, metadata.Package{Type: "golang"}, unknown.source()).Command)
	_ = stderr
	assert.NotZero(t, status)
	for name, pkg := range map[string]pkgFiles{"an object file": unknown, "cgo": withCgo2.with(pkgFiles{"src/include/rate.h": "#define RATE 7"})} {
		require.NoError(t, os.RemoveAll(b.path("/chaincode/input")))
		for file, text := range pkg {
			b.file("/chaincode/input/"+file, text, 0o644)
		}
		status, stderr := b.call(plan(t, metadata.Package{Type: "golang"}, pkg.source()).Command)
		assert.Equal(t, platform.NeedsC, status, "%s: %s", name, stderr)
		assert.NoFileExists(t, ran, "no tool of C has been called")
	}
	// With CGO_ENABLED=0 nobody has searched: the linker must refuse it.
	require.NoError(t, os.RemoveAll(b.path("/chaincode/input")))
	for file, text := range unknown {
		b.file("/chaincode/input/"+file, text, 0o644)
	}
	status, _ = b.call(plan(t, metadata.Package{Type: "golang"}, unknown.source()).Command, "CGO_ENABLED=0")
	assert.NotZero(t, status)
	assert.NoFileExists(t, ran)
}

// A build with C may run code of the package, so it has nothing that another package reads or that is secret.
func TestWhatABuildWithCHas(t *testing.T) {
	pure := chaincode.with(pkgFiles{"src/go.sum": "x"})
	settings := config.Defaults()
	settings.Builder.Build.Environment = config.Environment{
		"GOPROXY=https://user:secret@proxy.example.com", "GOFLAGS=-tags=x", "GIT_TOKEN=secret", "GOOGLE_TOKEN=secret", "CC=clang", "PKG_CONFIG_PATH=/opt",
	}
	planned, err := planFor(metadata.Package{Type: "golang"}, pure.source(), settings, []string{"HTTPS_PROXY=http://user:secret@proxy"})
	require.NoError(t, err)
	withC := planned.WithC
	assert.Equal(t, []string{"CC=clang", "GOFLAGS=-tags=x", "PKG_CONFIG_PATH=/opt", "GOPROXY=file:///chaincode/cache/mod/cache/download", "GOSUMDB=off"}, withC.Environment)
	assert.Equal(t, []string{"CC=clang", "GOFLAGS=-tags=x", "PKG_CONFIG_PATH=/opt"}, withC.Base.Environment)
	assert.Equal(t, []platform.Cache{{Path: "/chaincode/cache/build"}, {Path: "/chaincode/cache/mod"}}, withC.Caches)
	assert.True(t, withC.NoNetwork)
	assert.False(t, withC.RunsNoCode)
	assert.Equal(t, planned.Environment, withC.Modules.Environment, "another container downloads the modules")
	assert.True(t, withC.Modules.RunsNoCode)

	vendored, err := planFor(metadata.Package{Type: "golang"}, pure.with(pkgFiles{"src/vendor/modules.txt": "#"}).source(), settings, nil)
	require.NoError(t, err)
	assert.Nil(t, vendored.WithC.Modules)
}
