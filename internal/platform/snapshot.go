// SPDX-License-Identifier: Apache-2.0

package platform

// Snapshot describes an image with the dependencies of a package. It is made ahead of the code and without it, and reused by
// builds with the same Files, Placeholders, settings and base image.
type Snapshot struct {
	Files        []string      // the files and directories of the package that it is made from; paths in SOURCE_DIR
	Placeholders []Placeholder // files in place of the code; paths in SOURCE_DIR
	Script       string        // build script of the builder image, which the build runs if it exists
	Known        []string      // SHA-256 of the build scripts that only copy the code and install its dependencies
	Environment  []string      // KEY=VALUE; builds share the snapshot only if they have the same values

	// Command makes a snapshot of what it downloads, which it lists in [DownloadsFile]. The package is then built in the
	// snapshot. Without Command, the output of the plan's own command is the snapshot, to which the code is only added.
	Command []string
}

// Placeholder is a file that stands for a package's code.
type Placeholder struct {
	Path string
	Text string
}
