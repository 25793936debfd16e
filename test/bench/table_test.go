// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTheTableHasASectionForEachKindOfCase(t *testing.T) {
	var r report
	r.add(row{section: "Build, Go", name: "first install", unit: seconds, way: builtIn, ours: figures(20.04, 19, 22), beside: beside(30), asked: asked{gain, 1.2}})
	r.add(row{section: "Build, Go", name: "not measured", unit: seconds, way: builtIn})
	r.add(row{section: "Build, Go", name: "again", unit: seconds, way: builtIn, ours: figures(0.0123), beside: beside(30), note: "its first install"})
	r.add(row{section: "Memory", name: "peak", unit: megabytes, ours: figures(12.34), asked: asked{value, 10}})
	assert.Equal(t, `| Build, Go | ours | compared with | ratio | target | met |
|---|---|---|---|---|---|
| first install | 20.0 s (19.0 to 22.0) | built-in 30.0 s | ×1.497 | at least ×1.2 | yes |
| again | 0.012 s | built-in 30.0 s, its first install | ×2439 |  |  |

| Memory | ours | compared with | ratio | target | met |
|---|---|---|---|---|---|
| peak | 12.3 MB |  |  | ours at most 10 | NO |
`, r.table())
}

func TestTheTableGoesBetweenTheMarkers(t *testing.T) {
	name := filepath.Join(t.TempDir(), "performance.md")
	require.NoError(t, os.WriteFile(name, []byte("before\n"+tableBegin+"\nold\n"+tableEnd+"\nafter\n"), 0o644))
	for range 2 { // the second time changes nothing
		require.NoError(t, writeTable(name, "\nnew\n"))
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		assert.Equal(t, "before\n"+tableBegin+"\n\nnew\n\n"+tableEnd+"\nafter\n", string(text))
	}
}

func TestAFileWithoutTheMarkersStaysAsItIs(t *testing.T) {
	for _, text := range []string{"", tableBegin, tableEnd, tableEnd + tableBegin} {
		name := filepath.Join(t.TempDir(), "performance.md")
		require.NoError(t, os.WriteFile(name, []byte(text), 0o644))
		assert.ErrorContains(t, writeTable(name, "new"), "it lacks")
		now, err := os.ReadFile(name)
		require.NoError(t, err)
		assert.Equal(t, text, string(now))
	}
}
