package config_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/config"
)

// The sample file says that its values are the defaults, and docs/configuration.md that it names every key.
func TestTheSampleFileAndTheTableMatchTheCode(t *testing.T) {
	sample, err := os.ReadFile("../../packaging/config.yaml")
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, config.File), sample, 0o644))
	none := []string{"DOCKER_HOST=unix:///x"} // the endpoint must not depend on this machine
	loaded, err := config.Load(dir, none)
	require.NoError(t, err)
	defaults, err := config.Load(t.TempDir(), none)
	require.NoError(t, err)
	assert.Equal(t, defaults, loaded)

	table, err := os.ReadFile("../../docs/configuration.md")
	require.NoError(t, err)
	for _, key := range defaults.Keys() {
		assert.Contains(t, string(table), "| `"+key.Name+"` |", "a row of docs/configuration.md")
		assert.Contains(t, string(table), "`"+key.Variable+"`", "a variable in docs/configuration.md")
	}
}
