// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
)

// clean stops the daemon and removes the working directory.
func clean(ctx context.Context, p paths) error {
	if err := stop(ctx, p); err != nil {
		return err
	}
	return RemoveTree(p.work)
}

// RemoveTree unmounts everything below a directory and removes it. A killed program may have left a mount there, and
// behind it may be the machine's own files.
func RemoveTree(dir string) error {
	if err := unmount(dir); err != nil {
		return err
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("removing %s: %w", dir, err)
	}
	return nil
}

// unmount unmounts everything at or below the given directories, innermost first.
func unmount(dirs ...string) error {
	table, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return fmt.Errorf("listing mounts: %w", err)
	}
	defer table.Close()
	var points []string
	for lines := bufio.NewScanner(table); lines.Scan(); {
		points = append(points, lines.Text())
	}
	for _, point := range mountsBelow(points, dirs) {
		if err := syscall.Unmount(point, syscall.MNT_DETACH); err != nil && err != syscall.EINVAL {
			return fmt.Errorf("unmounting %s: %w", point, err)
		}
	}
	return nil
}

// mountsBelow returns the mount points at or below dirs from lines of /proc/self/mountinfo, latest mount first.
func mountsBelow(lines, dirs []string) []string {
	unescape := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	var points []string
	for _, line := range lines {
		fields := strings.Fields(line)
		if len(fields) < 5 {
			continue
		}
		point := unescape.Replace(fields[4])
		if slices.ContainsFunc(dirs, func(dir string) bool { return within(point, dir) }) {
			points = append(points, point)
		}
	}
	slices.Reverse(points)
	return points
}
