// Package metadata owns every file of the external-builder contract, and the names and labels that are made from them:
// metadata.json, image.json and connection.json of a package, chaincode.json of a launch, META-INF, the build record in
// OUTPUT_DIR, and the names of images and containers. It stands on the standard library alone, so that release stays
// small; detect has metadata.json alone, see packagefile.
package metadata

import "fabric-builder-docker/internal/metadata/packagefile"

// PackageFile is the file in METADATA_DIR that describes a package.
const PackageFile = packagefile.Name

// MaxLabel is the longest label in bytes.
const MaxLabel = packagefile.MaxLabel

// Package is what metadata.json says.
type Package = packagefile.Package

// ReadPackage reads metadata.json of METADATA_DIR. It checks that there is a type, not that the label is allowed.
func ReadPackage(metadataDir string) (Package, error) { return packagefile.Read(metadataDir) }

// readJSON reads one JSON document into v. Its errors name the file once and say what is wrong with it.
func readJSON(path string, v any) error { return packagefile.ReadJSON(path, v) }

// reason is a file system error without the operation and the path, which the caller names itself.
func reason(err error) error { return packagefile.Reason(err) }

// jsonReason is a JSON error with the line it stands in.
func jsonReason(data []byte, err error) error { return packagefile.JSONReason(data, err) }
