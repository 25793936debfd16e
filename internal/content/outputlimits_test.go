// SPDX-License-Identifier: Apache-2.0

package content

import (
	"archive/tar"
	"bytes"
	"io"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// entry describes an entry of an output; its content is zeros.
func entry(kind byte, name string, size int64) tar.Header {
	return tar.Header{Typeflag: kind, Name: name, Size: size, Mode: 0o644}
}

func pack(t *testing.T, entries ...tar.Header) []byte {
	t.Helper()
	var output bytes.Buffer
	w := tar.NewWriter(&output)
	for _, header := range entries {
		require.NoError(t, w.WriteHeader(&header))
		_, err := w.Write(make([]byte, header.Size))
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return output.Bytes()
}

func TestOutputLimits(t *testing.T) {
	dir, a, b := entry(tar.TypeDir, "output/", 0), entry(tar.TypeReg, "output/a", 1024), entry(tar.TypeReg, "output/b", 1025)
	fifo, link := entry(tar.TypeFifo, "output/f", 0), tar.Header{Typeflag: tar.TypeLink, Name: "output/l", Linkname: "output/a"}
	tests := map[string]struct {
		limits  OutputLimits
		entries []tar.Header
		want    string // empty: no error
	}{
		"no limits":                 {OutputLimits{}, []tar.Header{dir, a, b, fifo, link}, ""},
		"just enough":               {OutputLimits{Bytes: 2049, Files: 2}, []tar.Header{dir, a, b}, ""},
		"one byte too many":         {OutputLimits{Bytes: 2048}, []tar.Header{dir, a, b}, `the build's output is larger than 2 KiB (1 KiB so far, and 1.00 KiB in "output/b"): see builder.build.outputSize`},
		"one file alone":            {OutputLimits{Bytes: 1000}, []tar.Header{a}, `the build's output is larger than 1000 bytes (0 bytes so far, and 1 KiB in "output/a"): see builder.build.outputSize`},
		"one file too many":         {OutputLimits{Files: 1}, []tar.Header{dir, a, b}, `the build's output has more than 1 files, directories and links (the next one is "output/b"): see builder.build.outputFiles`},
		"what is dropped counts":    {OutputLimits{Files: 1}, []tar.Header{a, fifo, b}, `the next one is "output/f"`},
		"links have no size":        {OutputLimits{Bytes: 1024}, []tar.Header{a, link}, ""},
		"links count":               {OutputLimits{Files: 1}, []tar.Header{a, link}, `the next one is "output/l"`},
		"so do directories":         {OutputLimits{Files: 1}, []tar.Header{a, entry(tar.TypeDir, "output/lib/", 0)}, `the next one is "output/lib/"`},
		"not the output's own name": {OutputLimits{Files: 1}, []tar.Header{dir, a}, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			output := pack(t, test.entries...)
			var copied bytes.Buffer
			for _, err := range []error{
				FilterOutput(bytes.NewReader(output), io.Discard, "/usr/local/bin", test.limits),
				CopyOutput(bytes.NewReader(output), &copied, test.limits),
			} {
				if test.want == "" {
					assert.NoError(t, err)
					continue
				}
				assert.ErrorContains(t, err, test.want)
				var tooMuch OutputLimitError
				assert.ErrorAs(t, err, &tooMuch)
			}
			if test.want == "" {
				assert.Equal(t, output, copied.Bytes(), "a copy is not changed")
			}
		})
	}
}

// A file without blocks on the disk is as large as it says once it is copied, so its size counts before it is read.
func TestAHugeFileIsNotRead(t *testing.T) {
	var output bytes.Buffer
	require.NoError(t, tar.NewWriter(&output).WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "output/sparse", Size: math.MaxInt64, Format: tar.FormatGNU}))
	var layer bytes.Buffer
	err := FilterOutput(&output, &layer, "/usr/local/bin", OutputLimits{Bytes: 4 << 30})
	assert.EqualError(t, err, `the build's output is larger than 4 GiB (0 bytes so far, and 8.00 EiB in "output/sparse"): see builder.build.outputSize`)
	assert.Equal(t, 512, layer.Len(), "the target directory alone")
}

func TestAnOutputThatIsCutIsNotCopied(t *testing.T) {
	output := pack(t, entry(tar.TypeReg, "output/a", 2000))
	assert.Error(t, CopyOutput(bytes.NewReader(output[:1000]), io.Discard, OutputLimits{}))
	assert.Error(t, CopyOutput(bytes.NewReader(output), refuses{}, OutputLimits{}))
}

// refuses is a writer that fails.
type refuses struct{}

func (refuses) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }
