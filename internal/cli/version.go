package cli

import (
	"fmt"
	"runtime"
)

// release is the version of this build; the Makefile sets it from git.
var release = "development"

// Version returns what --version prints after the name of the program.
func Version() string {
	return fmt.Sprintf("%s (%s, %s/%s)", release, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// Release returns the version as used in labels and build records.
func Release() string { return release }
