// SPDX-License-Identifier: Apache-2.0

package metadata

import "fmt"

// WindowsName returns the error for a name in a package that was made on Windows by a tool that does not write slashes. The
// peer unpacks SRC\MAIN.GO as one file of that name.
func WindowsName(name string) error {
	return fmt.Errorf("%#q is a Windows path: names in a package need / between directories and no drive letter; "+
		"make the package again with a tool that writes /, such as tar.exe of Windows, or the peer CLI on Linux", name)
}
