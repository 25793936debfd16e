// SPDX-License-Identifier: Apache-2.0

package metadata

import (
	"path/filepath"
	"regexp"
	"strings"
)

// BuildDirs holds the arguments of build.
type BuildDirs struct{ Source, Metadata, Output string }

// hashAndRandom matches what follows the label in the name of the peer's directory: the SHA-256 of the package, and the digits
// that os.MkdirTemp appends, which are those of a 32-bit number.
var hashAndRandom = regexp.MustCompile(`^([0-9a-f]{64})[0-9]{1,10}$`)

// PackageID returns the id of the package with that label, if the directories are such as a peer makes, and the name of the
// peer's directory leaves no doubt. The peer tells build the id nowhere else.
//
// Facts, the same in Fabric 2.0 to 3.1 (NewBuildContext and SanitizeCCIDPath in
// core/container/externalbuilder/externalbuilder.go): the peer makes a directory with os.MkdirTemp("", "fabric-"+id), in which
// each of < > : " / \ | ? * & in the id is replaced by "-". In it are src, metadata and bld, which are the three arguments. The
// id is LABEL:HASH, and a label holds none of these characters (LabelRegexp in core/chaincode/persistence/chaincode_package.go).
//
// The id of a package of the 1.x lifecycle is NAME:VERSION, its label here is NAME, and nothing shows where a version ends and
// the random digits begin. So only 64 hex digits are taken for the rest of an id.
func PackageID(dirs BuildDirs, label string) (id string, ok bool) {
	scratch, base := filepath.Split(filepath.Clean(dirs.Source))
	scratch = filepath.Clean(scratch)
	if base != "src" || label == "" || filepath.Clean(dirs.Metadata) != filepath.Join(scratch, "metadata") ||
		filepath.Clean(dirs.Output) != filepath.Join(scratch, "bld") {
		return "", false
	}
	rest, ok := strings.CutPrefix(filepath.Base(scratch), "fabric-"+label+"-")
	match := hashAndRandom.FindStringSubmatch(rest)
	if !ok || match == nil {
		return "", false
	}
	return label + ":" + match[1], true
}

// hashOfPackage matches the part of an id that follows the label: the SHA-256 of the package.
var hashOfPackage = regexp.MustCompile(`^[0-9a-f]{64}$`)

// ShortID returns an id for the beginning of log lines: the label and the first 12 digits of the hash. An id without a hash,
// such as NAME:VERSION, stays as it is.
func ShortID(id string) string {
	if label, hash, ok := strings.Cut(id, ":"); ok && hashOfPackage.MatchString(hash) {
		return label + ":" + hash[:12]
	}
	return id
}

// PeerDirectory returns what the name of the peer's directory says of a package whose id it leaves in doubt: for one of the
// 1.x lifecycle NAME-VERSION and random digits.
func PeerDirectory(sourceDir string) (name string, ok bool) {
	return strings.CutPrefix(filepath.Base(filepath.Dir(filepath.Clean(sourceDir))), "fabric-")
}
