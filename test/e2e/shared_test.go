// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// shared is something expensive that several tests only read. The first one that needs it makes it.
type shared[T any] struct {
	once  sync.Once
	made  bool
	value T
}

// get returns the value. make must not return what ends with its test, such as a directory of t.TempDir.
func (s *shared[T]) get(t *testing.T, make func() T) T {
	t.Helper()
	s.once.Do(func() { s.value, s.made = make(), true })
	require.True(t, s.made, "another test has failed to make what this one shares with it")
	return s.value
}
