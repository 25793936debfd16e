// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"runtime"
)

// The Makefile sets these: release from the file VERSION, commit and date from git. Without git, commit and date stay empty.
var (
	release = "development"
	commit  string // ends in -dirty if the sources differ from it
	date    string // of the commit, so that builds of one commit are the same
)

// Version returns what --version prints after the name of the program.
func Version() string { return describe(release, commit, date) }

func describe(release, commit, date string) string {
	if commit != "" {
		release += fmt.Sprintf(", commit %s of %s", commit, date)
	}
	return fmt.Sprintf("%s (%s, %s/%s)", release, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// Release returns the version as used in labels and build records: without commit and date.
func Release() string { return release }
