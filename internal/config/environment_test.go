// SPDX-License-Identifier: Apache-2.0

package config_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"fabric-builder-docker/internal/config"
)

func TestLookup(t *testing.T) {
	environ := []string{"A=1", "AB=2", "A=3=4", "XA=5", "EMPTY=", "NONE"}
	assert.Equal(t, "3=4", config.Lookup(environ, "A"), "the last one wins")
	assert.Empty(t, config.Lookup(environ, "EMPTY"))
	assert.Empty(t, config.Lookup(environ, "NONE"))
	assert.Empty(t, config.Lookup(environ, "MISSING"))
	assert.Empty(t, config.Lookup([]string{"A=1", "A="}, "A"))
}

func TestBuildEnvironment(t *testing.T) {
	settings := load(t, "builder: {build: {environment: {GOPROXY: \"https://proxy.example.com\", NEW: x}}}")
	assert.Equal(t, []string{"PATH=/bin", "GOPROXY=https://proxy.example.com", "NEW=x"}, settings.BuildEnvironment([]string{"GOPROXY=direct", "PATH=/bin"}))
	assert.Equal(t, []string{"A=b", "A=c"}, config.Defaults().BuildEnvironment([]string{"A=b", "A=c"}))
}
