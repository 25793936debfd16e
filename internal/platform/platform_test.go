// SPDX-License-Identifier: Apache-2.0

package platform_test

import (
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/config"
	"fabric-builder-docker/internal/content"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/platform"
)

// source returns a package that contains the given files.
func source(names ...string) fstest.MapFS {
	files := fstest.MapFS{}
	for _, name := range names {
		files[name] = &fstest.MapFile{Data: []byte("x")}
	}
	return files
}

// planFor plans the build of a package that contains the given files.
func planFor(pkg metadata.Package, files fs.FS, settings config.Settings, environ []string) (platform.Plan, error) {
	source, err := content.Read(files)
	if err != nil {
		return platform.Plan{}, err
	}
	return platform.NewPlan(pkg, source, settings, environ)
}

func plan(t *testing.T, pkg metadata.Package, files fstest.MapFS, environ ...string) platform.Plan {
	t.Helper()
	plan, err := planFor(pkg, files, config.Defaults(), environ)
	require.NoError(t, err)
	return plan
}

// build and run must know every type that detect accepts.
func TestWhatIsClaimedIsKnown(t *testing.T) {
	for _, claimed := range config.KnownTypes {
		if err := platform.CheckRun(claimed); err != nil {
			assert.NotContains(t, err.Error(), "unknown package type")
		}
	}
	for _, foreign := range []string{"", "wasm", "GOLANG", "golang ", "go"} {
		assert.ErrorContains(t, platform.CheckRun(foreign), "unknown package type", foreign)
	}
}

func TestUnknownType(t *testing.T) {
	const want = `unknown package type "wasm": this builder handles golang, node, java, docker, k8s, ccaas and external`
	_, err := planFor(metadata.Package{Type: "wasm"}, source(), config.Defaults(), nil)
	assert.EqualError(t, err, want)
	_, err = platform.StartCommand(metadata.Record{Type: "wasm"}, config.Defaults(), "peer:7052")
	assert.EqualError(t, err, want)
	assert.EqualError(t, platform.CheckRun("wasm"), want)
}

func TestGolangPlan(t *testing.T) {
	settings := config.Defaults()
	settings.Chaincode.Builder, settings.Chaincode.Golang.Runtime = "example/ccenv:1", "example/baseos:1"
	got, err := planFor(metadata.Package{Type: "golang", Path: "./cmd"}, source("src/go.mod"), settings, nil)
	require.NoError(t, err)
	require.Len(t, got.Command, 12)
	assert.Equal(t, []string{"/bin/sh", "-c"}, got.Command[:2])
	got.Command = got.Command[3:]
	got.WithC = nil // see TestWhatABuildWithCHas
	assert.Equal(t, platform.Plan{
		Type:          "golang",
		Builder:       platform.Image{Name: "example/ccenv:1", Setting: "chaincode.builder"},
		Runtime:       platform.Image{Name: "example/baseos:1", Setting: "chaincode.golang.runtime"},
		Command:       []string{"build", "/chaincode/input/src", "readonly", "./cmd", "static", "", "", "on", ""},
		ModTime:       time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC),
		Tuning:        []string{"GOMEMLIMIT=512MiB"},
		LeftOut:       []string{".git", ".hg", ".svn", ".bzr", ".fslckout", "_FOSSIL_", "*.gch", "*.pch"},
		RunsNoCode:    true,
		Caches:        []platform.Cache{{Name: "go-build", Path: "/chaincode/cache/build"}, {Name: "go-modules", Path: "/chaincode/cache/mod"}},
		Target:        "/usr/local/bin",
		FabricVersion: "3.1",
	}, got)
}

func TestGolangTarget(t *testing.T) {
	targets := map[string]string{ // path of metadata.json -> what is built
		"":                         ".",
		".":                        ".",
		"./cmd/chaincode":          "./cmd/chaincode",
		"cmd/../chaincode":         "cmd/../chaincode",
		"..chaincode":              "..chaincode",
		"github.com/example/basic": "github.com/example/basic",
		"a b; rm -rf $HOME":        "a b; rm -rf $HOME", // an argument, not part of the script
	}
	for path, want := range targets {
		t.Run(path, func(t *testing.T) {
			got := plan(t, metadata.Package{Type: "golang", Path: path}, source("src/go.mod"))
			assert.Equal(t, want, got.Command[6])
			assert.Equal(t, plan(t, metadata.Package{Type: "golang"}, source("src/go.mod")).Command[:6], got.Command[:6])
		})
	}
	for _, path := range []string{"/", "/etc", "..", "../x", "a/../..", "a/../../b", "./../x", ".//../x"} {
		t.Run("outside "+path, func(t *testing.T) {
			_, err := planFor(metadata.Package{Type: "golang", Path: path}, source("src/go.mod"), config.Defaults(), nil)
			assert.EqualError(t, err, "planning the build of a golang package: path \""+path+
				"\" in metadata.json is outside the package: expected a Go import path or a directory inside src")
		})
	}
	for _, path := range []string{"-flag", "-o=/x", "-", "--"} {
		t.Run("flag "+path, func(t *testing.T) {
			_, err := planFor(metadata.Package{Type: "golang", Path: path}, source("src/go.mod"), config.Defaults(), nil)
			assert.EqualError(t, err, "planning the build of a golang package: invalid path \""+path+
				"\" in metadata.json: expected a Go import path or a directory inside src")
		})
	}
}

func TestPackageWithoutAManifest(t *testing.T) {
	const noGo = "planning the build of a golang package: the package has neither src/go.mod nor Go files in src"
	const noNode = "planning the build of a node package: the package has no src/package.json: Node chaincode must be an npm package"
	tests := map[string]struct {
		pkg   metadata.Package
		files fstest.MapFS
		want  string
	}{
		"golang":              {metadata.Package{Type: "golang"}, source("src/README.md", "src/cmd/main.go"), noGo},
		"golang, empty":       {metadata.Package{Type: "golang"}, source(), noGo},
		"golang, no such dir": {metadata.Package{Type: "golang", Path: "github.com/x/y"}, source("src/github.com/x/main.go"), "planning the build of a golang package: the package has no src/go.mod, no src/github.com/x/y/go.mod, and no Go files in src/github.com/x/y"},
		"golang, a pattern":   {metadata.Package{Type: "golang", Path: "[a*"}, source("src/a/main.go"), "planning the build of a golang package: the package has no src/go.mod, no src/[a*/go.mod, and no Go files in src/[a*"},
		"node":                {metadata.Package{Type: "node"}, source("src/index.js"), noNode},
		"node, empty":         {metadata.Package{Type: "node"}, source(), noNode},
		"node, a directory":   {metadata.Package{Type: "node"}, source("src/package.json/x"), noNode},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := planFor(test.pkg, test.files, config.Defaults(), nil)
			assert.EqualError(t, err, test.want)
		})
	}
}

// nodePackage returns a package that npm accepts.
func nodePackage() fstest.MapFS {
	return fstest.MapFS{"src/package.json": {Data: []byte(`{"name":"x"}`)}}
}

func TestNodePlan(t *testing.T) {
	settings := config.Defaults()
	settings.Chaincode.Node.Runtime = "example/nodeenv:1"
	got, err := planFor(metadata.Package{Type: "node", Path: "ignored"}, nodePackage(), settings, []string{"GOFLAGS=-x", "GOPROXY=off"})
	require.NoError(t, err)
	require.Len(t, got.Command, 5)
	assert.Equal(t, []string{"/bin/sh", "-c"}, got.Command[:2])
	assert.Equal(t, []string{"build", "none"}, got.Command[3:])
	got.Command = nil
	assert.Equal(t, platform.Plan{
		Type:             "node",
		Builder:          platform.Image{Name: "example/nodeenv:1", Setting: "chaincode.node.runtime"},
		Runtime:          platform.Image{Name: "example/nodeenv:1", Setting: "chaincode.node.runtime"},
		DigestInputs:     []string{"builder.node.snapshots=true"},
		Target:           "/usr/local/src",
		FabricVersion:    "3.1",
		NoSnapshotReason: "there is no lock file",
	}, got)
}

// https://github.com/hyperledger/fabric/issues/3066
func TestWhichEnvironmentIsHandedToTheBuild(t *testing.T) {
	proxies := []string{
		"HTTPS_PROXY=http://user:secret@proxy:3128", "HTTP_PROXY=http://proxy:3128", "NO_PROXY=.example.com",
		"http_proxy=http://proxy:3128", "https_proxy=http://proxy:3128", "no_proxy=.example.com",
	}
	transport := []string{
		"GOAUTH=netrc", "GOINSECURE=*", "GONOPROXY=x", "GONOSUMDB=x", "GOPRIVATE=x", "GOPROXY=https://user:secret@goproxy,direct",
		"GOSUMDB=off", "NETRC=/netrc",
	}
	output := []string{"GOFLAGS=-tags=x -buildvcs=false", "GOTOOLCHAIN=go1.26.0"}
	others := []string{
		"PATH=/usr/bin", "HOME=/root", "GOPATH=/go", "GOCACHE=/x", "GOMODCACHE=/x", "GOROOT=/x", "CGO_ENABLED=1", "GOPROXYX=1", "XGOPROXY=1",
		"CORE_PEER_MSPCONFIGPATH=/msp", "CORE_VM_ENDPOINT=unix:///x", "DOCKER_HOST=unix:///x", "AWS_SECRET_ACCESS_KEY=secret", "GOFLAGS", "=x", "",
	}
	environ := slices.Concat(others, proxies, transport, output)

	golang := plan(t, metadata.Package{Type: "golang"}, source("src/go.mod"), environ...)
	assert.ElementsMatch(t, slices.Concat(output, transport, proxies), slices.Concat(golang.Environment, golang.Given.Variables))
	assert.Equal(t, output, golang.DigestInputs, "only these change the output")
	for _, cache := range golang.Caches {
		assert.ElementsMatch(t, slices.Concat(output, transport, proxies), cache.Environment, "builds share caches only if they get modules in the same way")
	}

	node := plan(t, metadata.Package{Type: "node"}, nodePackage(), environ...)
	assert.ElementsMatch(t, proxies, slices.Concat(node.Environment, node.Given.Variables))
	assert.Equal(t, []string{"builder.node.snapshots=true"}, node.DigestInputs)

	for _, planned := range []platform.Plan{golang, node} {
		for _, setting := range planned.DigestInputs {
			assert.NotContains(t, strings.ToLower(setting), "proxy", "every network with its own proxy would get its own image")
			assert.NotContains(t, setting, "secret", "anyone could test guesses at a credential against the name of the image")
		}
		for _, shown := range [][]string{planned.Environment, planned.Given.Wrap(planned.Command)} {
			assert.NotContains(t, strings.Join(shown, " "), ":secret@", "anyone who can inspect the container can read its configuration")
		}
	}
}

// The build gets everything in builder.build.environment, which overrides the program's own environment.
func TestTheOperatorsEnvironmentForBuilds(t *testing.T) {
	settings := config.Defaults()
	settings.Builder.Build.Environment = config.Environment{"GOFLAGS=-tags=y", "GOPROXY=https://mirror", "GOCACHE=/tmp/cache", "CUSTOM=1"}
	got, err := planFor(metadata.Package{Type: "golang"}, source("src/go.mod"), settings, []string{"GOFLAGS=-tags=x", "GOPROXY=off", "OTHER=1"})
	require.NoError(t, err)
	assert.Equal(t, []string{"GOFLAGS=-tags=y", "GOPROXY=https://mirror", "GOCACHE=/tmp/cache", "CUSTOM=1"}, got.Environment)
	assert.Equal(t, []string{"CUSTOM=1", "GOCACHE=/tmp/cache", "GOFLAGS=-tags=y"}, got.DigestInputs, "an unknown variable may change the output")
	settings.Builder.Build.Transport = []string{"CUSTOM", "GOCACH[E]"}
	got, err = planFor(metadata.Package{Type: "golang"}, source("src/go.mod"), settings, nil)
	require.NoError(t, err)
	assert.Equal(t, []string{"GOFLAGS=-tags=y"}, got.DigestInputs)
	assert.Len(t, got.Environment, 4)
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
	start := func(packageType, address string) ([]string, error) {
		return platform.StartCommand(metadata.Record{Type: packageType}, config.Defaults(), address)
	}
	golang, err := start("golang", "peer0.example.com:7052")
	require.NoError(t, err)
	assert.Equal(t, []string{"chaincode", "-peer.address=peer0.example.com:7052"}, golang)

	node, err := start("node", `peer:7052"; id`)
	require.NoError(t, err)
	require.Len(t, node, 5)
	assert.Equal(t, []string{"/bin/sh", "-c"}, node[:2])
	assert.Equal(t, []string{"start", `peer:7052"; id`}, node[3:], "an argument, not part of the script")

	java, err := start("java", "peer:7052")
	require.NoError(t, err)
	assert.Equal(t, []string{"/root/chaincode-java/start", "--peerAddress", "peer:7052"}, java)

	for _, prebuilt := range []string{"docker", "k8s"} {
		command, err := start(prebuilt, "peer:7052")
		require.NoError(t, err)
		assert.Nil(t, command, "the image's own entrypoint")
		assert.NoError(t, platform.CheckRun(prebuilt))
	}
	for _, service := range []string{"ccaas", "external"} {
		want := "chaincode of type " + service + " runs as a service: the peer connects to it, and there is nothing to run"
		_, err := start(service, "peer:7052")
		assert.EqualError(t, err, want)
		assert.EqualError(t, platform.CheckRun(service), want)
	}
}
