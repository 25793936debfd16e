// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/metadata"
)

// Nobody writes to the FIFOs, so run would wait for ever, and with it the peer's launch.
func TestRunDoesNotWaitForAFIFO(t *testing.T) {
	for name, argument := range map[string]int{metadata.RecordFile: 0, metadata.ChaincodeFile: 1} {
		process := newRunner(t).process(t)
		path := filepath.Join(process.Args[argument], name)
		require.NoError(t, os.Remove(path))
		require.NoError(t, syscall.Mkfifo(path, 0o600))
		assert.ErrorContains(t, Run(t.Context(), process), "reading "+path+": it is a FIFO, not a regular file")
	}
}
