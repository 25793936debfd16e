// SPDX-License-Identifier: Apache-2.0

package platform_test

import (
	"testing"

	"fabric-builder-docker/test/shells"
)

// shell is the shell that newBox uses. eachShell and oneShell set it.
var shell *shells.Shell

// eachShell runs a test of a script under every kind of shell that images have.
func eachShell(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	for _, s := range shells.All(t) {
		t.Run(s.Name, func(t *testing.T) {
			shell = &s
			defer func() { shell = nil }()
			test(t)
		})
	}
}

// oneShell runs a test under one shell. It is for slow tests, which compile with the real toolchain.
func oneShell(t *testing.T, name string, test func(t *testing.T)) {
	t.Helper()
	for _, s := range shells.All(t) {
		if s.Name == name {
			shell = &s
			defer func() { shell = nil }()
			test(t)
		}
	}
}
