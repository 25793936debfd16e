package imagebuild

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"fabric-builder-docker/internal/metadata"
)

// SaveSource keeps the package's source in OUTPUT_DIR, compressed and for its owner alone, for the day its image is
// gone. META-INF is kept beside it in plain.
func SaveSource(sourceDir, outputDir string) error {
	source, err := os.OpenRoot(sourceDir)
	if err != nil {
		return fmt.Errorf("saving the source: %w", err)
	}
	defer source.Close()
	file, err := os.OpenFile(filepath.Join(outputDir, metadata.SourceFile), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("saving the source: %w", err)
	}
	if err := errors.Join(writeSource(source, file), file.Close()); err != nil {
		return fmt.Errorf("saving the source: %w", err)
	}
	return nil
}

// writeSource writes the same bytes for the same source.
func writeSource(source *os.Root, w io.Writer) error {
	files, err := readPackage(source)
	if err != nil {
		return err
	}
	compressed, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err != nil {
		return err
	}
	archive := tar.NewWriter(compressed)
	for _, f := range files {
		if err := packFile(archive, source, f, f.Path); err != nil {
			return fmt.Errorf("packing %s: %w", f.Path, err)
		}
	}
	return errors.Join(archive.Close(), compressed.Close())
}
