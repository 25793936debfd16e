// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestMountsBelowFindsTheInnermostFirst(t *testing.T) {
	lines := []string{
		"21 1 254:0 / / rw - ext4 /dev/vda rw",
		"30 21 0:40 / /w/data/overlay2/a/merged rw - overlay overlay rw",
		"31 30 0:41 / /w/data/overlay2/a/merged/proc rw - proc proc rw",
		`32 21 0:42 / /w/data/with\040space rw - tmpfs tmpfs rw`,
		"33 21 0:43 / /w/database rw - tmpfs tmpfs rw",
		"34 21 0:4 net:[4026532281] /tmp/fbd-1/exec/netns/default rw - nsfs nsfs rw",
		"broken",
	}
	assert.Equal(t, []string{
		"/tmp/fbd-1/exec/netns/default",
		"/w/data/with space",
		"/w/data/overlay2/a/merged/proc",
		"/w/data/overlay2/a/merged",
	}, mountsBelow(lines, []string{"/w/data", "/tmp/fbd-1"}))
	assert.Empty(t, mountsBelow(lines, nil))
}
