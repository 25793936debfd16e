// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/config"
	"fabric-builder-docker/internal/content"
	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/platform"
)

// inputs are all that a digest could be made of.
type inputs struct {
	pkg      metadata.Package
	files    fstest.MapFS
	settings config.Settings
	environ  []string
	builder  docker.Image
	runtime  docker.Image
}

func newInputs(packageType string) *inputs {
	files := map[string]fstest.MapFS{
		"golang": {"src/go.mod": {Data: []byte("module x")}, "src/main.go": {Data: []byte("package main")}},
		"node":   {"src/package.json": {Data: []byte("{}")}, "src/index.js": {Data: []byte("x")}},
		"docker": {"src/Dockerfile": {Data: []byte("FROM x")}},
	}[packageType]
	settings := config.Defaults()
	settings.Builder.Build.Transport = []string{"NEXUS_*"}
	return &inputs{
		pkg: metadata.Package{Type: packageType, Label: "basic_1.0"}, files: files, settings: settings,
		builder: docker.Image{Platform: "linux/amd64", Layers: []string{"a"}}, runtime: docker.Image{Platform: "linux/amd64", Layers: []string{"b"}},
	}
}

func (in *inputs) digest(t *testing.T) string {
	t.Helper()
	pkg, err := content.Read(in.files)
	require.NoError(t, err)
	plan, err := platform.NewPlan(in.pkg, pkg, in.settings, in.environ)
	require.NoError(t, err)
	if plan.Kind == platform.Dockerfile {
		context, err := buildContext(plan, pkg)
		require.NoError(t, err)
		return dockerfileDigest(plan, context)
	}
	return contentDigest(plan, pkg.Without(plan.LeftOut...), in.builder, in.runtime)
}

// row is a row of the table in docs/images.md.
var row = regexp.MustCompile(`(?m)^\| ([^|]+) \| (yes|no) \|`)

// Everything that can change an image is in its digest, and nothing else is. The documentation lists all of it: each
// row has a case here, and each case a row.
func TestWhatTheDigestHolds(t *testing.T) {
	doc, err := os.ReadFile("../../docs/images.md")
	require.NoError(t, err)
	_, section, ok := strings.Cut(string(doc), "## What an image is named by")
	require.True(t, ok)
	section, _, _ = strings.Cut(section, "\n## ")
	documented := map[string]string{}
	for _, found := range row.FindAllStringSubmatch(section, -1) {
		documented[found[1]] = found[2]
	}
	build := func(variable string) func(*inputs) {
		return func(in *inputs) { in.settings.Builder.Build.Environment = config.Environment{variable} }
	}
	cases := map[string]struct {
		packageType string
		changes     []func(*inputs) // each alone
	}{
		"files: paths as bytes, contents, execute bits": {"golang", []func(*inputs){
			func(in *inputs) { in.files["src/main.go"].Data = []byte("package main // 2") },
			func(in *inputs) { in.files["src/x"] = &fstest.MapFile{} },
			func(in *inputs) { in.files["src/main.go"].Mode = 0o755 },
			func(in *inputs) { in.files["META-INF"] = &fstest.MapFile{} },
		}},
		"directories, including empty ones":             {"node", []func(*inputs){func(in *inputs) { in.files["src/logs"] = &fstest.MapFile{Mode: os.ModeDir} }}},
		"`type` and `path` of metadata.json":            {"golang", []func(*inputs){func(in *inputs) { in.pkg.Path = "./cmd" }}},
		"the recipe: its version and the build command": {"golang", []func(*inputs){func(in *inputs) { in.settings.Chaincode.Golang.DynamicLink = true }}},
		"`builder.build.environment`, except transport variables": {"golang", []func(*inputs){
			build("GOFIPS140=v1.0.0"), build("GOAMD64=v3"), build("CGO_ENABLED=0"), build("ANY=1"), build("GOFLAGS=-tags=x"),
		}},
		"variables that the peer passes on to builds, except transport variables": {"golang", []func(*inputs){
			func(in *inputs) { in.environ = []string{"GOFLAGS=-tags=x"} }, func(in *inputs) { in.environ = []string{"GOTOOLCHAIN=go1.26.1"} },
		}},
		"`chaincode.golang.dynamicLink`": {"golang", []func(*inputs){func(in *inputs) { in.settings.Chaincode.Golang.DynamicLink = true }}},
		"for node and java: `builder.snapshots`; for node: `builder.node.snapshots` and `builder.node.knownScripts`": {"node", []func(*inputs){
			func(in *inputs) { in.settings.Builder.Snapshots = false },
			func(in *inputs) { in.settings.Builder.Node.Snapshots = false },
			func(in *inputs) { in.settings.Builder.Node.KnownScripts = []string{strings.Repeat("0", 64)} },
		}},
		"the version of Fabric: the peer's own, or `builder.fabricVersion`": {"golang", []func(*inputs){func(in *inputs) { in.settings.Builder.FabricVersion = "2.5" }}},
		"for a Dockerfile: `builder.buildArgs`, except transport variables": {"docker", []func(*inputs){
			func(in *inputs) { in.settings.Builder.BuildArgs = config.Environment{"A=1"} },
		}},
		"both base images: platform and layers": {"golang", []func(*inputs){
			func(in *inputs) { in.builder.Layers = []string{"c"} }, func(in *inputs) { in.runtime.Layers = []string{"c"} },
			func(in *inputs) { in.builder.Platform = "linux/arm64" }, func(in *inputs) { in.runtime.Platform = "linux/arm64" },
		}},
		"both base images: user, environment, entrypoint, working directory, volumes, stop signal": {"golang", []func(*inputs){
			func(in *inputs) { in.builder.User = "x" }, func(in *inputs) { in.runtime.User = "x" },
			func(in *inputs) { in.builder.Env = []string{"x"} }, func(in *inputs) { in.runtime.Env = []string{"x"} },
			func(in *inputs) { in.builder.Entrypoint = []string{"x"} }, func(in *inputs) { in.runtime.Entrypoint = []string{"x"} },
			func(in *inputs) { in.builder.WorkingDir = "/x" }, func(in *inputs) { in.runtime.WorkingDir = "/x" },
			func(in *inputs) { in.builder.Volumes = []string{"/x"} }, func(in *inputs) { in.runtime.Volumes = []string{"/x"} },
			func(in *inputs) { in.builder.StopSignal = "9" }, func(in *inputs) { in.runtime.StopSignal = "9" },
		}},
		"the label and `META-INF`": {"golang", []func(*inputs){
			func(in *inputs) { in.pkg.Label = "other_2.0" }, func(in *inputs) { in.files["META-INF/statedb/x"] = &fstest.MapFile{} },
		}},
		"names and IDs of base images": {"golang", []func(*inputs){
			func(in *inputs) { in.settings.Chaincode.Builder = "x" }, func(in *inputs) { in.settings.Chaincode.Golang.Runtime = "x" },
			func(in *inputs) { in.runtime.Labels = map[string]string{"x": "y"} },
		}},
		"limits, networks, timeouts, caches and pull settings of builds": {"golang", []func(*inputs){
			func(in *inputs) { in.settings.Builder.Build.Memory = 1 << 30 }, func(in *inputs) { in.settings.Builder.Build.CPUs = 2 },
			func(in *inputs) { in.settings.Builder.Build.Network = "host" }, func(in *inputs) { in.settings.Builder.BuildTimeout++ },
			func(in *inputs) { in.settings.Builder.Build.OutputSize++ }, func(in *inputs) { in.settings.Builder.Build.OutputFiles++ },
			func(in *inputs) { in.settings.Builder.Cache.Scope = config.CacheOff }, func(in *inputs) { in.settings.Builder.PullPolicy = config.PullNever },
		}},
		"settings for running chaincodes": {"golang", []func(*inputs){
			func(in *inputs) { in.settings.Builder.Environment = config.Environment{"A=1"} }, func(in *inputs) { in.settings.Builder.Pids = 5 },
		}},
		"for golang: version control (`.git`, `.hg`, `.svn`, `.bzr`, `.fslckout`, `_FOSSIL_`), precompiled headers (`*.gch`, `*.pch`) and compiled packages (`pkg` beside `src`)": {"golang", []func(*inputs){
			func(in *inputs) { in.files["src/.git/config"] = &fstest.MapFile{} }, func(in *inputs) { in.files["src/a.h.gch/x"] = &fstest.MapFile{} },
		}},
		"secret files, except `.netrc`, `.git-credentials` and those that `builder.build.transport` names": {"golang", []func(*inputs){
			func(in *inputs) {
				in.settings.Builder.Build.Secrets = map[string]string{"~/.config/settings": "digest_test.go"}
			},
		}},
		"transport variables: those below, and those that `builder.build.transport` names": {"golang", nil},
	}
	for name, test := range cases {
		want, ok := documented[name]
		if !assert.True(t, ok, "%q is no row of docs/images.md", name) {
			continue
		}
		for i, change := range test.changes {
			in := newInputs(test.packageType)
			before := in.digest(t)
			change(in)
			assert.Equal(t, want == "no", before == in.digest(t), "%s: change %d", name, i)
		}
	}
	assert.Len(t, documented, len(cases), "each row has a case")

	_, list, ok := strings.Cut(section, "Transport variables")
	require.True(t, ok)
	names := regexp.MustCompile("`([A-Za-z_0-9]+)`").FindAllStringSubmatch(list, -1)
	require.NotEmpty(t, names)
	for _, found := range append(names, []string{"", "NEXUS_TOKEN"}) {
		for _, set := range []func(*inputs){
			build(found[1] + "=secret"),
			func(in *inputs) { in.environ = []string{found[1] + "=secret"} },
		} {
			in := newInputs("golang")
			before := in.digest(t)
			set(in)
			assert.Equal(t, before, in.digest(t), "%s is transport", found[1])
		}
	}
}
