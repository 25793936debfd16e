// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestLockWaitsForTheOtherAndSaysSo(t *testing.T) {
	dir := t.TempDir()
	release, err := Lock(t.Context(), Options{WorkDir: dir})
	require.NoError(t, err)

	var said bytes.Buffer
	ctx, cancel := context.WithCancel(t.Context())
	_, err = Lock(ctx, Options{WorkDir: dir, Log: io.MultiWriter(&said, onWrite(cancel))})
	assert.ErrorIs(t, err, context.Canceled)
	assert.Contains(t, said.String(), "waiting for another run to end")

	release()
	again, err := Lock(t.Context(), Options{WorkDir: dir})
	require.NoError(t, err)
	again()
}

// onWrite is a log that calls a function on every write.
type onWrite func()

func (do onWrite) Write(line []byte) (int, error) {
	do()
	return len(line), nil
}

// Clean removes the lock file while it holds it. A process that was waiting for the removed file must not think that it
// holds the lock.
func TestARemovedFileIsNoLock(t *testing.T) {
	name := filepath.Join(t.TempDir(), "lock")
	held, err := tryLock(name)
	require.NoError(t, err)
	require.NotNil(t, held)
	defer held.Close()
	assert.True(t, isCurrent(held))
	require.NoError(t, os.Remove(name))
	assert.False(t, isCurrent(held))

	next, err := tryLock(name)
	require.NoError(t, err)
	require.NotNil(t, next)
	defer next.Close()
	assert.False(t, isCurrent(held), "there is another file now")
}
