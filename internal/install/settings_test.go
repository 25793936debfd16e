// SPDX-License-Identifier: Apache-2.0

package install

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/metadata"
)

func TestBuildOutputWithoutSource(t *testing.T) {
	d := newDirs(t, "", "src/go.mod")
	require.NoError(t, writeOutput(d.output, d.source, nil, metadata.Record{Type: "golang", Label: "basic_1.0", Image: "x"}))
	assert.Equal(t, []string{"build-record.json"}, tree(t, d.output))
	_, err := metadata.ReadRecord(d.output)
	assert.NoError(t, err, "an output without the source is complete")
}
