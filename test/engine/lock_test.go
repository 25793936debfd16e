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
	_, err = Lock(ctx, Options{WorkDir: dir, Log: io.MultiWriter(&said, whenTold(cancel))})
	assert.ErrorIs(t, err, context.Canceled)
	assert.Contains(t, said.String(), "waiting for another run to end")

	release()
	again, err := Lock(t.Context(), Options{WorkDir: dir})
	require.NoError(t, err)
	again()
}

// whenTold is a log that does something as soon as anything is said.
type whenTold func()

func (do whenTold) Write(line []byte) (int, error) {
	do()
	return len(line), nil
}

// Clean removes the lock's file while it holds it: whoever waits for the
// removed one must not believe that it holds the lock.
func TestALockWhoseFileWasRemovedIsNone(t *testing.T) {
	name := filepath.Join(t.TempDir(), "lock")
	held, err := tryLock(name)
	require.NoError(t, err)
	require.NotNil(t, held)
	defer held.Close()
	assert.True(t, current(held))
	require.NoError(t, os.Remove(name))
	assert.False(t, current(held))

	next, err := tryLock(name)
	require.NoError(t, err)
	require.NotNil(t, next)
	defer next.Close()
	assert.False(t, current(held), "there is another file now")
}
