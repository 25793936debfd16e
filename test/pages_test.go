// SPDX-License-Identifier: Apache-2.0

package test_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/test/fakeengine"
)

// Pages name the tests that show what they say.
func TestEveryTestThatAPageNamesExists(t *testing.T) {
	known := namesOfTests(t)
	pages, err := filepath.Glob("../docs/*.md")
	require.NoError(t, err)
	for _, page := range append(pages, "../README.md", "../SECURITY.md", "../CONTRIBUTING.md") {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		for _, name := range testName.FindAllString(string(text), -1) {
			if command := "-run " + name; strings.Contains(string(text), command) { // may be the beginning of names
				continue
			}
			assert.True(t, known[name], "%s: no test is called %s", page, name)
		}
	}
}

// docs/architecture.md says where things are.
func TestTheArchitecturePageNamesEveryPackage(t *testing.T) {
	page, err := os.ReadFile("../docs/architecture.md")
	require.NoError(t, err)
	for importPath := range listPackages(t, "./internal/...") {
		name := strings.TrimPrefix(importPath, module+"/")
		assert.Contains(t, string(page), "`"+name+"`", "%s is not on the page", name)
	}
	for _, file := range []string{
		"internal/config/types.go", "internal/config/settings.go", "internal/config/defaults.go", "internal/platform/platform.go",
		"internal/platform/environment.go", "internal/platform/scripts_test.go", "internal/imagebuild/digest.go",
		"internal/metadata/record.go", "packaging/config.yaml", "test/baseimages/recipes.go",
	} {
		assert.Contains(t, string(page), "`"+file+"`")
		assert.FileExists(t, filepath.Join("..", file))
	}
}

// docs/operations.md: a chaincode keeps its image when a base image changes, and gets another one when it is built again.
func TestANewBaseImageCountsFromTheNextBuild(t *testing.T) {
	s := newSite(t)
	require.Zero(t, s.build(&stderr{}))
	before := s.engine.Images()
	s.engine.AddImage(fakeengine.Image{Name: "baseos:1", Layers: []string{"sha256:c"}, User: "500:500"})

	out := &stderr{}
	s.engine.SetProgram(func(*fakeengine.Process) int { return 3 })
	require.Equal(t, 3, s.run(out), out)
	assert.NotContains(t, out.String(), "building", "the image of the install is launched")

	s.engine.SetProgram(compiles)
	again := *s
	again.output = t.TempDir() // as after builds/ID was deleted
	require.Zero(t, again.build(out), out)
	assert.NotContains(t, out.String(), "the image exists already")
	assert.Greater(t, len(s.engine.Images()), len(before))
}
