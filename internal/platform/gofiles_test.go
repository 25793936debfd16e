package platform_test

import (
	"go/build"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/config"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/platform"
)

// What the go command itself thinks of a name decides.
func TestGoFilesOfOtherSystemsByTheirName(t *testing.T) {
	names := strings.Fields(`a.go linux.go windows.go a_linux.go a_windows.go a_linux_amd64.go a_linux_arm64.go a_windows_amd64.go
		a_amd64.go a_arm64.go a_arm.go a_amd64_linux.go zsyscall_linux_ppc64le.go zerrors_freebsd_386.go a_unix.go a_linux_test.go
		a_windows_test.go a_test.go a_b_darwin.go darwin_a.go _windows.go a_linux.s asm_darwin_arm64.s a_js_wasm.go a_windows.x.go
		a_android.go a_solaris.go a_illumos.go a_nacl.go a_wasip1_wasm.go a_s390x.s a_plan9_x.go amd64.go a_.go __windows.go`)
	for _, processor := range []string{"amd64", "arm64", "s390x", "ppc64le", "386"} {
		command := build.Default
		command.GOOS, command.GOARCH = "linux", processor
		command.OpenFile = func(string) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("package p\n")), nil }
		for _, name := range names {
			if strings.HasPrefix(name, "_") { // the command ignores these in any case
				continue
			}
			takes, err := command.MatchFile("dir", name)
			require.NoError(t, err)
			assert.Equal(t, !takes, platform.IsForeignGo("vendor/example.com/"+name, processor), "%s on %s", name, processor)
		}
	}
	for _, name := range []string{"a_windows.c", "a_windows.h", "a_windows", "README_windows.md", "a_windows.txt"} {
		assert.False(t, platform.IsForeignGo(name, "amd64"), name)
	}
	assert.False(t, platform.IsForeignGo("a_windows.go", "unheard-of"))
}

func TestWhereGoPackagesHaveFilesOfOtherSystems(t *testing.T) {
	vendored := source("src/go.mod", "src/vendor/modules.txt")
	assert.Equal(t, "src/vendor", plan(t, metadata.Package{Type: "golang"}, vendored).Vendor)
	assert.Equal(t, "vendor", plan(t, metadata.Package{Type: "golang"}, source("go.mod", "vendor/modules.txt")).Vendor)
	assert.Equal(t, "src/a/vendor", plan(t, metadata.Package{Type: "golang", Path: "a"}, source("src/a/go.mod", "src/a/vendor/modules.txt")).Vendor)
	assert.Empty(t, plan(t, metadata.Package{Type: "golang"}, source("src/go.mod")).Vendor)
	for _, variable := range []string{"GOOS=windows", "GOARCH=arm64"} {
		settings := config.Defaults()
		settings.Builder.Build.Environment = config.Environment{variable}
		got, err := platform.For(metadata.Package{Type: "golang"}, vendored, settings, nil)
		require.NoError(t, err)
		assert.Empty(t, got.Vendor, "the operator builds for another system")
	}
}
