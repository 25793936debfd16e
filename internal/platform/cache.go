package platform

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
)

// Cache is a volume that outlives builds. It belongs to one builder image.
type Cache struct {
	Name        string   // empty: no volume, only the directory
	Path        string   // where it is mounted in the build container
	Environment []string // variables that decide what is in it, KEY=VALUE: builds that were given others have a cache of their own
}

// version is the end of a label that an upgrade changes: _1.0, -v2, .3.1-rc.2, :1.0. It is narrow on purpose: two
// chaincodes that share a cache can harm each other, one without a warm cache is only slow.
var version = regexp.MustCompile(`(?i)[_:+.-]+v?[0-9]+(\.[0-9]+)*([_+.-]?(alpha|beta|rc|m|pre|snapshot|final|release)([_+.-]?[0-9]+)*)*$`)

// unversioned is a label without its trailing version: the versions of one chaincode have it in common. A label that
// is all version stays as it is.
func unversioned(label string) string {
	if at := version.FindStringIndex(label); at != nil && at[0] > 0 {
		return label[:at[0]]
	}
	return label
}

// labelled is the name of a cache for the versions of one chaincode. A package without a label, which no peer of today
// makes, shares with nobody: it has none.
func (r request) labelled(kind string) string {
	if r.pkg.Label == "" {
		return ""
	}
	return kind + "-" + volumePart(unversioned(r.pkg.Label))
}

var notInVolumes = regexp.MustCompile(`[^a-zA-Z0-9_.-]`)

// maxVolumePart bounds what of a label a volume's name shows.
const maxVolumePart = 64

// volumePart is a text as a part of a volume's name. Where something had to be changed, a hash keeps it apart from
// others that look the same then.
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
