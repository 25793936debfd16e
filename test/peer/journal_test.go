// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTheJournalWaitsForALine(t *testing.T) {
	journal := &Journal{}
	journal.Log(Line{Program: "build", Text: "one"})
	go journal.Log(Line{Program: "run", Err: errors.New("too long")})

	line, err := journal.Wait(soon(t), "one")
	require.NoError(t, err)
	assert.Equal(t, "build", line.Program)
	_, err = journal.Wait(soon(t), "scanning failed")
	require.NoError(t, err)
	assert.Equal(t, "build: one\nrun: command output scanning failed: too long\n", journal.String())

	_, err = journal.Wait(expired(t), "never")
	assert.ErrorContains(t, err, `waiting for a line with "never"`)
}
