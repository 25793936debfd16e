package cli

import (
	"fmt"
	"runtime"
)

// release is the version of this build; the Makefile sets it from git.
var release = "development"

// Version is what --version prints behind the program's name.
func Version() string {
	return fmt.Sprintf("%s (%s, %s/%s)", release, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// Release is the version alone, as it goes into labels and build records.
func Release() string { return release }
