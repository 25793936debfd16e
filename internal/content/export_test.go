// SPDX-License-Identifier: Apache-2.0

package content

import "testing"

// LimitPackages lowers the limits of what a package file may unpack.
func LimitPackages(t *testing.T, limits OutputLimits) {
	saved := packageLimits
	packageLimits = limits
	t.Cleanup(func() { packageLimits = saved })
}
