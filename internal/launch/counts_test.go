// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/cli"
	"fabric-builder-docker/internal/figures"
)

// The built programs are called in test/figures_test.go. That an engine stays away takes minutes.
func TestARunThatLosesItsEngineIsCounted(t *testing.T) {
	directory, out := t.TempDir(), &lockedBuffer{}
	c := counts{figures.New(directory, cli.NewLogger("run", out))}
	c.countExit(end{}, errors.New("no answer"), time.Minute)
	text, err := os.ReadFile(filepath.Join(directory, figures.FileName))
	require.NoError(t, err)
	assert.Contains(t, string(text), `exits_total{cause="lost",status="1"} 1`+"\n")
	assert.Empty(t, out.String())
}
