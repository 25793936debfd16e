// SPDX-License-Identifier: Apache-2.0

package imagebuild_test

import (
	"archive/tar"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/platform"
	"fabric-builder-docker/test/fakeengine"
)

// A cache belongs to one builder image, and to builds that were given the same.
func TestWhichBuildsShareACache(t *testing.T) {
	engine := newEngine(t)
	volumes := func(change func(*platform.Plan, *fakeengine.Image)) []string {
		before := engine.Volumes()
		p, image := plan, builderImage
		p.Caches = []platform.Cache{{Name: "golang", Path: platform.CacheDir, Environment: []string{"A=1"}}}
		p.DigestInputs = []string{t.Name()}
		change(&p, &image)
		engine.AddImage(image)
		_, err := newBuilder(t, engine).Build(t.Context(), p, newPackage(t), "basic_1.0")
		require.NoError(t, err)
		var made []string
		for _, name := range slices.Sorted(maps.Keys(engine.Volumes())) {
			if _, there := before[name]; !there {
				made = append(made, name)
				assert.Equal(t, metadata.KindCache, engine.Volumes()[name].Labels[metadata.LabelKind])
				assert.Regexp(t, "^fabric-chaincode-cache-golang-[0-9a-f]{16}$", name)
			}
		}
		return made
	}
	assert.Len(t, volumes(func(*platform.Plan, *fakeengine.Image) {}), 1)
	for name, change := range map[string]func(*platform.Plan, *fakeengine.Image){
		"other code":     func(p *platform.Plan, _ *fakeengine.Image) { p.Command = []string{"/bin/sh", "-c", "compile all"} },
		"other settings": func(p *platform.Plan, _ *fakeengine.Image) { p.DigestInputs = nil },
		"another place":  func(p *platform.Plan, _ *fakeengine.Image) { p.Target = "/opt" },
	} {
		assert.Empty(t, volumes(change), name)
	}
	for name, change := range map[string]func(*platform.Plan, *fakeengine.Image){
		"layers":      func(_ *platform.Plan, image *fakeengine.Image) { image.Layers = []string{"sha256:c"} },
		"user":        func(_ *platform.Plan, image *fakeengine.Image) { image.User = "" },
		"environment": func(_ *platform.Plan, image *fakeengine.Image) { image.Env = []string{"GOPATH=/go"} },
		"what they were given": func(p *platform.Plan, _ *fakeengine.Image) {
			p.Caches = []platform.Cache{{Name: "golang", Path: platform.CacheDir, Environment: []string{"A=2"}}}
			p.DigestInputs = []string{"A=2"}
		},
	} {
		assert.Len(t, volumes(change), 1, name)
	}
}

func TestACacheWithoutANameIsNoVolume(t *testing.T) {
	engine := newEngine(t)
	var cache fakeengine.File
	engine.SetProgram(func(p *fakeengine.Process) int { cache, _ = p.Files.Get(platform.CacheDir); return compile(p) })
	p := plan
	p.Caches = []platform.Cache{{Path: platform.CacheDir}}
	_, err := newBuilder(t, engine).Build(t.Context(), p, newPackage(t), "basic_1.0")
	require.NoError(t, err)
	assert.Empty(t, engine.Volumes())
	assert.EqualValues(t, 0o777, cache.Header.Mode, "the directory is there all the same, for whichever user builds")
}

func TestWhatIsUploadedOfAPackage(t *testing.T) {
	tests := map[string]struct {
		rooted      bool
		executables []string
		want        map[string]int64
	}{
		"as it is":          {false, nil, map[string]int64{"/src/main.go": 0o644, "/src/go.mod": 0o644}},
		"with execute bits": {false, []string{"src/main.go"}, map[string]int64{"/src/main.go": 0o755, "/src/go.mod": 0o644}},
		"from the root":     {true, []string{"src/src/go.mod"}, map[string]int64{"/src/src/main.go": 0o644, "/src/src/go.mod": 0o755}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			engine := newEngine(t)
			got := map[string]int64{}
			engine.SetProgram(func(p *fakeengine.Process) int {
				for name := range test.want {
					if file, ok := p.Files.Get(platform.InputDir + name); ok {
						got[name] = file.Header.Mode
					}
				}
				assert.NotContains(t, strings.Join(p.Files.Names("/chaincode"), " "), "META-INF")
				p.Files.Add(platform.OutputDir+"/chaincode", tar.Header{Typeflag: tar.TypeReg}, "x")
				return 0
			})
			p := plan
			p.CodeAtRoot, p.Executables = test.rooted, test.executables
			_, err := newBuilder(t, engine).Build(t.Context(), p, newPackage(t), "basic_1.0")
			require.NoError(t, err)
			assert.Equal(t, test.want, got)
		})
	}
}
