// SPDX-License-Identifier: Apache-2.0

package metadata

import (
	"fmt"
	"os"
	"path/filepath"
)

// RebuiltFile is the name of the file in OUTPUT_DIR in which run notes the image that it has built because the record's was gone.
// The image's name differs if a base image or the recipe has changed since the install. The record stays as build left it.
const RebuiltFile = "rebuilt-image.json"

// WriteRebuilt notes that an install's image is now that of rebuilt, which otherwise equals the install's record. Two runs may
// write at once.
func WriteRebuilt(outputDir string, rebuilt Record) (err error) {
	data, err := encodeRecord(rebuilt)
	if err != nil {
		return err
	}
	file, err := os.CreateTemp(outputDir, "."+RebuiltFile+"-*")
	if err != nil {
		return fmt.Errorf("writing %s: %w", RebuiltFile, reason(err))
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("writing %s: %w", RebuiltFile, reason(err))
			os.Remove(file.Name())
		}
	}()
	defer file.Close()
	if _, err := file.Write(data); err != nil {
		return err
	}
	if err := file.Chmod(0o644); err != nil {
		return err
	}
	return os.Rename(file.Name(), filepath.Join(outputDir, RebuiltFile))
}

// WithRebuilt returns an install's record with the image that run has noted. A note that cannot be read, or that belongs to an
// earlier build in the same directory, counts for nothing: at worst, the image is looked for again.
func WithRebuilt(outputDir string, record Record) Record {
	noted, err := readRecordFile(outputDir, RebuiltFile)
	if err != nil || noted.InstallToken != record.InstallToken {
		return record
	}
	record.Image, record.ImageID, record.User = noted.Image, noted.ImageID, noted.User
	record.TLSByInput, record.Entrypoint = noted.TLSByInput, noted.Entrypoint
	return record
}
