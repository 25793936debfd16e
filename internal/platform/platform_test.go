package platform_test

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/config"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/platform"
)

// source is a package that holds these files.
func source(names ...string) fstest.MapFS {
	files := fstest.MapFS{}
	for _, name := range names {
		files[name] = &fstest.MapFile{Data: []byte("x")}
	}
	return files
}

func plan(t *testing.T, pkg metadata.Package, files fstest.MapFS, environ ...string) platform.Plan {
	t.Helper()
	plan, err := platform.For(pkg, files, config.Defaults(), environ)
	require.NoError(t, err)
	return plan
}

func TestClaims(t *testing.T) {
	for _, claimed := range []string{"golang", "node"} {
		assert.True(t, platform.Claims(claimed), claimed)
	}
	for _, foreign := range []string{"", "ccaas", "external", "k8s", "wasm", "GOLANG", "golang ", "go"} {
		assert.False(t, platform.Claims(foreign), foreign)
	}
}

func TestAnUnknownTypeIsAnErrorOfItsOwn(t *testing.T) {
	const want = `type "wasm" is not known: this builder serves golang and node`
	_, err := platform.For(metadata.Package{Type: "wasm"}, source(), config.Defaults(), nil)
	assert.EqualError(t, err, want)
	_, err = platform.Start("wasm", "peer:7052")
	assert.EqualError(t, err, want)
}

func TestGolangPlan(t *testing.T) {
	settings := config.Defaults()
	settings.Chaincode.Builder, settings.Chaincode.Golang.Runtime = "example/ccenv:1", "example/baseos:1"
	got, err := platform.For(metadata.Package{Type: "golang", Path: "./cmd"}, source("src/go.mod"), settings, nil)
	require.NoError(t, err)
	require.Len(t, got.Command, 6)
	assert.Equal(t, []string{"/bin/sh", "-c"}, got.Command[:2])
	got.Command = got.Command[3:]
	assert.Equal(t, platform.Plan{
		Type:        "golang",
		Builder:     platform.Image{Name: "example/ccenv:1", Setting: "chaincode.builder"},
		Runtime:     platform.Image{Name: "example/baseos:1", Setting: "chaincode.golang.runtime"},
		Command:     []string{"build", "readonly", "./cmd"},
		Environment: []string{"GOCACHE=/chaincode/cache/build", "GOMODCACHE=/chaincode/cache/mod"},
		Cache:       "golang",
		Target:      "/usr/local/bin",
	}, got)
}

func TestGolangModuleMode(t *testing.T) {
	tests := map[string]struct {
		files []string
		want  string
	}{
		"modules are fetched":           {[]string{"src/go.mod"}, "readonly"},
		"vendored":                      {[]string{"src/go.mod", "src/vendor/modules.txt"}, "vendor"},
		"a vendor directory of another": {[]string{"src/go.mod", "src/cmd/vendor/modules.txt", "vendor/modules.txt"}, "readonly"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := plan(t, metadata.Package{Type: "golang"}, source(test.files...))
			assert.Equal(t, test.want, got.Command[4])
		})
	}
}

func TestGolangTarget(t *testing.T) {
	targets := map[string]string{ // path of metadata.json -> what is built
		"":                         ".",
		".":                        ".",
		"./cmd/chaincode":          "./cmd/chaincode",
		"cmd/../chaincode":         "cmd/../chaincode",
		"..chaincode":              "..chaincode",
		"github.com/example/basic": "github.com/example/basic",
		"a b; rm -rf $HOME":        "a b; rm -rf $HOME", // an argument, never a part of the script
	}
	for path, want := range targets {
		t.Run(path, func(t *testing.T) {
			got := plan(t, metadata.Package{Type: "golang", Path: path}, source("src/go.mod"))
			assert.Equal(t, want, got.Command[5])
			assert.Equal(t, plan(t, metadata.Package{Type: "golang"}, source("src/go.mod")).Command[:5], got.Command[:5])
		})
	}
	for _, path := range []string{"/", "/etc", "..", "../x", "a/../..", "a/../../b", "./../x", ".//../x"} {
		t.Run("outside "+path, func(t *testing.T) {
			_, err := platform.For(metadata.Package{Type: "golang", Path: path}, source("src/go.mod"), config.Defaults(), nil)
			assert.EqualError(t, err, "planning the build of a golang package: path \""+path+
				"\" of metadata.json leads out of the package: expected a Go import path or a directory inside src")
		})
	}
	for _, path := range []string{"-flag", "-o=/x", "-", "--"} {
		t.Run("flag "+path, func(t *testing.T) {
			_, err := platform.For(metadata.Package{Type: "golang", Path: path}, source("src/go.mod"), config.Defaults(), nil)
			assert.EqualError(t, err, "planning the build of a golang package: path \""+path+"\" of metadata.json is no Go package")
		})
	}
}

func TestAPackageThatLacksItsManifest(t *testing.T) {
	tests := map[string]struct {
		pkg   metadata.Package
		files fstest.MapFS
		want  string
	}{
		"golang": {metadata.Package{Type: "golang"}, source("src/main.go"),
			"planning the build of a golang package: the package has no src/go.mod: a Go chaincode is packaged as a module"},
		"golang without src": {metadata.Package{Type: "golang"}, source("go.mod", "main.go"),
			"planning the build of a golang package: the package has no src/go.mod: a Go chaincode is packaged as a module"},
		"golang, empty": {metadata.Package{Type: "golang"}, source(),
			"planning the build of a golang package: the package has no src/go.mod: a Go chaincode is packaged as a module"},
		"node": {metadata.Package{Type: "node"}, source("src/index.js", "package.json"),
			"planning the build of a node package: the package has no src/package.json: a Node chaincode is packaged as an npm package"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := platform.For(test.pkg, test.files, config.Defaults(), nil)
			assert.EqualError(t, err, test.want)
		})
	}
}

func TestNodePlan(t *testing.T) {
	settings := config.Defaults()
	settings.Chaincode.Node.Runtime = "example/nodeenv:1"
	got, err := platform.For(metadata.Package{Type: "node", Path: "ignored"}, source("src/package.json"), settings, []string{"GOFLAGS=-x", "GOPROXY=off"})
	require.NoError(t, err)
	require.Len(t, got.Command, 3)
	assert.Equal(t, []string{"/bin/sh", "-c"}, got.Command[:2])
	got.Command = nil
	assert.Equal(t, platform.Plan{
		Type:    "node",
		Builder: platform.Image{Name: "example/nodeenv:1", Setting: "chaincode.node.runtime"},
		Runtime: platform.Image{Name: "example/nodeenv:1", Setting: "chaincode.node.runtime"},
		Target:  "/usr/local/src",
	}, got)
}

// https://github.com/hyperledger/fabric/issues/3066
func TestWhichEnvironmentIsHandedToTheBuild(t *testing.T) {
	proxies := []string{
		"HTTPS_PROXY=http://user:secret@proxy:3128", "HTTP_PROXY=http://proxy:3128", "NO_PROXY=.example.com",
		"http_proxy=http://proxy:3128", "https_proxy=http://proxy:3128", "no_proxy=.example.com",
	}
	transport := []string{
		"GOINSECURE=*", "GONOPROXY=x", "GONOSUMDB=x", "GOPRIVATE=x", "GOPROXY=https://user:secret@goproxy,direct", "GOSUMDB=off",
	}
	output := []string{"GOFLAGS=-tags=x -buildvcs=false", "GOTOOLCHAIN=go1.26.0"}
	others := []string{
		"PATH=/usr/bin", "HOME=/root", "GOPATH=/go", "GOCACHE=/x", "GOMODCACHE=/x", "GOROOT=/x", "CGO_ENABLED=1", "GOPROXYX=1", "XGOPROXY=1",
		"CORE_PEER_MSPCONFIGPATH=/msp", "CORE_VM_ENDPOINT=unix:///x", "DOCKER_HOST=unix:///x", "AWS_SECRET_ACCESS_KEY=secret", "GOFLAGS", "=x", "",
	}
	caches := []string{"GOCACHE=/chaincode/cache/build", "GOMODCACHE=/chaincode/cache/mod"}
	environ := slices.Concat(others, proxies, transport, output)

	golang := plan(t, metadata.Package{Type: "golang"}, source("src/go.mod"), environ...)
	assert.Equal(t, slices.Concat(caches, output, transport, proxies), golang.Environment)
	assert.Equal(t, output, golang.Settings, "these change what is built, and no other")

	node := plan(t, metadata.Package{Type: "node"}, source("src/package.json"), environ...)
	assert.Equal(t, proxies, node.Environment)
	assert.Empty(t, node.Settings)

	for _, planned := range []platform.Plan{golang, node} {
		for _, setting := range planned.Settings {
			assert.NotContains(t, strings.ToLower(setting), "proxy", "a proxy would give each network its own image")
			assert.NotContains(t, setting, "secret", "a credential would end up in a name that everybody can test guesses against")
		}
		assert.NotContains(t, strings.Join(planned.Command, " "), "secret", "a command can be read by all who can inspect the container")
	}
}

func TestWhichEnvironmentDoesNotDependOnItsOrder(t *testing.T) {
	one := plan(t, metadata.Package{Type: "golang"}, source("src/go.mod"), "GOTOOLCHAIN=local", "GOFLAGS=-x", "no_proxy=a", "GOPROXY=b")
	other := plan(t, metadata.Package{Type: "golang"}, source("src/go.mod"), "GOPROXY=b", "no_proxy=a", "GOFLAGS=-x", "GOTOOLCHAIN=local")
	assert.Equal(t, one, other)
}

func TestAnEmptyVariableCountsAsNotSet(t *testing.T) {
	got := plan(t, metadata.Package{Type: "golang"}, source("src/go.mod"), "GOFLAGS=", "GOPROXY=", "HTTP_PROXY=")
	assert.Equal(t, plan(t, metadata.Package{Type: "golang"}, source("src/go.mod")), got)
}

func TestStart(t *testing.T) {
	golang, err := platform.Start("golang", "peer0.example.com:7052")
	require.NoError(t, err)
	assert.Equal(t, []string{"chaincode", "-peer.address=peer0.example.com:7052"}, golang)

	node, err := platform.Start("node", `peer:7052"; id`)
	require.NoError(t, err)
	require.Len(t, node, 5)
	assert.Equal(t, []string{"/bin/sh", "-c"}, node[:2])
	assert.Equal(t, []string{"start", `peer:7052"; id`}, node[3:], "an argument, never a part of the script")
}
