// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
)

// Cache is a volume that is kept between builds. Each builder image has its own.
type Cache struct {
	Name        string   // if empty, the build gets a directory instead of a volume
	Path        string   // mount point in the build container
	Environment []string // KEY=VALUE; builds share the volume only if they have the same values
}

// versionSuffix matches the end of a label that an upgrade changes: _1.0, -v2, .3.1-rc.2, :1.0. It is deliberately
// narrow: a label that is not recognised only makes a build slower, but two chaincodes must not share a cache.
var versionSuffix = regexp.MustCompile(`(?i)[_:+.-]+v?[0-9]+(\.[0-9]+)*([_+.-]?(alpha|beta|rc|m|pre|snapshot|final|release)([_+.-]?[0-9]+)*)*$`)

// trimVersion removes the version at the end of a label, so that all versions of a chaincode have the same result. It does
// not change a label that is only a version.
func trimVersion(label string) string {
	if at := versionSuffix.FindStringIndex(label); at != nil && at[0] > 0 {
		return label[:at[0]]
	}
	return label
}

// cacheNameByLabel returns the name of a cache that the versions of one chaincode share. For a package without a label,
// which only the 1.x lifecycle has, it returns an empty name: there is nothing to share it by.
func (r request) cacheNameByLabel(kind string) string {
	if r.pkg.Label == "" {
		return ""
	}
	return kind + "-" + volumePart(trimVersion(r.pkg.Label))
}

var notInVolumes = regexp.MustCompile(`[^a-zA-Z0-9_.-]`)

// maxVolumePart is the maximum length of a label or MSP ID in a volume name, in bytes and without the hash.
const maxVolumePart = 64

// volumePart makes text valid as a part of a volume name. If that changes text, it appends a hash, so that different
// texts never result in the same name.
func volumePart(text string) string {
	part := notInVolumes.ReplaceAllString(text, "-")
	if len(part) > maxVolumePart {
		part = part[:maxVolumePart]
	}
	if part == text {
		return part
	}
	hash := sha256.Sum256([]byte(text))
	return part + "-" + hex.EncodeToString(hash[:4])
}
