// SPDX-License-Identifier: Apache-2.0

package content

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
)

// OutputLimits limits what is taken from a build container, or from a package file. Zero values are no limits. They protect the disk of this program
// and the engine's images, not the container's own disk: the build has written everything by then.
type OutputLimits struct {
	Bytes int64 // content of files
	Files int64 // files, directories and links
}

// OutputLimitError is the error of an output that exceeds a limit.
type OutputLimitError string

func (e OutputLimitError) Error() string { return string(e) }

// outputCounter counts the entries of an output against limits.
type outputCounter struct {
	limits       OutputLimits
	bytes, files int64
}

// add counts an entry before its content is read. The size of a sparse file is the one that it would have in an image.
func (c *outputCounter) add(header *tar.Header) error {
	if within(header.Name) == "." { // the output directory itself
		return nil
	}
	switch c.count(header) {
	case tooManyFiles:
		return OutputLimitError(fmt.Sprintf("the build's output has more than %d files, directories and links (the next one is %.100q): "+
			"see builder.build.outputFiles", c.limits.Files, header.Name))
	case tooManyBytes:
		return OutputLimitError(fmt.Sprintf("the build's output is larger than %s (%s so far, and %s in %.100q): "+
			"see builder.build.outputSize", formatBytes(c.limits.Bytes), formatBytes(c.bytes), formatBytes(header.Size), header.Name))
	}
	return nil
}

// excess says which limit an entry exceeds.
type excess int

const (
	none excess = iota
	tooManyFiles
	tooManyBytes
)

// count counts any entry.
func (c *outputCounter) count(header *tar.Header) excess {
	c.files++
	if limit := c.limits.Files; limit > 0 && c.files > limit {
		return tooManyFiles
	}
	if limit := c.limits.Bytes; limit > 0 && header.Size > limit-c.bytes {
		return tooManyBytes
	}
	c.bytes += header.Size
	return none
}

// formatBytes returns a number of bytes for a message.
func formatBytes(n int64) string {
	units := []string{"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}
	for i := len(units) - 1; i >= 0; i-- {
		if unit := int64(1) << (10 * (i + 1)); n >= unit {
			if n%unit == 0 {
				return fmt.Sprintf("%d %s", n/unit, units[i])
			}
			return fmt.Sprintf("%.2f %s", float64(n)/float64(unit), units[i])
		}
	}
	return fmt.Sprintf("%d bytes", n)
}

// CopyOutput copies a tar archive of a build container as it is, up to the limits.
func CopyOutput(output io.Reader, w io.Writer, limits OutputLimits) error {
	copied := io.TeeReader(output, w)
	counter := outputCounter{limits: limits}
	for archive := tar.NewReader(copied); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			_, err = io.Copy(io.Discard, copied) // what follows the end of the archive
			return err
		}
		if err != nil {
			return err
		}
		if err := counter.add(header); err != nil {
			return err
		}
	}
}
