// SPDX-License-Identifier: Apache-2.0

package docker

import (
	"context"
	"time"
)

// Cause returns why ctx has ended, or nil if it has not. A context whose deadline has passed counts as ended: a dial has a
// timer of its own for that deadline, which may fire a moment before the context's, and gives only "i/o timeout".
func Cause(ctx context.Context) error {
	if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
		<-ctx.Done()
	}
	return context.Cause(ctx)
}
