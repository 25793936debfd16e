// SPDX-License-Identifier: Apache-2.0

package config_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"fabric-builder-docker/internal/config"
)

const (
	sampleFile = "../../packaging/config.yaml"
	tableFile  = "../../docs/configuration.md"
)

// commentedKey matches a line that sets a key once its # is removed: the # comes first, then the indentation. In prose the
// # follows the indentation.
var commentedKey = regexp.MustCompile(`(?m)^#((?:  )*\S)`)

// uncommented returns the sample file with all keys set.
func uncommented(t *testing.T) string {
	t.Helper()
	sample, err := os.ReadFile(sampleFile)
	require.NoError(t, err)
	return commentedKey.ReplaceAllString(string(sample), "$1")
}

// The sample file promises that it changes nothing as long as nothing in it is uncommented.
func TestTheSampleFileChangesNothing(t *testing.T) {
	sample, err := os.ReadFile(sampleFile)
	require.NoError(t, err)
	peer := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(peer, "core.yaml"), []byte(`
vm: {endpoint: "tcp://engine:2375", docker: {hostConfig: {NetworkMode: fabric_test, Memory: 1073741824, Dns: [192.0.2.1]}}}
chaincode: {builder: "example/ccenv:1", pull: true, logging: {level: debug}, startuptimeout: 100s}
peer: {id: peer0, networkId: test}
`), 0o644))
	environment := []string{"FABRIC_CFG_PATH=" + peer}
	without, err := config.Load(t.TempDir(), environment)
	require.NoError(t, err)
	require.Equal(t, "peer0", without.Peer.ID, "core.yaml is read")
	with, err := config.Load(home(t, string(sample)), environment)
	require.NoError(t, err)
	assert.Equal(t, values(without), values(with))
	assert.Equal(t, without.Warnings, with.Warnings)
}

// The sample file promises that its values are the defaults.
func TestTheSampleFileHoldsTheDefaults(t *testing.T) {
	none := []string{"DOCKER_HOST=unix:///x"} // the endpoint must not depend on this machine
	loaded, err := config.Load(home(t, uncommented(t)), none)
	require.NoError(t, err)
	defaults, err := config.Load(t.TempDir(), none)
	require.NoError(t, err)
	want := values(defaults)
	for key, value := range values(loaded) {
		if isEmpty(value) {
			assert.True(t, isEmpty(want[key]), key)
			continue
		}
		assert.Equal(t, want[key], value, key)
	}
	assert.Empty(t, loaded.Warnings)
}

// isEmpty reports whether a value is nil or an empty list.
func isEmpty(value any) bool {
	switch value := value.(type) {
	case nil:
		return true
	case []string:
		return len(value) == 0
	case config.Environment:
		return len(value) == 0
	case map[string]string:
		return len(value) == 0
	case []config.Override:
		return len(value) == 0
	}
	return false
}

// The sample file promises that it has every key. The keys of an override are in a comment.
func TestTheSampleFileHasEveryKey(t *testing.T) {
	sample := uncommented(t)
	var document map[string]any
	require.NoError(t, yaml.UnmarshalStrict([]byte(sample), &document))
	settings := config.Defaults()
	for _, key := range settings.Keys() {
		if _, element, ok := strings.Cut(key.Name, "[]."); ok {
			last := element[strings.LastIndex(element, ".")+1:]
			assert.True(t, regexp.MustCompile(`(?m)^ *# .*\b`+last+`:`).MatchString(sample), "%s has no commented %s", sampleFile, key.Name)
			continue
		}
		assert.True(t, has(document, strings.Split(key.Name, ".")), "%s has no %s", sampleFile, key.Name)
	}
}

func has(document map[string]any, path []string) bool {
	value, ok := document[path[0]]
	if !ok || len(path) == 1 {
		return ok
	}
	section, ok := value.(map[string]any)
	return ok && has(section, path[1:])
}

// Operators copy the override from the comment.
func TestTheOverrideInTheSampleFileWorks(t *testing.T) {
	_, example, found := strings.Cut(uncommented(t), "\n  overrides: []\n")
	require.True(t, found, "overrides is the last key")
	example = regexp.MustCompile(`(?m)^  # ?`).ReplaceAllString(example, "  ")
	settings, err := config.Load(home(t, "builder:\n  overrides:\n"+example), nil)
	require.NoError(t, err)
	require.Len(t, settings.Builder.Overrides, 1)
	assert.NotEqual(t, settings.Builder.Pids, settings.For(config.Subject{Label: strings.ReplaceAll(settings.Builder.Overrides[0].Label, "*", "1")}).Builder.Pids)
}

// row matches a line of the table: key, default, meaning, variable.
var row = regexp.MustCompile("(?m)^\\| `([a-z][^`]*)` \\| (.+) \\| (.+) \\| (.+) \\|$")

func TestTheTableHasExactlyTheKeys(t *testing.T) {
	table, err := os.ReadFile(filepath.FromSlash(tableFile))
	require.NoError(t, err)
	settings := config.Defaults()
	keys := settings.Keys()
	rows := map[string]string{}
	for _, found := range row.FindAllStringSubmatch(string(table), -1) {
		name := found[1]
		_, twice := rows[name]
		assert.False(t, twice, "%s has two rows for %s", tableFile, name)
		rows[name] = found[4]
		assert.True(t, slices.ContainsFunc(keys, func(key config.Key) bool { return key.Name == name }), "%s has a row for %s, which is not a key", tableFile, name)
	}
	for _, key := range keys {
		variable, there := rows[key.Name]
		assert.True(t, there, "%s has no row for %s", tableFile, key.Name)
		want := "`" + key.Variable + "`"
		if key.Variable == "" {
			want = "none"
		}
		assert.Equal(t, want, variable, "the variable of %s in %s", key.Name, tableFile)
	}
}

func TestTheTableHasTheDefaults(t *testing.T) {
	table, err := os.ReadFile(tableFile)
	require.NoError(t, err)
	settings := config.Defaults()
	for _, key := range settings.Keys() {
		for _, found := range row.FindAllStringSubmatch(string(table), -1) {
			text := documented(key.Value())
			if found[1] != key.Name || text == "" {
				continue
			}
			assert.True(t, strings.HasPrefix(found[2], text), "the default of %s is %s, not %s", key.Name, text, found[2])
		}
	}
}
