// SPDX-License-Identifier: Apache-2.0

package imagebuild_test

import (
	"archive/tar"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"fabric-builder-docker/internal/content"
	"fabric-builder-docker/internal/imagebuild"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/platform"
	"fabric-builder-docker/test/fakeengine"
)

// Each is an output that is too large for some limits, in a container whose output is read.
func TestABuildThatLeavesTooMuchFails(t *testing.T) {
	tests := map[string]struct {
		plan   platform.Plan
		engine func(t *testing.T, options ...fakeengine.Option) *fakeengine.Engine
		limits content.OutputLimits
		want   string
	}{
		"a program": {
			plan, fewFiles, content.OutputLimits{Bytes: 10},
			`the build's output is larger than 10 bytes (0 bytes so far, and 22 bytes in "output/chaincode"): see builder.build.outputSize`,
		},
		"many files": {
			plan, manyFiles, content.OutputLimits{Files: 50},
			`the build's output has more than 50 files, directories and links (the next one is `,
		},
		"a snapshot of dependencies": {
			nodePlan, nodeFiles, content.OutputLimits{Bytes: 8},
			`see builder.build.outputSize`,
		},
		"Go's standard library": {
			planWithC(), filesWithC, content.OutputLimits{Bytes: 7}, // "compiled"
			`and 8 bytes in "output/00/a-d"): see builder.build.outputSize`,
		},
		"modules": {
			planWithC(), filesWithC, content.OutputLimits{Bytes: 8},
			`and 9 bytes in "mod/x@v1/x.go"): see builder.build.outputSize`,
		},
	}
	for name, test := range tests {
		for flavour, options := range flavours {
			t.Run(name+", "+flavour, func(t *testing.T) {
				engine := test.engine(t, options...)
				b := newBuilder(t, engine)
				b.Limits = imagebuild.Limits{Output: test.limits}
				b.Scratch = t.TempDir()
				source := newSource(t)
				if test.plan.Type == "node" {
					source = nodeSource(t, "x", "{}")
				}
				_, err := b.Build(t.Context(), test.plan, open(t, source), "basic_1.0")
				assert.ErrorContains(t, err, test.want)
				assert.True(t, err != nil && strings.HasPrefix(err.Error(), "the build's output "), "%v", err)
				assertNothingLeft(t, engine)
				assert.Empty(t, imagesOf(engine, metadata.KindChaincode))
				left, readErr := os.ReadDir(b.Scratch)
				assert.NoError(t, readErr)
				assert.Empty(t, left)
			})
		}
	}
}

func fewFiles(t *testing.T, options ...fakeengine.Option) *fakeengine.Engine {
	return newEngine(t, options...)
}

func manyFiles(t *testing.T, options ...fakeengine.Option) *fakeengine.Engine {
	engine := newEngine(t, options...)
	engine.SetProgram(func(p *fakeengine.Process) int {
		for i := range 60 { // none of them would be in the image
			p.Files.Add(platform.OutputDir+"/"+strings.Repeat("f", i+1), tar.Header{Typeflag: tar.TypeFifo}, "")
		}
		return compile(p)
	})
	return engine
}

func nodeFiles(t *testing.T, options ...fakeengine.Option) *fakeengine.Engine {
	return newNodeEngine(t, officialScript, 0o755, options...)
}

func filesWithC(t *testing.T, options ...fakeengine.Option) *fakeengine.Engine {
	engine := newEngine(t, options...)
	engine.SetProgram(needsC)
	return engine
}

// Code that is added to its dependencies is no output of a build.
func TestCodeThatIsOnlyPackedIsNotLimited(t *testing.T) {
	engine := nodeFiles(t)
	buildNode(t, engine, nodePlan, "first", "{}")
	limited := newBuilder(t, engine)
	limited.Limits = imagebuild.Limits{Output: content.OutputLimits{Bytes: 1, Files: 1}}
	_, err := limited.Build(t.Context(), nodePlan, open(t, nodeSource(t, "second", "{}")), "basic_1.0")
	assert.NoError(t, err)
}
