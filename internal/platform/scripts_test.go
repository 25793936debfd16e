package platform_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/platform"
)

// box stands for a container: the directories of the images are below a temporary one.
type box struct {
	t    *testing.T
	root string
}

// tool is a program that notes how it was called.
const tool = `#!/bin/sh
echo "$(basename "$0") in ${PWD#ROOT}: $*${CGO_ENABLED:+ (CGO_ENABLED=$CGO_ENABLED)}" >>ROOT/calls
`

func newBox(t *testing.T) box {
	b := box{t, t.TempDir()}
	for _, dir := range []string{platform.InputDir + "/src", platform.OutputDir, "/usr/local/src", "/tools"} {
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

// tool puts a program on the PATH; after its note it does what body says.
func (b box) tool(name, body string) { b.file(name, tool+body, 0o755) }

// inside replaces the directories of the images.
func (b box) inside(script string) string {
	return strings.NewReplacer("ROOT", b.root, "/chaincode/", b.root+"/chaincode/", "/usr/local/src", b.root+"/usr/local/src").Replace(script)
}

// run runs a command of a plan, and returns its status, its stderr and the calls of the tools.
func (b box) run(command []string) (int, string, []string) {
	b.t.Helper()
	require.Equal(b.t, []string{"/bin/sh", "-c"}, command[:2])
	cmd := exec.Command("/bin/sh", append([]string{"-c", b.inside(command[2])}, command[3:]...)...)
	cmd.Dir = b.root
	cmd.Env = []string{"PATH=" + b.path("/tools") + ":/usr/bin:/bin"}
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
	listCgo = "list -mod=readonly -deps -f {{if and .CgoFiles (not .Standard)}}{{.ImportPath}}{{end}} ./cmd (CGO_ENABLED=1)"
	noCgo   = "build -v -mod=readonly -ldflags -s -w -o BOX/chaincode/output/chaincode ./cmd (CGO_ENABLED=0)"
	withCgo = "build -v -mod=readonly -ldflags -linkmode external -extldflags '-static' -o BOX/chaincode/output/chaincode ./cmd (CGO_ENABLED=1)"
)

func TestGoBuildScript(t *testing.T) {
	tests := map[string]struct {
		tool   string // what the fake go does
		calls  []string
		status int
		stderr string
	}{
		"without cgo":     {"", []string{"version", listCgo, noCgo}, 0, ""},
		"with cgo":        {`[ "$1" = list ] && echo github.com/example/c; exit 0`, []string{"version", listCgo, withCgo}, 0, ""},
		"list fails":      {`[ "$1" = list ] && echo "no such package" >&2 && exit 3; exit 0`, []string{"version", listCgo}, 3, "no such package\n"},
		"build fails":     {`[ "$1" = build ] && echo "main.go:1: syntax error" >&2 && exit 2; exit 0`, []string{"version", listCgo, noCgo}, 2, "main.go:1: syntax error\n"},
		"cgo build fails": {`[ "$1" = list ] && echo c; [ "$1" = build ] && exit 2; exit 0`, []string{"version", listCgo, withCgo}, 2, ""},
		"no toolchain":    {`echo "download go1.99: not found" >&2; exit 1`, []string{"version"}, 1, "download go1.99: not found\n"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBox(t)
			b.tool("/tools/go", test.tool)
			status, stderr, calls := b.run(plan(t, metadata.Package{Type: "golang", Path: "./cmd"}, source("src/go.mod")).Command)
			assert.Equal(t, test.status, status)
			assert.Equal(t, test.stderr, stderr)
			var want []string
			for _, call := range test.calls {
				want = append(want, "go in /chaincode/input/src: "+strings.ReplaceAll(call, "BOX", b.root))
			}
			assert.Equal(t, want, calls)
		})
	}
}

func TestGoBuildScriptTakesAModeAndAPathAsTheyAre(t *testing.T) {
	b := newBox(t)
	b.tool("/tools/go", "")
	command := plan(t, metadata.Package{Type: "golang", Path: "a b; touch $PWD/c"}, source("src/go.mod", "src/vendor/modules.txt")).Command
	status, _, calls := b.run(command)
	require.Zero(t, status)
	require.Len(t, calls, 3)
	assert.Contains(t, calls[1], "-mod=vendor ")
	assert.Contains(t, calls[2], "-mod=vendor ")
	assert.Contains(t, calls[2], " a b; touch $PWD/c (")
	assert.NoFileExists(t, b.path("/chaincode/input/src/c"))
}

// The same script with the real toolchain: what it leaves runs where there is nothing but a kernel.
func TestGoBuildScriptMakesAStaticProgram(t *testing.T) {
	goroot, err := exec.Command("go", "env", "GOROOT").Output()
	require.NoError(t, err)
	b := newBox(t)
	b.file("/chaincode/input/src/go.mod", "module example.com/basic\n\ngo 1.21\n", 0o644)
	b.file("/chaincode/input/src/cmd/main.go", "package main\n\nimport (\n\t_ \"net\"\n\t\"os\"\n)\n\nfunc main() { os.Exit(7) }\n", 0o644)
	cache, err := exec.Command("go", "env", "GOCACHE").Output()
	require.NoError(t, err)
	b.file("/tools/go", "#!/bin/sh\nexport GOCACHE="+strings.TrimSpace(string(cache))+" GOPATH=ROOT/go GOPROXY=off GOTOOLCHAIN=local\nexec "+
		strings.TrimSpace(string(goroot))+"/bin/go \"$@\"\n", 0o755)

	status, stderr, _ := b.run(plan(t, metadata.Package{Type: "golang", Path: "./cmd"}, source("src/go.mod")).Command)

	require.Zero(t, status, stderr)
	chaincode := exec.Command(b.path("/chaincode/output/chaincode"))
	_ = chaincode.Run()
	assert.Equal(t, 7, chaincode.ProcessState.ExitCode())
	binary, err := os.ReadFile(b.path("/chaincode/output/chaincode"))
	require.NoError(t, err)
	assert.NotContains(t, string(binary), "/ld-linux", "a dynamic loader is named: the runtime image has no such file")
}

func TestNodeBuildScript(t *testing.T) {
	const (
		ci      = "npm in /chaincode/output: ci --omit=dev"
		install = "npm in /chaincode/output: install --omit=dev"
	)
	tests := map[string]struct {
		files  []string // in src, beside package.json
		image  os.FileMode
		calls  []string
		copied bool
	}{
		"a lock file":                          {[]string{"package-lock.json"}, 0, []string{ci}, true},
		"a shrinkwrap file":                    {[]string{"npm-shrinkwrap.json"}, 0, []string{ci}, true},
		"no lock file":                         {nil, 0, []string{install}, true},
		"a lock file of another manager":       {[]string{"yarn.lock"}, 0, []string{install}, true},
		"a lock file further down":             {[]string{"lib/package-lock.json"}, 0, []string{install}, true},
		"the image's build.sh":                 {[]string{"package-lock.json"}, 0o755, []string{"build.sh in : "}, false},
		"a build.sh that cannot be executed":   {[]string{"package-lock.json"}, 0o644, []string{ci}, true},
		"a build.sh of the package is no more": {[]string{"build.sh"}, 0, []string{install}, true},
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
			status, stderr, calls := b.run(plan(t, metadata.Package{Type: "node"}, source("src/package.json")).Command)
			assert.Zero(t, status, stderr)
			assert.Equal(t, test.calls, calls)
			for _, name := range files {
				_, err := os.Stat(b.path("/chaincode/output/" + name))
				assert.Equal(t, test.copied, err == nil, "%s, hidden files included, is copied", name)
			}
		})
	}
}

func TestNodeBuildScriptEndsAsNpmDoes(t *testing.T) {
	for _, name := range []string{"/tools/npm", "/chaincode/build.sh"} {
		t.Run(filepath.Base(name), func(t *testing.T) {
			b := newBox(t)
			b.tool(name, "echo 'npm error 404' >&2; exit 9\n")
			status, stderr, _ := b.run(plan(t, metadata.Package{Type: "node"}, source("src/package.json")).Command)
			assert.Equal(t, 9, status)
			assert.Equal(t, "npm error 404\n", stderr)
		})
	}
}

func TestNodeStartScript(t *testing.T) {
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
			command, err := platform.Start("node", address)
			require.NoError(t, err)
			status, _, calls := b.run(command)
			assert.Equal(t, 5, status, "the end of the chaincode is the end of the script")
			assert.Equal(t, []string{test.want}, calls)
		})
	}
}

// A shell between the init and the chaincode would keep SIGTERM to itself.
func TestScriptsEndInAnExec(t *testing.T) {
	command, err := platform.Start("node", "peer:7052")
	require.NoError(t, err)
	for _, script := range []string{command[2], plan(t, metadata.Package{Type: "node"}, source("src/package.json")).Command[2]} {
		lines := strings.Split(strings.TrimSpace(script), "\n")
		assert.True(t, strings.HasPrefix(lines[len(lines)-1], "exec "), script)
	}
}
