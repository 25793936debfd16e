// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestVersionNamesTheCommitIfItIsKnown(t *testing.T) {
	system := fmt.Sprintf("(%s, %s/%s)", runtime.Version(), runtime.GOOS, runtime.GOARCH)
	assert.Equal(t, "0.1.0, commit 4abdd2527733 of 2026-11-27T03:32:41Z "+system, describe("0.1.0", "4abdd2527733", "2026-11-27T03:32:41Z"))
	assert.Equal(t, "0.1.0 "+system, describe("0.1.0", "", ""), "sources without git")
	assert.Equal(t, "development "+system, Version(), "built without make")
	assert.Equal(t, "development", Release())
}
