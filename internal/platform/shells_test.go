package platform_test

import (
	"testing"

	"fabric-builder-docker/test/shells"
)

// shell is the one that boxes have: eachShell's.
var shell *shells.Shell

// eachShell runs a test of scripts under every shell that images have.
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

// oneShell runs a test under one of them: for tests that take long, since the real toolchain compiles in them.
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
