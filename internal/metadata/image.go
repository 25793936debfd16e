// SPDX-License-Identifier: Apache-2.0

package metadata

import (
	"encoding/json"
	"fmt"
	"io/fs"
)

// ImageFile is the name of the file at the root of a package that names an image, in the format of
// fabric-builder-k8s.
const ImageFile = "image.json"

// Image holds the fields of image.json.
type Image struct {
	Name   string `json:"name"`   // without a digest; a tag is ignored
	Digest string `json:"digest"` // of the manifest, sha256:HEX
}

// ReadImage reads image.json at the root of source. It checks that both fields are present, but not that they are
// valid.
func ReadImage(source fs.FS) (Image, error) {
	data, err := ReadFile(source, ImageFile)
	if err != nil {
		return Image{}, fmt.Errorf("reading %s: %w", ImageFile, reason(err))
	}
	var image Image
	if err := json.Unmarshal(data, &image); err != nil {
		return Image{}, fmt.Errorf("reading %s: %w", ImageFile, jsonReason(data, err))
	}
	const example = `expected an object such as {"name":"example.com/chaincode","digest":"sha256:…"}`
	switch {
	case image.Name == "":
		return Image{}, fmt.Errorf("%s has no %q: %s", ImageFile, "name", example)
	case image.Digest == "":
		return Image{}, fmt.Errorf("%s has no %q: %s", ImageFile, "digest", example)
	}
	return image, nil
}
