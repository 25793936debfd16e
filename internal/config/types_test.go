// SPDX-License-Identifier: Apache-2.0

package config_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/config"
)

// LoadTypes and Load must agree: detect must not accept a package that build then refuses.
func TestDetectAndBuildReadTheSameTypes(t *testing.T) {
	tests := map[string]struct {
		yaml    string
		environ []string
		want    []string
	}{
		"no file":            {"", nil, config.KnownTypes},
		"nothing in it":      {"# nothing\n", nil, config.KnownTypes},
		"other keys":         {"vm: {endpoint: unix:///x}\nbuilder: {pids: 10}\n", nil, config.KnownTypes},
		"no value":           {"builder:\n  types:\n", nil, config.KnownTypes},
		"an empty section":   {"builder:\n", nil, config.KnownTypes},
		"a list":             {"builder:\n  types:\n  - golang\n  - k8s\n", nil, []string{"golang", "k8s"}},
		"a list on one line": {"builder: {types: [node]}\n", nil, []string{"node"}},
		"a string":           {"builder: {types: golang  java}\n", nil, []string{"golang", "java"}},
		"another case":       {"Builder: {TYPES: [java]}\n", nil, []string{"java"}},
		"JSON":               {`{"builder":{"types":["golang"]}}`, nil, []string{"golang"}},
		"a variable":         {"builder: {types: [node]}\n", []string{"CORE_BUILDER_TYPES=golang\tk8s"}, []string{"golang", "k8s"}},
		"an empty variable":  {"builder: {types: [node]}\n", []string{"CORE_BUILDER_TYPES="}, []string{"node"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			dir := settingsDir(t, test.yaml)
			got, err := config.LoadTypes(dir, test.environ)
			require.NoError(t, err)
			assert.Equal(t, test.want, got)
			all, err := config.Load(dir, test.environ)
			require.NoError(t, err)
			assert.Equal(t, test.want, all.Builder.Types)
		})
	}
}

func TestInvalidTypes(t *testing.T) {
	for content, want := range map[string]string{
		"builder: {types: [golan]}": `config.yaml: builder.types: invalid value "golan": expected one of golang, node, `,
		"builder: {types: [1]}":     "config.yaml: builder.types: invalid entry 1: expected ",
		"builder: {types: {a: b}}":  "config.yaml: builder.types: ",
		"builder: {types: true}":    "config.yaml: builder.types: ",
		"builder: {":                "config.yaml: invalid YAML: ",
	} {
		dir := settingsDir(t, content)
		_, err := config.LoadTypes(dir, nil)
		assert.ErrorContains(t, err, want, content)
		_, err = config.Load(dir, nil)
		assert.Error(t, err, "build must refuse it as well: %s", content)
	}
	_, err := config.LoadTypes(t.TempDir(), []string{"CORE_BUILDER_TYPES=GOLANG"})
	assert.ErrorContains(t, err, `variable CORE_BUILDER_TYPES: builder.types: invalid value "GOLANG": expected `)
}

func settingsDir(t *testing.T, content string) string {
	t.Helper()
	dir := t.TempDir()
	if content != "" {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "config.yaml"), []byte(content), 0o644))
	}
	return dir
}
