// SPDX-License-Identifier: Apache-2.0

package platform_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/config"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/platform"
)

// The assembler opens every file that a package includes. When it runs, the secrets are gone, and the modules are there.
func TestTheAssemblerFindsNoSecrets(t *testing.T) { eachShell(t, testTheAssemblerFindsNoSecrets) }

func testTheAssemblerFindsNoSecrets(t *testing.T) {
	b := newWarmBuilds(t)
	b.module("example.com/rate", pkgFiles{"go.mod": "module example.com/rate\n", "rate.go": "package rate\n\nfunc Rate() int64 { return 7 }\n"})
	hostile := pkgFiles{
		"src/go.mod":    "module cc\n\ngo 1.21\n\nrequire example.com/rate v1.0.0\n",
		"src/main.go":   "package main\n\nimport \"example.com/rate\"\n\nfunc f()\n\nfunc main() { println(rate.Rate()) }\n",
		"src/a_amd64.s": "#include \"" + b.path("/memory/1") + "\"\n",
	}
	hostile = b.tidy(hostile)
	_, said := b.attempt(hostile)
	require.Contains(t, said, "no such file or directory")

	settings := withSecrets(map[string]string{"~/.netrc": write(t, "s3cret")})
	settings.Builder.Build.Environment = config.Environment{"NEXUS_TOKEN=s3cret"}
	planned, err := planFor(metadata.Package{Type: "golang"}, hostile.source(), settings, nil)
	require.NoError(t, err)
	given := planned.Given.Wrap(planned.Command)
	given = given[slices.Index(given, "--")+1:]
	for i := range given {
		if strings.Contains(given[i], "\n") && i != 2 { // run replaces the directories of the first script
			given[i] = b.inside(given[i])
		}
		given[i] = strings.ReplaceAll(given[i], platform.MemoryDir, b.path("/memory"))
	}
	secrets := func() { b.file("/memory/1", "s3cret\n", 0o600) }
	secrets()
	_, said = b.call(planned.Command)
	require.Contains(t, said, "s3cret", "this is what the assembler would do")

	secrets()
	_, said = b.call(given, "NEXUS_TOKEN=s3cret", "FABRIC_BUILDER_PRIVATE=' NEXUS_TOKEN'")
	assert.Contains(t, said, "no such file or directory")
	assert.NotContains(t, said, "s3cret")

	delete(hostile, "src/a_amd64.s")
	hostile["src/main.go"] = strings.Replace(hostile["src/main.go"], "func f()\n", "", 1)
	_, _ = b.attempt(hostile) // uploads it
	secrets()
	status, said := b.call(given)
	assert.Zero(t, status, "the modules were downloaded before: "+said)
}

// A module that cannot be downloaded ends the build with the reason of the download, not with that of the build after it.
func TestAModuleThatCannotBeDownloadedEndsTheBuildWithTheReason(t *testing.T) {
	eachShell(t, testAModuleThatCannotBeDownloadedEndsTheBuildWithTheReason)
}

func testAModuleThatCannotBeDownloadedEndsTheBuildWithTheReason(t *testing.T) {
	b := newWarmBuilds(t)
	settings := withSecrets(map[string]string{"~/.netrc": write(t, "s3cret")})
	pkg := pkgFiles{
		"src/go.mod":  "module cc\n\ngo 1.21\n\nrequire example.com/nowhere v1.0.0\n",
		"src/go.sum":  "example.com/nowhere v1.0.0 h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n",
		"src/main.go": "package main\n\nimport \"example.com/nowhere\"\n\nfunc main() { nowhere.F() }\n",
	}
	_, _ = b.attempt(pkg) // uploads it
	planned, err := planFor(metadata.Package{Type: "golang"}, pkg.source(), settings, nil)
	require.NoError(t, err)
	given := planned.Given.Wrap(planned.Command)
	given = given[slices.Index(given, "--")+1:]
	for _, environ := range [][]string{nil, {"CGO_ENABLED=0"}, {"CGO_ENABLED=1"}} {
		status, said := b.call(given, environ...)
		assert.NotZero(t, status)
		assert.Contains(t, said, "reading file://", "%q", environ)
		assert.NotContains(t, said, "GOPROXY=off", "%q", environ)
	}
}
