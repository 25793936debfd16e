// SPDX-License-Identifier: Apache-2.0

package platform_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/config"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/platform"
)

// The built-in controller's five layouts, in its order, and the same for a package without src/.
func TestGolangLayouts(t *testing.T) {
	const path = "github.com/example/basic"
	tests := map[string]struct {
		path  string
		files []string
		want  []string // directory, mode, package
	}{
		"1 a module with its dependencies":    {path, []string{"src/go.mod", "src/vendor/modules.txt"}, []string{"src", "vendor", path}},
		"2 a module":                          {path, []string{"src/go.mod"}, []string{"src", "readonly", path}},
		"2 the root package":                  {".", []string{"src/go.mod"}, []string{"src", "readonly", "."}},
		"2 vendor of a subdirectory":          {"./cmd", []string{"src/go.mod", "src/cmd/vendor/modules.txt"}, []string{"src", "readonly", "./cmd"}},
		"2 vendor is a regular file":          {".", []string{"src/go.mod", "src/vendor"}, []string{"src", "readonly", "."}},
		"2 before 3":                          {path, []string{"src/go.mod", "src/" + path + "/go.mod", "src/" + path + "/vendor/modules.txt"}, []string{"src", "readonly", path}},
		"3 a module below, with dependencies": {path, []string{"src/" + path + "/go.mod", "src/" + path + "/vendor/modules.txt"}, []string{"src/" + path, "vendor", "."}},
		"4 a module below":                    {path, []string{"src/" + path + "/go.mod"}, []string{"src/" + path, "readonly", "."}},
		"4 in a directory":                    {"./cc/../basic/", []string{"src/basic/go.mod"}, []string{"src/basic", "readonly", "."}},
		"4 vendor outside the module":         {"basic", []string{"src/basic/go.mod", "src/vendor/modules.txt"}, []string{"src/basic", "readonly", "."}},
		"5 no module":                         {path, []string{"src/" + path + "/main.go", "src/" + path + "/vendor/x/x.go"}, []string{"src", "gopath", path}},
		"5 no module, right in src":           {".", []string{"src/main.go"}, []string{"src", "gopath", "."}},
		"5 a go.mod elsewhere":                {"basic", []string{"src/basic/main.go", "src/other/go.mod"}, []string{"src", "gopath", "basic"}},
		"by hand, a module":                   {"", []string{"go.mod", "main.go"}, []string{"src", "readonly", "."}},
		"by hand, with dependencies":          {"", []string{"go.mod", "vendor/modules.txt"}, []string{"src", "vendor", "."}},
		"by hand, a module below":             {"basic", []string{"basic/go.mod"}, []string{"src/basic", "readonly", "."}},
		"by hand, no module":                  {"basic", []string{"basic/main.go"}, []string{"src", "gopath", "basic"}},
		"by hand, src is part of the code":    {"./src/cmd", []string{"go.mod", "src/cmd/main.go"}, []string{"src", "readonly", "./src/cmd"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := plan(t, metadata.Package{Type: "golang", Path: test.path}, source(test.files...))
			assert.Equal(t, append([]string{platform.InputDir + "/" + test.want[0]}, test.want[1:]...), got.Command[4:7])
			assert.Equal(t, name[:2] == "by", got.CodeAtRoot)
		})
	}
}

func TestGolangDynamicLink(t *testing.T) {
	settings := config.Defaults()
	settings.Chaincode.Golang.DynamicLink = true
	got, err := planFor(metadata.Package{Type: "golang"}, source("src/go.mod"), settings, nil)
	require.NoError(t, err)
	assert.Equal(t, "dynamic", got.Command[7])
	assert.Equal(t, "static", plan(t, metadata.Package{Type: "golang"}, source("src/go.mod")).Command[7])
}

func TestGoVersionsInGoMod(t *testing.T) {
	tests := map[string]struct {
		mod  string
		want []string
	}{
		"nothing":      {"module x\n", []string{"", ""}},
		"a version":    {"module x\n\ngo 1.26.1 // or newer\n", []string{"1.26.1", ""}},
		"both":         {"module x\r\n\tgo   1.21\r\ntoolchain go1.26.1\r\n", []string{"1.21", "go1.26.1"}},
		"a comment":    {"// go 1.99\nmodule x\nrequire go 1.0\n", []string{"", ""}},
		"incomplete":   {"go", []string{"", ""}},
		"shell syntax": {"go $(id)\n", []string{"$(id)", ""}}, // an argument, not part of the script
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			files := fstest.MapFS{"src/basic/go.mod": {Data: []byte(test.mod)}}
			assert.Equal(t, test.want, plan(t, metadata.Package{Type: "golang", Path: "basic"}, files).Command[8:10])
		})
	}
	without := fstest.MapFS{"src/main.go": {}}
	assert.Equal(t, []string{"", ""}, plan(t, metadata.Package{Type: "golang"}, without).Command[8:10])
}

func TestGolangCacheScope(t *testing.T) {
	tests := []struct {
		scope, label string
		environ      []string
		want         string
	}{
		{config.CacheEngine, "basic_1.0", nil, "KIND"},
		{config.CacheLabel, "basic_1.0", nil, "KIND-basic"},
		{config.CacheLabel, "basic_1.1", nil, "KIND-basic"},
		{config.CacheLabel, "", nil, ""},
		{config.CacheMSP, "basic_1.0", []string{"CORE_PEER_LOCALMSPID=Org1MSP"}, "KIND-msp-Org1MSP"},
		{config.CacheMSP, "basic_1.0", nil, "KIND-basic"},
		{config.CacheOff, "basic_1.0", nil, ""},
	}
	for _, test := range tests {
		settings := config.Defaults()
		settings.Builder.Cache.Scope = test.scope
		got, err := planFor(metadata.Package{Type: "golang", Label: test.label}, source("src/go.mod"), settings, test.environ)
		require.NoError(t, err)
		for i, kind := range []string{"go-build", "go-modules"} {
			assert.Equal(t, strings.ReplaceAll(test.want, "KIND", kind), got.Caches[i].Name, "%s %s", test.scope, test.label)
		}
	}
}

// The standard library is compiled with the flags of package builds, into the cache that they share.
func TestGoLibraryIsCompiledAsForBuilds(t *testing.T) {
	eachShell(t, testGoLibraryIsCompiledAsForBuilds)
}

func testGoLibraryIsCompiledAsForBuilds(t *testing.T) {
	environ := []string{"GOFLAGS=-tags=x", "GOPROXY=off", "HTTP_PROXY=http://proxy.example.com"}
	for link, settings := range map[string]config.Settings{"static": config.Defaults(), "dynamic": dynamic()} {
		library, err := platform.NewGoLibraryPlan(settings, environ)
		require.NoError(t, err)
		build, err := planFor(metadata.Package{Type: "golang"}, source("src/go.mod"), settings, environ)
		require.NoError(t, err)
		assert.Equal(t, build.Builder, library.Builder)
		assert.Equal(t, build.Environment, library.Environment)
		assert.Equal(t, build.Caches, library.Caches)
		assert.Equal(t, link == "dynamic", library.Base != nil)
		for command, want := range map[string]string{
			"shared": "go in /: version; go in /: build -gcflags=all=-dwarf=false std (CGO_ENABLED=0)",
			"with C": "go in /: version; go in /: version; go in /: build std" + map[string]string{"static": " (CGO_ENABLED=1)"}[link],
		} {
			b := newBox(t)
			b.tool("/tools/go", "")
			status, stderr, calls := b.run(map[string][]string{"shared": library.Command, "with C": build.WithC.Base.Command}[command])
			assert.Zero(t, status, stderr)
			assert.Equal(t, want, strings.Join(calls, "; "), command)
		}
	}
	narrow := config.Defaults()
	narrow.Builder.Cache.Scope = config.CacheLabel
	library, err := platform.NewGoLibraryPlan(narrow, nil)
	require.NoError(t, err)
	assert.Empty(t, library.Caches[0].Name, "without a label there is no shared cache")
}

func dynamic() config.Settings {
	settings := config.Defaults()
	settings.Chaincode.Golang.DynamicLink = true
	return settings
}
