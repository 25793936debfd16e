// SPDX-License-Identifier: Apache-2.0

package content

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFilterOutput(t *testing.T) {
	regular := func(name string, mode int64) tar.Header {
		return tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode, Size: 1, Uid: 500, Gid: 500, Uname: "chaincode", ModTime: time.Unix(1e9, 0)}
	}
	link := func(kind byte, name, target string) tar.Header {
		return tar.Header{Typeflag: kind, Name: name, Linkname: target, Mode: 0o777}
	}
	attributes := regular("output/a", 0o644)
	attributes.PAXRecords = map[string]string{"SCHILY.xattr.security.capability": "x"}
	tests := map[string]struct {
		in   tar.Header
		want string // entry next to the target directory; empty for none
	}{
		"a file":                   {regular("output/a", 0o600), "- usr/local/bin/a 0644"},
		"an executable":            {regular("output/a", 0o750), "- usr/local/bin/a 0755"},
		"executable for its owner": {regular("output/a", 0o100), "- usr/local/bin/a 0755"},
		"writable for all":         {regular("output/a", 0o666), "- usr/local/bin/a 0644"},
		"setuid and setgid":        {regular("output/a", 0o6711), "- usr/local/bin/a 0755"},
		"attributes":               {attributes, "- usr/local/bin/a 0644"},
		"in a directory":           {regular("output/lib/a", 0o644), "- usr/local/bin/lib/a 0644"},
		"the directory itself":     {tar.Header{Typeflag: tar.TypeDir, Name: "output/"}, ""},
		"a directory":              {tar.Header{Typeflag: tar.TypeDir, Name: "output/lib/", Mode: 0o1777}, "d usr/local/bin/lib/ 0755"},
		"a symbolic link":          {link(tar.TypeSymlink, "output/a", "b"), "l usr/local/bin/a 0777 -> b"},
		"a symbolic link out":      {link(tar.TypeSymlink, "output/a", "../../etc/passwd"), "l usr/local/bin/a 0777 -> ../../etc/passwd"},
		"a hard link":              {link(tar.TypeLink, "output/a", "output/b"), "h usr/local/bin/a 0755 -> usr/local/bin/b"},
		"a hard link out":          {link(tar.TypeLink, "output/a", "output/../../b"), "h usr/local/bin/a 0755 -> usr/local/bin/b"},
		"a character device":       {tar.Header{Typeflag: tar.TypeChar, Name: "output/a"}, ""},
		"a block device":           {tar.Header{Typeflag: tar.TypeBlock, Name: "output/a"}, ""},
		"a fifo":                   {tar.Header{Typeflag: tar.TypeFifo, Name: "output/a"}, ""},
		"a path outside":           {regular("output/../../../etc/passwd", 0o644), "- usr/local/bin/etc/passwd 0644"},
		"outside from a directory": {regular("output/lib/../../a", 0o644), "- usr/local/bin/a 0644"},
		"outside from the start":   {regular("../a", 0o644), "- usr/local/bin/a 0644"},
		"an absolute path":         {regular("/output/a", 0o644), "- usr/local/bin/a 0644"},
		"the output's parent":      {regular("output/..", 0o644), ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := filtered(t, test.in)
			if test.want == "" {
				assert.EqualError(t, err, "the build left nothing in its output directory")
				return
			}
			require.NoError(t, err)
			assert.Equal(t, []string{"d usr/local/bin/ 0755", test.want}, got)
		})
	}
}

// An engine cannot unpack a hard link to a file that is not there.
func TestHardLinksToWhatIsDroppedAreDropped(t *testing.T) {
	var output, layer bytes.Buffer
	w := tar.NewWriter(&output)
	for _, header := range []tar.Header{
		{Typeflag: tar.TypeFifo, Name: "output/a"}, {Typeflag: tar.TypeLink, Name: "output/b", Linkname: "output/a"},
		{Typeflag: tar.TypeLink, Name: "output/c", Linkname: "output/b"}, {Typeflag: tar.TypeReg, Name: "output/d"},
	} {
		require.NoError(t, w.WriteHeader(&header))
	}
	require.NoError(t, w.Close())
	require.NoError(t, FilterOutput(&output, &layer, "/usr/local/bin", OutputLimits{}))
	var names []string
	for r := tar.NewReader(&layer); ; {
		header, err := r.Next()
		if err != nil {
			break
		}
		names = append(names, header.Name)
	}
	assert.Equal(t, []string{"usr/local/bin/", "usr/local/bin/d"}, names)
}

// Such a name would delete a file of the runtime image.
func TestNamesThatDeleteAreRejected(t *testing.T) {
	for _, name := range []string{"output/.wh.a", "output/lib/.wh..wh..opq"} {
		_, err := filtered(t, tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: 1})
		assert.ErrorContains(t, err, "must not begin with .wh.")
	}
	pkg, err := Read(fstest.MapFS{"lib/.wh.a": &fstest.MapFile{}})
	require.NoError(t, err)
	assert.ErrorContains(t, pkg.WriteLayer(io.Discard, "/usr/local/src"), "lib/.wh.a: ")
	_, err = filtered(t, tar.Header{Typeflag: tar.TypeReg, Name: "output/a.wh.b", Mode: 0o644, Size: 1})
	assert.NoError(t, err)
}

func TestFilterOutputIsReproducible(t *testing.T) {
	var archives [2]bytes.Buffer
	for i := range archives {
		var output bytes.Buffer
		w := tar.NewWriter(&output)
		require.NoError(t, w.WriteHeader(&tar.Header{
			Typeflag: tar.TypeReg, Name: "output/a", Mode: 0o755, Uid: i, ModTime: time.Unix(int64(i), 0), AccessTime: time.Unix(int64(i), 5), Format: tar.FormatPAX,
		}))
		require.NoError(t, w.Close())
		require.NoError(t, FilterOutput(&output, &archives[i], "/usr/local/bin", OutputLimits{}))
	}
	assert.Equal(t, archives[0].Bytes(), archives[1].Bytes())
}

// filtered passes one entry through FilterOutput and returns the entries of the result as kind, name, mode and target.
func filtered(t *testing.T, entry tar.Header) ([]string, error) {
	t.Helper()
	var output, archive bytes.Buffer
	w := tar.NewWriter(&output)
	require.NoError(t, w.WriteHeader(&entry))
	_, err := w.Write(make([]byte, entry.Size))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	if err := FilterOutput(&output, &archive, "/usr/local/bin", OutputLimits{}); err != nil {
		return nil, err
	}
	kinds := map[byte]string{tar.TypeReg: "-", tar.TypeDir: "d", tar.TypeSymlink: "l", tar.TypeLink: "h"}
	var lines []string
	for r := tar.NewReader(&archive); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return lines, nil
		}
		require.NoError(t, err)
		line := fmt.Sprintf("%s %s %04o", kinds[header.Typeflag], header.Name, header.Mode)
		if header.Linkname != "" {
			line += " -> " + header.Linkname
		}
		lines = append(lines, line)
		assert.Zero(t, header.Uid+header.Gid)
		assert.Empty(t, header.Uname+header.Gname)
		assert.Empty(t, header.PAXRecords)
		assert.Equal(t, int64(0), header.ModTime.Unix())
	}
}
