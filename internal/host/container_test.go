// SPDX-License-Identifier: Apache-2.0

package host

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// ownID is the ID of the container in all files of testdata/mountinfo; otherID appears elsewhere in them.
const (
	ownID   = "0d5c3a0b6f2e4c8d9a7b1e2f3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f"
	otherID = "9f8e7d6c5b4a39281706f5e4d3c2b1a0998877665544332211ffeeddccbbaa00"
)

func TestAContainersIDIsFoundInItsMounts(t *testing.T) {
	files, err := filepath.Glob("testdata/mountinfo/*")
	require.NoError(t, err)
	require.Len(t, files, 9)
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			file, err := os.Open(name)
			require.NoError(t, err)
			defer file.Close()
			found, err := readContainer(file)
			require.NoError(t, err)
			if filepath.Base(name) == "host" {
				assert.Empty(t, found, "a host sees the mounts of its containers as well")
				return
			}
			assert.Equal(t, Container{Inside: true, IDs: []string{ownID}}, found)
		})
	}
}

// A root file system with many layers makes a line that is too long for bufio.Scanner.
func TestALongLineOfMountinfo(t *testing.T) {
	text := "1 0 0:1 / / rw - overlay overlay rw,lowerdir=" + strings.Repeat("/var/lib/docker/overlay2/l/X:", 10_000) + "\n" +
		"2 1 8:1 /var/lib/docker/containers/" + ownID + "/hostname /etc/hostname rw - ext4 /dev/sda1 rw" // and no newline
	found, err := readContainer(strings.NewReader(text))
	require.NoError(t, err)
	assert.Equal(t, []string{ownID}, found.IDs)
}

func TestMountinfoWithoutAContainer(t *testing.T) {
	for _, text := range []string{"", "\n", "a b c", "1 0 8:1 hostname /etc/hostname", "1 0 8:1 /" + ownID + " /etc/hostname rw"} {
		found, err := readContainer(strings.NewReader(text))
		require.NoError(t, err)
		assert.Empty(t, found.IDs, text)
	}
}
