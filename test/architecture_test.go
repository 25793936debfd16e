// Package test_test holds what must be true of the whole module: who may import what, where a process may end, how
// large the programs are. Each failure says what it found, and why that matters.
package test_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	module = "fabric-builder-docker"
	sdk    = "github.com/docker/docker"
)

// pkg is what go list says of a package.
type pkg struct {
	ImportPath   string
	Name         string
	Standard     bool
	Imports      []string
	TestImports  []string
	XTestImports []string
}

// packages is go list of these arguments, from the module's root.
func packages(t *testing.T, args ...string) map[string]pkg {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Name,Standard,Imports,TestImports,XTestImports"}, args...)...)
	cmd.Dir = ".."
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0") // as the programs are built
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	found := map[string]pkg{}
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		err := decoder.Decode(&p)
		if errors.Is(err, io.EOF) {
			return found
		}
		require.NoError(t, err)
		found[p.ImportPath] = p
	}
}

// chain is the shortest way of imports from a package to another, for a message.
func chain(all map[string]pkg, from, to string) string {
	cameFrom := map[string]string{from: ""}
	for queue := []string{from}; len(queue) > 0; queue = queue[1:] {
		if queue[0] == to {
			way := []string{}
			for at := to; at != ""; at = cameFrom[at] {
				way = append(way, at)
			}
			slices.Reverse(way)
			return strings.Join(way, " -> ")
		}
		for _, next := range all[queue[0]].Imports {
			if _, seen := cameFrom[next]; !seen {
				cameFrom[next] = queue[0]
				queue = append(queue, next)
			}
		}
	}
	return to
}

// within says whether a package is prefix or below it.
func within(importPath, prefix string) bool {
	return importPath == prefix || strings.HasPrefix(importPath, prefix+"/")
}

func TestDetectAndReleaseStaySmall(t *testing.T) {
	for _, phase := range []string{"detect", "release"} {
		t.Run(phase, func(t *testing.T) {
			main := module + "/cmd/" + phase
			all := packages(t, "-deps", "./cmd/"+phase)
			for importPath := range all {
				for _, banned := range []string{"github.com/docker", "net/http", module + "/internal/docker", module + "/internal/imagebuild"} {
					assert.False(t, within(importPath, banned),
						"%s links %s: %s\nThe peer runs %s for every package, also of other builders; it asks no engine, so it must not be able to.",
						phase, importPath, chain(all, main, importPath), phase)
				}
			}
		})
	}
}

func TestWhatAPackageMayImport(t *testing.T) {
	rules := []struct {
		packages, why string
		allowed       func(importPath string, standard bool) bool
	}{
		{"internal/metadata", "detect and release are made of it, and it owns the contract's files whatever else changes",
			func(_ string, standard bool) bool { return standard }},
		{"internal/tlsfiles", "it handles keys: the less code sees them, the better",
			func(_ string, standard bool) bool { return standard }},
		{"internal/docker", "it takes its own plain structs, so that a move to another SDK touches this package alone",
			func(importPath string, _ bool) bool { return !within(importPath, module) }},
		{"internal/loglines", "every program is started through it",
			func(_ string, standard bool) bool { return standard }},
		{"internal/config", "settings know nothing of those who read them",
			func(importPath string, _ bool) bool {
				return !within(importPath, module) || importPath == module+"/internal/host"
			}},
		{"internal/host", "settings, which detect reads, are made of it",
			func(_ string, standard bool) bool { return standard }},
		{"internal/platform", "a plan is made without an engine",
			func(importPath string, _ bool) bool {
				return !within(importPath, module) || within(importPath, module+"/internal/config") || importPath == module+"/internal/metadata" || importPath == module+"/internal/content"
			}},
		{"internal/content", "a package's files are the same whatever engine gets them",
			func(importPath string, _ bool) bool {
				return !within(importPath, module) || importPath == module+"/internal/metadata"
			}},
	}
	all := packages(t, "-deps", "./...")
	for _, rule := range rules {
		t.Run(rule.packages, func(t *testing.T) {
			root := module + "/" + rule.packages
			require.Contains(t, all, root, "the package has moved: this rule has to follow it")
			for importPath, p := range all {
				if !within(importPath, root) {
					continue
				}
				for _, imported := range p.Imports {
					assert.True(t, within(imported, root) || rule.allowed(imported, all[imported].Standard),
						"%s imports %s, and must not: %s", importPath, imported, rule.why)
				}
			}
		})
	}
}

func TestOnlyOnePackageKnowsTheDockerSDK(t *testing.T) {
	for importPath, p := range packages(t, "./...") {
		if importPath == module+"/internal/docker" {
			assert.True(t, slices.ContainsFunc(p.Imports, func(imported string) bool { return within(imported, sdk) }), "%s has moved", sdk)
			continue
		}
		for _, imported := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
			assert.False(t, within(imported, sdk) || within(imported, "github.com/docker/go-connections"),
				"%s imports %s: the SDK is frozen upstream, and a later move must touch internal/docker alone", importPath, imported)
		}
	}
}

func TestThePhasesDoNotNeedTheTests(t *testing.T) {
	for importPath, p := range packages(t, "./cmd/...", "./internal/...") {
		for _, imported := range p.Imports {
			assert.False(t, within(imported, module+"/test"), "%s imports %s: an operator would run test code", importPath, imported)
			assert.False(t, within(imported, module+"/cmd"), "%s imports %s: a phase stands on internal/, never on another phase", importPath, imported)
			assert.False(t, imported == "testing" || within(imported, "github.com/stretchr/testify"), "%s imports %s: an operator would run test code", importPath, imported)
		}
	}
}

func TestNoPackageIsNamedAfterNothing(t *testing.T) {
	for importPath, p := range packages(t, "./...") {
		for _, banned := range []string{"util", "utils", "common", "helper", "helpers", "misc", "shared"} {
			assert.False(t, p.Name == banned || path.Base(importPath) == banned,
				"%s: a reader should find the room of any behaviour from the tree alone, and this name says nothing", importPath)
		}
	}
}

func TestMainIsWiringOnly(t *testing.T) {
	const most = 30
	mains, err := filepath.Glob("../cmd/*/main.go")
	require.NoError(t, err)
	assert.Len(t, mains, 4, "detect, build, release, run")
	for _, name := range mains {
		data, err := os.ReadFile(name)
		require.NoError(t, err)
		assert.LessOrEqual(t, bytes.Count(data, []byte("\n")), most, "%s has more than %d lines: what is in main cannot be tested", name, most)
	}
}

// goFiles parses all Go files below these directories of the module. That also makes go test's cache notice a change
// of any of them, which it would not for the go commands that this test runs.
func goFiles(t *testing.T, dirs ...string) map[string]*ast.File {
	t.Helper()
	files := map[string]*ast.File{}
	for _, dir := range dirs {
		require.NoError(t, filepath.WalkDir(filepath.Join("..", dir), func(name string, entry fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case entry.IsDir() && entry.Name() == "testdata":
				return fs.SkipDir
			case entry.IsDir() || filepath.Ext(name) != ".go":
				return nil
			}
			files[filepath.ToSlash(strings.TrimPrefix(name, "../"))], err = parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution|parser.ParseComments)
			return err
		}))
	}
	require.NotEmpty(t, files)
	return files
}

// uses are the things of other packages that a file names, such as os.Exit.
func uses(file *ast.File) []string {
	imported := map[string]string{} // name in this file -> import path
	for _, spec := range file.Imports {
		importPath, _ := strconv.Unquote(spec.Path.Value)
		name := path.Base(importPath)
		if spec.Name != nil {
			name = spec.Name.Name
		}
		imported[name] = importPath
	}
	var found []string
	ast.Inspect(file, func(node ast.Node) bool {
		if selector, ok := node.(*ast.SelectorExpr); ok {
			if name, ok := selector.X.(*ast.Ident); ok && imported[name.Name] != "" {
				found = append(found, imported[name.Name]+"."+selector.Sel.Name)
			}
		}
		return true
	})
	return found
}

func TestWhoTouchesTheProcess(t *testing.T) {
	const (
		start = "a program starts and ends in internal/cli alone, where its output rules and exit statuses are kept"
		sleep = "a timer in a select with ctx.Done ends when the peer says stop; a sleep does not"
	)
	banned := map[string]string{
		"os.Exit": start, "os.Args": start, "os.Getenv": start, "os.LookupEnv": start, "os.Environ": start, "os.Setenv": start,
		"os.ExpandEnv": start, "syscall.Exit": start, "syscall.Getenv": start, "log.Fatal": start, "log.Fatalf": start, "log.Fatalln": start,
		"os.Stdout": start, "os.Stderr": start, "os.Stdin": start, "fmt.Print": start, "fmt.Println": start, "fmt.Printf": start,
		"os/signal.Notify": start, "os/signal.NotifyContext": start, "flag.Parse": start,
		"time.Sleep": sleep,
	}
	for name, file := range goFiles(t, "cmd", "internal") {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		for _, used := range uses(file) {
			if why := banned[used]; why != "" && (why != start || !strings.HasPrefix(name, "internal/cli/")) {
				t.Errorf("%s uses %s: %s", name, used, why)
			}
		}
	}
}

func TestNothingHappensBeforeMain(t *testing.T) {
	for name, file := range goFiles(t, "cmd", "internal") {
		for _, declaration := range file.Decls {
			if function, ok := declaration.(*ast.FuncDecl); ok && function.Recv == nil && function.Name.Name == "init" {
				t.Errorf("%s has an init: what runs before main cannot be given its input, nor be tested", name)
			}
		}
	}
}

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	documented := map[string]bool{}
	for name, file := range goFiles(t, "cmd", "internal", "test") {
		if !strings.HasSuffix(name, "_test.go") {
			documented[path.Dir(name)] = documented[path.Dir(name)] || file.Doc != nil
		}
	}
	for dir, ok := range documented {
		assert.True(t, ok, "%s has no package comment: it is what a reader of the tree reads first", dir)
	}
}

// No test may be left out without a word: a test that cannot run has to fail.
func TestNoTestIsSkipped(t *testing.T) {
	for name, file := range goFiles(t, "cmd", "internal", "test") {
		if !strings.HasSuffix(name, "_test.go") {
			continue
		}
		ast.Inspect(file, func(node ast.Node) bool {
			if selector, ok := node.(*ast.SelectorExpr); ok && slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, selector.Sel.Name) {
				if receiver, ok := selector.X.(*ast.Ident); ok && slices.Contains([]string{"t", "b", "f", "tb"}, receiver.Name) {
					t.Errorf("%s calls %s.%s: what is skipped everywhere is noticed nowhere", name, receiver.Name, selector.Sel.Name)
				}
			}
			return true
		})
	}
}

// A client that is linked by mistake shows up here first: it is megabytes. The bounds of detect, which runs for every
// package of every builder, and of run, which stays in memory for every chaincode, are what operators are promised.
// build, which holds text/template for connection.json as well, runs once per install.
func TestSizeOfThePrograms(t *testing.T) {
	goFiles(t, "cmd", "internal")
	_, err := os.ReadFile("../go.sum") // so that a new version of a module is noticed as well
	require.NoError(t, err)
	bin := t.TempDir()
	for phase, most := range map[string]int64{"detect": 3_500_000, "release": 3_000_000, "build": 12_000_000, "run": 10_000_000} {
		t.Run(phase, func(t *testing.T) {
			program := filepath.Join(bin, phase)
			cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", program, "./cmd/"+phase)
			cmd.Dir = ".."
			cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
			output, err := cmd.CombinedOutput()
			require.NoError(t, err, string(output))
			info, err := os.Stat(program)
			require.NoError(t, err)
			if info.Size() > most {
				t.Errorf("%s has %d bytes, at most %d are allowed: the peer starts it for every package, or keeps one per chaincode; it links\n%s",
					phase, info.Size(), most, foreign(t, phase))
			}
		})
	}
}

// foreign lists what a program links from other modules, and how it gets there.
func foreign(t *testing.T, phase string) string {
	t.Helper()
	var chains []string
	all := packages(t, "-deps", "./cmd/"+phase)
	for importPath, p := range all {
		if !p.Standard && !within(importPath, module) {
			chains = append(chains, "  "+chain(all, module+"/cmd/"+phase, importPath))
		}
	}
	slices.Sort(chains)
	return strings.Join(chains, "\n")
}
