package metadata

import (
	"encoding/json"
	"fmt"
	"io/fs"
)

// ImageFile is the file at the root of a package that names an image, in the form of the Kubernetes builder.
const ImageFile = "image.json"

// Image is what image.json says.
type Image struct {
	Name   string `json:"name"`   // without a digest; a tag means nothing
	Digest string `json:"digest"` // of the manifest, sha256:…
}

// ReadImage reads image.json of a package. It checks that both fields are there, not what they hold.
func ReadImage(source fs.FS) (Image, error) {
	data, err := fs.ReadFile(source, ImageFile)
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
