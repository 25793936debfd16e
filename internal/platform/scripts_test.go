// SPDX-License-Identifier: Apache-2.0

package platform_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/config"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/platform"
	"fabric-builder-docker/test/shells"
)

// box simulates a container: it has the directories of the images in a temporary directory.
type box struct {
	t     *testing.T
	root  string
	shell *shells.Shell
}

// tool is a program that records how it was called.
const tool = `#!/bin/sh
echo "$(basename "$0") in ${PWD#ROOT}: $*${CGO_ENABLED:+ (CGO_ENABLED=$CGO_ENABLED)}" >>ROOT/calls
`

func newBox(t *testing.T) box {
	require.NotNil(t, shell, "a test of scripts runs under eachShell")
	b := box{t, t.TempDir(), shell}
	for _, dir := range []string{platform.InputDir + "/src", platform.OutputDir, "/usr/local/src", "/tools", "/tmp"} {
		require.NoError(t, os.MkdirAll(b.path(dir), 0o755))
	}
	return b
}

func (b box) path(name string) string { return filepath.Join(b.root, name) }

func (b box) file(name, content string, mode os.FileMode) {
	b.t.Helper()
	require.NoError(b.t, os.MkdirAll(filepath.Dir(b.path(name)), 0o755))
	require.NoError(b.t, os.WriteFile(b.path(name), []byte(b.inside(content)), mode))
}

// tool creates a program that records its call and then runs body.
func (b box) tool(name, body string) { b.file(name, tool+body, 0o755) }

// inside replaces the directories of the images in a script with those of the box.
func (b box) inside(script string) string {
	return strings.NewReplacer("ROOT", b.root, "/chaincode/", b.root+"/chaincode/", "/usr/local/src", b.root+"/usr/local/src").Replace(script)
}

// command returns a command for the shell, with the box's tools first in PATH.
func (b box) command(args ...string) *exec.Cmd {
	cmd := b.shell.Command([]string{b.path("/tools")}, args...)
	cmd.Env = append(cmd.Env, "TMPDIR="+b.path("/tmp"))
	return cmd
}

// run runs the command of a plan and returns its exit status, its stderr and the recorded calls of tools.
func (b box) run(command []string) (int, string, []string) {
	b.t.Helper()
	require.Equal(b.t, []string{"/bin/sh", "-c"}, command[:2])
	args := []string{"-c", b.inside(command[2])}
	for _, arg := range command[3:] {
		if strings.HasPrefix(arg, platform.InputDir) {
			arg = b.path(arg)
		}
		args = append(args, arg)
	}
	cmd := b.command(args...)
	cmd.Dir = b.root
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		require.IsType(b.t, &exec.ExitError{}, err)
	}
	var calls []string
	if data, err := os.ReadFile(b.path("calls")); err == nil {
		calls = strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	}
	return cmd.ProcessState.ExitCode(), stderr.String(), calls
}

const (
	proxy   = "env GOPROXY"
	listCgo = "list -mod=readonly -deps -f {{if and (or .CgoFiles .SwigFiles .SwigCXXFiles .SysoFiles) (not .Standard)}}{{.ImportPath}}{{end}} ./cmd (CGO_ENABLED=1)"
	listAsm = "list -mod=readonly -e -deps -f {{if and .SFiles (not .Standard)}}{{.Dir}}{{end}} ./cmd (CGO_ENABLED=0)"
	noCgo   = "build -v -mod=readonly -gcflags=all=-dwarf=false -ldflags=-s -w -linkmode=internal -libgcc=none -o BOX/chaincode/output/chaincode ./cmd (CGO_ENABLED=0)"
	withCgo = "build -v -mod=readonly -ldflags=-linkmode external -extldflags '-static' -o BOX/chaincode/output/chaincode ./cmd (CGO_ENABLED=1)"
)

// The script starts the build without cgo before it knows whether cgo is needed, and abandons it if so.
func TestGoBuildScript(t *testing.T) { eachShell(t, testGoBuildScript) }

func testGoBuildScript(t *testing.T) {
	tests := map[string]struct {
		tool   string   // what the fake go does
		calls  []string // in any order
		status int
		stderr string
	}{
		"without cgo": {"", []string{"version", proxy, listCgo, listAsm, noCgo}, 0, ""},
		"with cgo":    {`[ "$1" = list ] && echo github.com/example/c; exit 0`, []string{"version", proxy, listCgo}, platform.NeedsC, ""},
		"list fails":  {`[ "$1" = list ] && echo "no such package" >&2 && exit 3; exit 0`, []string{"version", proxy, listCgo}, 3, "no such package\n"},
		"build fails": {`[ "$1" = build ] && echo "main.go:1: syntax error" >&2 && exit 2; exit 0`, []string{"version", proxy, listCgo, listAsm, noCgo}, 2, "main.go:1: syntax error\n"},
		"the output of the abandoned build is not shown": {
			`[ "$1" = list ] && sleep 0.2 && echo c; [ "$CGO_ENABLED" = 0 ] && echo "excluded all Go files" >&2 && exit 1; exit 0`,
			[]string{"version", proxy, listCgo}, platform.NeedsC, "",
		},
		"no toolchain": {`echo "download go1.99: not found" >&2; exit 1`, []string{"version"}, 1, "download go1.99: not found\n"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBox(t)
			b.tool("/tools/go", test.tool)
			status, stderr, calls := b.run(plan(t, metadata.Package{Type: "golang", Path: "./cmd"}, source("src/go.mod")).Command)
			assert.Equal(t, test.status, status)
			assert.Equal(t, test.stderr, stderr)
			inSrc := func(call string) string {
				return "go in /chaincode/input/src: " + strings.ReplaceAll(call, "BOX", b.root)
			}
			if !slices.Contains(test.calls, noCgo) { // the abandoned build may have started
				calls = slices.DeleteFunc(calls, func(call string) bool { return call == inSrc(noCgo) })
			}
			var want []string
			for _, call := range test.calls {
				want = append(want, inSrc(call))
			}
			assert.ElementsMatch(t, want, calls)
		})
	}
}

func TestCompilerFlagsOfTheOperatorArePreserved(t *testing.T) {
	eachShell(t, testCompilerFlagsOfTheOperatorArePreserved)
}

func testCompilerFlagsOfTheOperatorArePreserved(t *testing.T) {
	b := newBox(t)
	b.tool("/tools/go", "")
	command := plan(t, metadata.Package{Type: "golang", Path: "./cmd"}, source("src/go.mod")).Command
	command[2] = "export GOFLAGS='-mod=mod -gcflags=all=-N'\n" + command[2]
	_, _, calls := b.run(command)
	assert.NotContains(t, strings.Join(calls, "\n"), "dwarf")
}

// Without GOPROXY, a package cannot choose the servers that its modules come from.
func TestDefaultGOPROXYHasNoDirect(t *testing.T) { eachShell(t, testDefaultGOPROXYHasNoDirect) }

func testDefaultGOPROXYHasNoDirect(t *testing.T) {
	for environment, want := range map[string]string{
		"": "https://proxy.example.com",
		"GOPROXY=https://mirror.example.com,direct": "https://mirror.example.com,direct",
	} {
		b := newBox(t)
		b.tool("/tools/go", `[ "$1" = env ] && echo https://proxy.example.com,direct; [ "$1" = build ] && echo "$GOPROXY" >ROOT/goproxy; exit 0`)
		command := plan(t, metadata.Package{Type: "golang"}, source("src/go.mod")).Command
		if environment != "" {
			command[2] = "export " + environment + "\n" + command[2]
		}
		status, stderr, _ := b.run(command)
		require.Zero(t, status, stderr)
		got, err := os.ReadFile(b.path("/goproxy"))
		require.NoError(t, err)
		assert.Equal(t, want+"\n", string(got))
	}
}

// Go's tools do not collect garbage before they reach GOMEMLIMIT, if they know that variable and GOGC is not set.
func TestHowGosToolsCollectGarbage(t *testing.T) { eachShell(t, testHowGosToolsCollectGarbage) }

func testHowGosToolsCollectGarbage(t *testing.T) {
	tests := map[string]struct{ version, environment, want string }{
		"no limit":          {"go1.26.8", "", ""},
		"a limit":           {"go1.26.8", "GOMEMLIMIT=512MiB", "off"},
		"the first version": {"go1.19", "GOMEMLIMIT=512MiB", "off"},
		"an older Go":       {"go1.18.10", "GOMEMLIMIT=512MiB", ""},
		"the operator's":    {"go1.26.8", "GOMEMLIMIT=512MiB GOGC=50", "50"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBox(t)
			b.tool("/tools/go", `[ "$1" = version ] && echo "go version `+test.version+` linux/amd64"; [ "$1" = build ] && echo "$GOGC" >ROOT/gogc; exit 0`)
			command := plan(t, metadata.Package{Type: "golang", Path: "./cmd"}, source("src/go.mod")).Command
			if test.environment != "" {
				command[2] = "export " + test.environment + "\n" + command[2]
			}
			status, stderr, _ := b.run(command)
			require.Zero(t, status, stderr)
			got, err := os.ReadFile(b.path("/gogc"))
			require.NoError(t, err)
			assert.Equal(t, test.want+"\n", string(got))
		})
	}
	limited := config.Defaults()
	limited.Builder.Build.Memory = 1 << 30
	got, err := planFor(metadata.Package{Type: "golang"}, source("src/go.mod"), limited, nil)
	require.NoError(t, err)
	assert.NotContains(t, strings.Join(got.Environment, " "), "GOMEMLIMIT", "with a limit, it is not known how much one tool may use")
}

func TestGoBuildScriptQuotesItsArguments(t *testing.T) {
	eachShell(t, testGoBuildScriptQuotesItsArguments)
}

func testGoBuildScriptQuotesItsArguments(t *testing.T) {
	b := newBox(t)
	b.tool("/tools/go", "")
	command := plan(t, metadata.Package{Type: "golang", Path: "a b; touch $PWD/c"}, source("src/go.mod", "src/vendor/modules.txt")).Command
	status, _, calls := b.run(command)
	require.Zero(t, status)
	require.Len(t, calls, 3)
	for _, call := range calls[1:] {
		assert.Contains(t, call, "-mod=vendor ")
		assert.Contains(t, call, " a b; touch $PWD/c (")
	}
	assert.NoFileExists(t, b.path("/chaincode/input/src/c"))
}

// With the real toolchain, the script builds a program that needs no libraries.
func TestGoBuildScriptMakesAStaticProgram(t *testing.T) {
	eachShell(t, testGoBuildScriptMakesAStaticProgram)
}

func testGoBuildScriptMakesAStaticProgram(t *testing.T) {
	b := newBox(t)
	b.file("/chaincode/input/src/go.mod", "module example.com/basic\n\ngo 1.21\n", 0o644)
	b.file("/chaincode/input/src/cmd/main.go", "package main\n\nimport (\n\t_ \"net\"\n\t\"os\"\n)\n\nfunc main() { os.Exit(7) }\n", 0o644)
	b.realGo("GOTOOLCHAIN=local")
	status, stderr, _ := b.run(plan(t, metadata.Package{Type: "golang", Path: "./cmd"}, source("src/go.mod")).Command)

	require.Zero(t, status, stderr)
	chaincode := exec.Command(b.path("/chaincode/output/chaincode"))
	_ = chaincode.Run()
	assert.Equal(t, 7, chaincode.ProcessState.ExitCode())
	binary, err := os.ReadFile(b.path("/chaincode/output/chaincode"))
	require.NoError(t, err)
	assert.NotContains(t, string(binary), "/ld-linux", "the program names a dynamic loader, which the runtime image lacks")
}

// As with the built-in controller's dynamicLink, the script sets no flags and leaves cgo to the image.
func TestGoBuildScriptLinksDynamically(t *testing.T) { eachShell(t, testGoBuildScriptLinksDynamically) }

func testGoBuildScriptLinksDynamically(t *testing.T) {
	settings := config.Defaults()
	settings.Chaincode.Golang.DynamicLink = true
	planned, err := planFor(metadata.Package{Type: "golang", Path: "./cmd"}, source("src/go.mod"), settings, nil)
	require.NoError(t, err)
	b := newBox(t)
	b.tool("/tools/go", `[ "$1" = build ] && exit 4; exit 0`)
	status, _, _ := b.run(planned.Command)
	assert.Equal(t, platform.NeedsC, status)
	require.NoError(t, os.Remove(b.path("calls")))
	b.standard()
	status, _, calls := b.run(planned.WithC.Command)
	assert.Equal(t, 4, status)
	assert.Equal(t, []string{
		"go in /chaincode/input/src: version",
		"go in /chaincode/input/src: build -v -mod=readonly -o " + b.root + "/chaincode/output/chaincode ./cmd",
	}, calls)
}

// standard leaves what the image of a build with C brings.
func (b box) standard() {
	b.file("/chaincode/cache/std/00/x-d", "compiled", 0o644)
	require.NoError(b.t, os.MkdirAll(b.path("/chaincode/cache/build"), 0o755))
}

// The cache of a build with C begins as the image has it.
func TestGoBuildScriptWithC(t *testing.T) { eachShell(t, testGoBuildScriptWithC) }

func testGoBuildScriptWithC(t *testing.T) {
	b := newBox(t)
	b.standard()
	b.tool("/tools/go", "")
	command := plan(t, metadata.Package{Type: "golang", Path: "./cmd"}, source("src/go.mod")).WithC.Command
	status, stderr, calls := b.run(command)
	require.Zero(t, status, stderr)
	assert.Equal(t, "go in /chaincode/input/src: "+strings.ReplaceAll(withCgo, "BOX", b.root), calls[len(calls)-1])
	seeded, err := os.ReadFile(b.path("/chaincode/cache/build/00/x-d"))
	require.NoError(t, err)
	assert.Equal(t, "compiled", string(seeded))
}

func TestGoBuildScriptWithoutAModule(t *testing.T) { eachShell(t, testGoBuildScriptWithoutAModule) }

func testGoBuildScriptWithoutAModule(t *testing.T) {
	for _, gopath := range []string{"", "/go:/opt/go"} {
		b := newBox(t)
		b.tool("/tools/go", `echo "GO111MODULE=$GO111MODULE GOPATH=$GOPATH" >>ROOT/calls`+"\n")
		b.file("/tools/sh", "#!/bin/sh\nexec /bin/sh \"$@\"\n", 0o755)
		command := plan(t, metadata.Package{Type: "golang", Path: "example.com/basic"}, source("src/example.com/basic/main.go")).Command
		if gopath != "" {
			command[2] = "export GOPATH=" + gopath + "\n" + command[2]
			gopath = ":" + gopath
		}
		status, stderr, calls := b.run(command)
		require.Zero(t, status, stderr)
		require.Len(t, calls, 6)
		assert.Contains(t, calls, "go in /chaincode/input/src: build -v -gcflags=all=-dwarf=false -ldflags=-s -w -linkmode=internal -libgcc=none -o "+b.root+"/chaincode/output/chaincode example.com/basic (CGO_ENABLED=0)")
		calls = slices.DeleteFunc(calls, func(call string) bool { return strings.HasPrefix(call, "go in ") })
		assert.Equal(t, slices.Repeat([]string{"GO111MODULE=off GOPATH=" + b.path(platform.InputDir) + gopath}, 3), calls)
	}
}

// The built-in controller turns modules on for a package that has a go.mod, whatever the builder image says.
func TestAModuleIsBuiltAsOne(t *testing.T) { eachShell(t, testAModuleIsBuiltAsOne) }

func testAModuleIsBuiltAsOne(t *testing.T) {
	for _, file := range []string{"src/go.mod", "src/vendor/modules.txt"} {
		b := newBox(t)
		b.tool("/tools/go", `echo "GO111MODULE=$GO111MODULE" >>ROOT/calls`+"\n")
		command := plan(t, metadata.Package{Type: "golang", Path: "."}, source("src/go.mod", file)).Command
		command[2] = "export GO111MODULE=off\n" + command[2]
		_, _, calls := b.run(command)
		assert.Contains(t, calls, "GO111MODULE=on")
		assert.NotContains(t, calls[len(calls)-1:], "GO111MODULE=off")
	}
}

// No build may continue after the script has exited.
func TestAFailedSearchForCgoLeavesNoBuildBehind(t *testing.T) {
	eachShell(t, testAFailedSearchForCgoLeavesNoBuildBehind)
}

func testAFailedSearchForCgoLeavesNoBuildBehind(t *testing.T) {
	b := newBox(t)
	b.tool("/tools/go", `case $1 in
build) echo $$ >ROOT/started && mv ROOT/started ROOT/building; exec sleep 60 ;;
list) while [ ! -e ROOT/building ]; do sleep 0.01; done; exit 3 ;;
esac
`)
	status, _, _ := b.run(plan(t, metadata.Package{Type: "golang"}, fstest.MapFS{"src/go.mod": {Data: []byte("module x\n")}}).Command)
	assert.Equal(t, 3, status)
	written, err := os.ReadFile(b.path("building"))
	require.NoError(t, err)
	building, err := strconv.Atoi(strings.TrimSpace(string(written)))
	require.NoError(t, err)
	assert.ErrorIs(t, syscall.Kill(building, 0), syscall.ESRCH)
	syscall.Kill(building, syscall.SIGKILL)
}

// If the toolchain is too old for the package, the last line says so and names the setting.
func TestAPackageThatAsksForANewerGo(t *testing.T) { eachShell(t, testAPackageThatAsksForANewerGo) }

func testAPackageThatAsksForANewerGo(t *testing.T) {
	const (
		fails = "echo the error of the go command >&2; exit 1\n"
		// With GOTOOLCHAIN=auto, every go command downloads the toolchain first.
		noDownload = `[ "$GOTOOLCHAIN" = local ] && echo go1.26.8 && exit 0
` + fails
		tooOld     = "case $1 in version) echo go version go1.26.8 linux/amd64; exit 0;; env) exit 7;; esac\n" + fails
		downloaded = "case $1 in version) echo go version go1.99.0 linux/amd64; exit 0;; env) exit 7;; esac\n" + fails
		noGo       = "exit 127\n"
	)
	tests := map[string]struct{ mod, tool, asked, has string }{
		"no toolchain can be downloaded":   {"go 1.99.0\n", noDownload, "1.99.0", "1.26.8"},
		"only the toolchain line is newer": {"go 1.21\ntoolchain go1.99.1\n", noDownload, "1.99.1", "1.26.8"},
		"GOTOOLCHAIN=local":                {"go 1.99.0\n", tooOld, "1.99.0", "1.26.8"},
		"a newer patch release":            {"go 1.26.9\n", tooOld, "1.26.9", "1.26.8"},
		"a release candidate":              {"go 1.27rc1\n", tooOld, "1.27rc1", "1.26.8"},
		"a toolchain that is not required": {"go 1.21\ntoolchain go1.99.0\n", tooOld, "", ""},
		"another reason":                   {"go 1.26.8\n", tooOld, "", ""},
		"another reason, after a download": {"go 1.99.0\n", downloaded, "", ""},
		"an older version":                 {"go 1.9\n", tooOld, "", ""},
		"no version in go.mod":             {"", tooOld, "", ""},
		"no go command at all":             {"go 1.99.0\n", noGo, "", ""},
		"an invalid version":               {"go $(touch${IFS}x)[a]\n", tooOld, "", ""},
		"a partly invalid version":         {"go 99999.x\n", tooOld, "99999.x", "1.26.8"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBox(t)
			b.tool("/tools/go", test.tool)
			files := fstest.MapFS{"src/go.mod": {Data: []byte("module x\n" + test.mod)}}
			status, stderr, _ := b.run(plan(t, metadata.Package{Type: "golang"}, files).Command)
			assert.NotZero(t, status)
			last := stderr[strings.LastIndex(strings.TrimSuffix(stderr, "\n"), "\n")+1:]
			if test.asked == "" {
				assert.NotContains(t, stderr, "requires Go")
				return
			}
			assert.Equal(t, "the package requires Go "+test.asked+", but this build uses Go "+test.has+": set chaincode.builder to an image with a newer Go, "+
				"or set GOTOOLCHAIN to let the go command download one\n", last)
		})
	}
}

// The real go command behaves like the fake ones above.
func TestTheRealGoCommandIsTooOld(t *testing.T) { eachShell(t, testTheRealGoCommandIsTooOld) }

func testTheRealGoCommandIsTooOld(t *testing.T) {
	for _, toolchain := range []string{"local", "auto"} {
		b := newBox(t)
		b.file("/chaincode/input/src/go.mod", "module x\n\ngo 1.999.0\n", 0o644)
		b.file("/chaincode/input/src/main.go", "package main\n\nfunc main() {}\n", 0o644)
		b.realGo("GOTOOLCHAIN=" + toolchain)
		files := fstest.MapFS{"src/go.mod": {Data: []byte("module x\n\ngo 1.999.0\n")}}
		status, stderr, _ := b.run(plan(t, metadata.Package{Type: "golang"}, files).Command)
		assert.NotZero(t, status)
		assert.Contains(t, stderr, "the package requires Go 1.999.0, but this build uses Go 1.", toolchain)
	}
}

// realGo puts the machine's go command into the box.
func (b box) realGo(environment ...string) {
	goroot, err := exec.Command("go", "env", "GOROOT").Output()
	require.NoError(b.t, err)
	cache, err := exec.Command("go", "env", "GOCACHE").Output()
	require.NoError(b.t, err)
	var exports strings.Builder
	exports.WriteString("export GOCACHE=" + strings.TrimSpace(string(cache)) + "\n") // the script's own cache is empty
	for _, variable := range append([]string{"GOPATH=${GOPATH:-ROOT/go}", "GOPROXY=off"}, environment...) {
		name, value, _ := strings.Cut(variable, "=")
		exports.WriteString("export " + name + "=\"${" + name + ":-" + value + "}\"\n")
	}
	b.file("/tools/go", "#!/bin/sh\n"+exports.String()+"exec "+strings.TrimSpace(string(goroot))+"/bin/go \"$@\"\n", 0o755)
}

func TestGoBuildScriptBuildsWithoutAModule(t *testing.T) {
	eachShell(t, testGoBuildScriptBuildsWithoutAModule)
}

func testGoBuildScriptBuildsWithoutAModule(t *testing.T) {
	b := newBox(t)
	b.file("/chaincode/input/src/example.com/basic/main.go", "package main\n\nimport \"example.com/basic/answer\"\n\nimport \"os\"\n\nfunc main() { os.Exit(answer.Is) }\n", 0o644)
	b.file("/chaincode/input/src/example.com/basic/vendor/example.com/other/other.go", "package other\n\nconst Is = 7\n", 0o644)
	b.file("/chaincode/input/src/example.com/basic/answer/answer.go", "package answer\n\nimport \"example.com/other\"\n\nconst Is = other.Is\n", 0o644)
	b.realGo("GOTOOLCHAIN=local")
	status, stderr, _ := b.run(plan(t, metadata.Package{Type: "golang", Path: "example.com/basic"}, source("src/example.com/basic/main.go")).Command)
	require.Zero(t, status, stderr)
	chaincode := exec.Command(b.path("/chaincode/output/chaincode"))
	_ = chaincode.Run()
	assert.Equal(t, 7, chaincode.ProcessState.ExitCode())
}

func TestNodeBuildScript(t *testing.T) { eachShell(t, testNodeBuildScript) }

func testNodeBuildScript(t *testing.T) {
	const (
		version = "npm in /chaincode/output: --version"
		ci      = "npm in /chaincode/output: ci --omit=dev"
		install = "npm in /chaincode/output: install --omit=dev"
	)
	tests := map[string]struct {
		files  []string // in src, next to package.json
		image  os.FileMode
		calls  []string
		copied bool
	}{
		"a lock file":                        {[]string{"package-lock.json"}, 0, []string{version, ci}, true},
		"a shrinkwrap file":                  {[]string{"npm-shrinkwrap.json"}, 0, []string{version, ci}, true},
		"no lock file":                       {nil, 0, []string{version, install}, true},
		"a lock file of another manager":     {[]string{"yarn.lock"}, 0, []string{version, install}, true},
		"a lock file further down":           {[]string{"lib/package-lock.json"}, 0, []string{version, install}, true},
		"the image's build.sh":               {[]string{"package-lock.json"}, 0o755, []string{"build.sh in : "}, false},
		"a build.sh that cannot be executed": {[]string{"package-lock.json"}, 0o644, []string{version, ci}, true},
		"a build.sh in the package":          {[]string{"build.sh"}, 0, []string{version, install}, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBox(t)
			b.tool("/tools/npm", "")
			if test.image != 0 {
				b.file("/chaincode/build.sh", tool, test.image)
			}
			files := append([]string{"package.json", ".npmrc", "lib/a.js"}, test.files...)
			for _, name := range files {
				b.file("/chaincode/input/src/"+name, name, 0o644)
			}
			status, stderr, calls := b.run(plan(t, metadata.Package{Type: "node"}, nodePackage()).Command)
			assert.Zero(t, status, stderr)
			assert.Equal(t, test.calls, calls)
			for _, name := range files {
				_, err := os.Stat(b.path("/chaincode/output/" + name))
				assert.Equal(t, test.copied, err == nil, "%s, hidden files included, is copied", name)
			}
		})
	}
}

// Older versions of npm accept --omit=dev, and install development dependencies all the same.
func TestNoNpmInstallsDevelopmentDependencies(t *testing.T) {
	eachShell(t, testNoNpmInstallsDevelopmentDependencies)
}

func testNoNpmInstallsDevelopmentDependencies(t *testing.T) {
	for version, want := range map[string][2]string{
		"11.1.0": {"ci --omit=dev", "install --omit=dev"}, "7.0.0": {"ci --omit=dev", "install --omit=dev"},
		"6.14.18": {"ci --production", "install --production"}, "5.7.0": {"ci --production", "install --production"},
		"5.6.0": {"install --production", "install --production"}, "3.10.10": {"install --production", "install --production"},
		"": {"ci --omit=dev", "install --omit=dev"},
	} {
		for i, lock := range []string{"package-lock.json", "other.json"} {
			b := newBox(t)
			b.tool("/tools/npm", `[ "$1" != --version ] || echo `+version+"\n")
			b.file("/chaincode/input/src/"+lock, "{}", 0o644)
			status, stderr, calls := b.run(plan(t, metadata.Package{Type: "node"}, nodePackage()).Command)
			assert.Zero(t, status, stderr)
			assert.Equal(t, []string{"npm in /chaincode/output: --version", "npm in /chaincode/output: " + want[i]}, calls, version)
		}
	}
}

func TestNodeBuildScriptEndsAsNpmDoes(t *testing.T) { eachShell(t, testNodeBuildScriptEndsAsNpmDoes) }

func testNodeBuildScriptEndsAsNpmDoes(t *testing.T) {
	for _, name := range []string{"/tools/npm", "/chaincode/build.sh"} {
		t.Run(filepath.Base(name), func(t *testing.T) {
			b := newBox(t)
			b.tool(name, "[ \"$1\" != --version ] || exit 0; echo 'npm error 404' >&2; exit 9\n")
			status, stderr, _ := b.run(plan(t, metadata.Package{Type: "node"}, nodePackage()).Command)
			assert.Equal(t, 9, status)
			assert.Equal(t, "npm error 404\n", stderr)
		})
	}
}

func TestNodeStartScript(t *testing.T) { eachShell(t, testNodeStartScript) }

func testNodeStartScript(t *testing.T) {
	const address = `peer0.example.com:7052 "$(id)"`
	tests := map[string]struct {
		image os.FileMode
		want  string
	}{
		"npm start":                          {0, "npm in /usr/local/src: start -- --peer.address " + address},
		"the image's start.sh":               {0o755, "start.sh in : --peer.address " + address},
		"a start.sh that cannot be executed": {0o644, "npm in /usr/local/src: start -- --peer.address " + address},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBox(t)
			b.tool("/tools/npm", "exit 5\n")
			if test.image != 0 {
				b.file("/chaincode/start.sh", tool+"exit 5\n", test.image)
			}
			command, err := platform.StartCommand(metadata.Record{Type: "node"}, config.Defaults(), address)
			require.NoError(t, err)
			status, _, calls := b.run(command)
			assert.Equal(t, 5, status, "the script exits with the status of the chaincode")
			assert.Equal(t, []string{test.want}, calls)
		})
	}
}

// With PidMode host, the script would wait for everybody's processes, until the engine kills the chaincode.
func TestNodeStartInASharedPIDNamespaceWaitsForNobodyElse(t *testing.T) {
	for mode, waits := range map[string]bool{"": true, "private": true, "host": false, "container:other": false} {
		settings := config.Defaults()
		settings.VM.Docker.HostConfig.PidMode = mode
		command, err := platform.StartCommand(metadata.Record{Type: "node"}, settings, "peer:7052")
		require.NoError(t, err)
		assert.Equal(t, waits, strings.Contains(command[2], "kill -0 -1"), mode)
		assert.True(t, strings.HasSuffix(command[2], "\nfi\nexit $status\n"), "%s: %s", mode, command[2])
	}
}

// An init forwards SIGTERM to all processes. The shells and npm exit at once, but the container must keep running until
// node has shut down.
func TestNodeStartScriptWaitsForTheLastProcess(t *testing.T) {
	eachShell(t, testNodeStartScriptWaitsForTheLastProcess)
}

func testNodeStartScriptWaitsForTheLastProcess(t *testing.T) {
	b := newBox(t)
	b.tool("/tools/npm", `sh -c 'trap "sleep 0.3; echo ended >ROOT/ended; exit 0" TERM; echo $$ >ROOT/node; touch ROOT/ready; while :; do sleep 0.01; done' &
wait`+"\n")
	command, err := platform.StartCommand(metadata.Record{Type: "node"}, config.Defaults(), "peer:7052")
	require.NoError(t, err)
	// Outside a container, kill -0 -1 would wait for all processes of the machine, so the test waits for one.
	script := strings.ReplaceAll(b.inside(command[2]), "kill -0 -1", "kill -0 $(cat "+b.path("/node")+")")
	require.NotContains(t, script, "kill -0 -1")
	cmd := b.command(append([]string{"-c", script}, command[3:]...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	require.Eventually(t, func() bool { _, err := os.Stat(b.path("/ready")); return err == nil }, time.Minute, 5*time.Millisecond)
	require.NoError(t, syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM))
	_ = cmd.Wait()
	assert.FileExists(t, b.path("/ended"))
	assert.Equal(t, 143, cmd.ProcessState.ExitCode(), "the status shows the signal")
}
