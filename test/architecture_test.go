// SPDX-License-Identifier: Apache-2.0

// Package test_test checks properties of the whole module: which packages may import which, where a process may end,
// how large the programs are. Each failure says what was found and why it matters.
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

// pkg is a package as go list describes it.
type pkg struct {
	ImportPath   string
	Name         string
	Standard     bool
	Imports      []string
	TestImports  []string
	XTestImports []string
}

// listPackages runs go list with these arguments in the module's root, and returns the packages by import path.
func listPackages(t *testing.T, args ...string) map[string]pkg {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Name,Standard,Imports,TestImports,XTestImports"}, args...)...)
	cmd.Dir = ".."
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0") // the programs are built without cgo
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

// importChain returns the shortest chain of imports from one package to another, for a message.
func importChain(all map[string]pkg, from, to string) string {
	cameFrom := map[string]string{from: ""}
	for queue := []string{from}; len(queue) > 0; queue = queue[1:] {
		if queue[0] == to {
			path := []string{}
			for at := to; at != ""; at = cameFrom[at] {
				path = append(path, at)
			}
			slices.Reverse(path)
			return strings.Join(path, " -> ")
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

// within reports whether a package is prefix or below it.
func within(importPath, prefix string) bool {
	return importPath == prefix || strings.HasPrefix(importPath, prefix+"/")
}

func TestDetectAndReleaseStaySmall(t *testing.T) {
	for _, phase := range []string{"detect", "release"} {
		t.Run(phase, func(t *testing.T) {
			main := module + "/cmd/" + phase
			all := listPackages(t, "-deps", "./cmd/"+phase)
			for importPath := range all {
				for _, banned := range []string{"github.com/docker", "net/http", module + "/internal/docker", module + "/internal/imagebuild", module + "/internal/figures"} {
					assert.False(t, within(importPath, banned),
						"%s links %s: %s\nThe peer runs %s for every package, including those of other builders. It needs no engine, so it must not link the client.",
						phase, importPath, importChain(all, main, importPath), phase)
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
		{"internal/regular", "every program links it",
			func(_ string, standard bool) bool { return standard }},
		{"internal/metadata", "detect and release use it, and must stay small",
			func(importPath string, standard bool) bool {
				return standard || importPath == module+"/internal/regular"
			}},
		{"internal/figures", "each run keeps it in memory, and a client library for Prometheus is larger than all of it",
			func(importPath string, standard bool) bool {
				return standard || importPath == module+"/internal/regular"
			}},
		{"internal/tlsfiles", "it handles keys, which as little code as possible should see",
			func(_ string, standard bool) bool { return standard }},
		{"internal/docker", "it has its own plain types, so that a move to another SDK changes only this package",
			func(importPath string, _ bool) bool { return !within(importPath, module) }},
		{"internal/loglines", "every program links it",
			func(_ string, standard bool) bool { return standard }},
		{"internal/config", "settings must not depend on the code that reads them",
			func(importPath string, _ bool) bool {
				return !within(importPath, module) || importPath == module+"/internal/host" || importPath == module+"/internal/regular"
			}},
		{"internal/host", "internal/config, which detect links, uses it",
			func(_ string, standard bool) bool { return standard }},
		{"internal/platform", "planning a build needs no engine",
			func(importPath string, _ bool) bool {
				return !within(importPath, module) || within(importPath, module+"/internal/config") || importPath == module+"/internal/metadata" || importPath == module+"/internal/content" || importPath == module+"/internal/regular"
			}},
		{"internal/content", "a package's files do not depend on the engine",
			func(importPath string, _ bool) bool {
				return !within(importPath, module) || importPath == module+"/internal/metadata" || importPath == module+"/internal/regular"
			}},
	}
	all := listPackages(t, "-deps", "./...")
	for _, rule := range rules {
		t.Run(rule.packages, func(t *testing.T) {
			root := module + "/" + rule.packages
			require.Contains(t, all, root, "package not found: if it has moved, update this rule")
			for importPath, p := range all {
				if !within(importPath, root) {
					continue
				}
				for _, imported := range p.Imports {
					assert.True(t, within(imported, root) || rule.allowed(imported, all[imported].Standard),
						"%s must not import %s: %s", importPath, imported, rule.why)
				}
			}
		})
	}
}

func TestOnlyOnePackageKnowsTheDockerSDK(t *testing.T) {
	for importPath, p := range listPackages(t, "./...") {
		if importPath == module+"/internal/docker" {
			assert.True(t, slices.ContainsFunc(p.Imports, func(imported string) bool { return within(imported, sdk) }), "internal/docker does not import %s: if it has moved, update this test", sdk)
			continue
		}
		for _, imported := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
			assert.False(t, within(imported, sdk) || within(imported, "github.com/docker/go-connections"),
				"%s imports %s: only internal/docker may, so that a move to another SDK changes only that package", importPath, imported)
		}
	}
}

func TestThePhasesDoNotNeedTheTests(t *testing.T) {
	for importPath, p := range listPackages(t, "./cmd/...", "./internal/...") {
		for _, imported := range p.Imports {
			assert.False(t, within(imported, module+"/test"), "%s imports %s: programs must not link test code", importPath, imported)
			assert.False(t, within(imported, module+"/cmd"), "%s imports %s: a phase may import only internal packages, not another phase", importPath, imported)
			assert.False(t, imported == "testing" || within(imported, "github.com/stretchr/testify"), "%s imports %s: programs must not link test code", importPath, imported)
		}
	}
}

func TestNoPackageHasAMeaninglessName(t *testing.T) {
	for importPath, p := range listPackages(t, "./...") {
		for _, banned := range []string{"util", "utils", "common", "helper", "helpers", "misc", "shared"} {
			assert.False(t, p.Name == banned || path.Base(importPath) == banned,
				"%s: the name of a package must say what it contains", importPath)
		}
	}
}

func TestMainOnlyWires(t *testing.T) {
	const most = 30
	mains, err := filepath.Glob("../cmd/*/main.go")
	require.NoError(t, err)
	assert.Len(t, mains, 4, "detect, build, release, run")
	for _, name := range mains {
		data, err := os.ReadFile(name)
		require.NoError(t, err)
		assert.LessOrEqual(t, bytes.Count(data, []byte("\n")), most, "%s has more than %d lines: code in main cannot be tested", name, most)
	}
}

// goFiles parses all Go files below these directories of the module. Reading them also makes go test's cache notice a
// change of any of them, which the go commands that the tests run do not.
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

// uses returns the identifiers of other packages that a file uses, such as os.Exit.
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

func TestOnlyCLITouchesTheProcess(t *testing.T) {
	const (
		start = "only internal/cli starts and ends a program, since it implements the output rules and exit statuses"
		sleep = "a sleep does not end when the peer stops the program: use a timer in a select with ctx.Done"
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
				t.Errorf("%s has an init function: it runs before main, so it cannot take arguments or be tested", name)
			}
		}
	}
}

func TestEveryPackageHasAComment(t *testing.T) {
	documented := map[string]bool{}
	for name, file := range goFiles(t, "cmd", "internal", "test") {
		if !strings.HasSuffix(name, "_test.go") {
			documented[path.Dir(name)] = documented[path.Dir(name)] || file.Doc != nil
		}
	}
	for dir, ok := range documented {
		assert.True(t, ok, "%s has no package comment", dir)
	}
}

// A test that cannot run must fail, not be skipped.
func TestNoTestIsSkipped(t *testing.T) {
	for name, file := range goFiles(t, "cmd", "internal", "test") {
		if !strings.HasSuffix(name, "_test.go") {
			continue
		}
		ast.Inspect(file, func(node ast.Node) bool {
			if selector, ok := node.(*ast.SelectorExpr); ok && slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, selector.Sel.Name) {
				if receiver, ok := selector.X.(*ast.Ident); ok && slices.Contains([]string{"t", "b", "f", "tb"}, receiver.Name) {
					t.Errorf("%s calls %s.%s: a test that is skipped everywhere is noticed nowhere", name, receiver.Name, selector.Sel.Name)
				}
			}
			return true
		})
	}
}

// A client that is linked by mistake adds megabytes, which this test notices first. The limits of detect, which runs for
// every package of every builder, and of run, which stays in memory for every chaincode, are promised to operators. build
// runs once per install, and links text/template for connection.json as well. run --check takes 0.16 MB of run, of which no run
// of a chaincode loads a page.
func TestSizeOfThePrograms(t *testing.T) {
	goFiles(t, "cmd", "internal")
	_, err := os.ReadFile("../go.sum") // so that go test's cache notices a new version of a module
	require.NoError(t, err)
	bin := t.TempDir()
	for phase, most := range map[string]int64{"detect": 3_500_000, "release": 3_100_000, "build": 13_500_000, "run": 10_400_000} {
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
				t.Errorf("%s has %d bytes, but the limit is %d: the peer runs it for every package, or keeps one per chaincode. It links\n%s",
					phase, info.Size(), most, otherModules(t, phase))
			}
		})
	}
}

// otherModules lists the packages that a program links from other modules, with the chains of imports.
func otherModules(t *testing.T, phase string) string {
	t.Helper()
	var chains []string
	all := listPackages(t, "-deps", "./cmd/"+phase)
	for importPath, p := range all {
		if !p.Standard && !within(importPath, module) {
			chains = append(chains, "  "+importChain(all, module+"/cmd/"+phase, importPath))
		}
	}
	slices.Sort(chains)
	return strings.Join(chains, "\n")
}
