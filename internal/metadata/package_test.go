// SPDX-License-Identifier: Apache-2.0

package metadata_test

import (
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/metadata"
)

// PowerShell writes a byte order mark, and UTF-16 by default.
func TestAByteOrderMarkIsReported(t *testing.T) {
	for _, content := range []string{"\xef\xbb\xbf{}", "\xff\xfe{\x00}\x00", "\xfe\xff\x00{\x00}"} {
		_, err := metadata.ReadPackage(dirWith(t, metadata.PackageFile, content))
		assert.ErrorContains(t, err, "metadata.json: parsing JSON: the file begins with a byte order mark, as some programs on Windows write it: save it as UTF-8 without one")
	}
}

func TestReadPackage(t *testing.T) {
	tests := map[string]struct {
		json string
		want metadata.Package
	}{
		"as the CLI writes it": {
			`{"path":"github.com/x/y","type":"golang","label":"basic_1.0"}`,
			metadata.Package{Type: "golang", Label: "basic_1.0", Path: "github.com/x/y"},
		},
		"the 1.x lifecycle writes upper case": {`{"type":"GOLANG"}`, metadata.Package{Type: "golang"}},
		"mixed case":                          {`{"Type":"Node","label":"a"}`, metadata.Package{Type: "node", Label: "a"}},
		"unknown keys": {
			`{"type":"node","label":"a","signature":{"by":["x"]},"n":1}`,
			metadata.Package{Type: "node", Label: "a"},
		},
		"a type of another builder": {`{"type":"ccaas","label":"a"}`, metadata.Package{Type: "ccaas", Label: "a"}},
		"an invalid label is not ReadPackage's concern": {
			`{"type":"golang","label":"../.."}`,
			metadata.Package{Type: "golang", Label: "../.."},
		},
		"null is absent": {`{"type":"golang","label":null,"path":null}`, metadata.Package{Type: "golang"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			pkg, err := metadata.ReadPackage(dirWith(t, metadata.PackageFile, test.json))
			require.NoError(t, err)
			assert.Equal(t, test.want, pkg)
		})
	}
}

func TestReadPackageErrorsNameTheLine(t *testing.T) {
	const noType = `FILE has no "type": expected an object such as {"type":"golang","label":"basic_1.0","path":"."}`
	tests := map[string]struct{ json, want string }{
		"empty":            {"", "reading FILE: the file is empty"},
		"white space only": {" \n\n", "reading FILE: the file is empty"},
		"not JSON":         {"type: golang\n", "line 1: invalid character 'y' in literal true (expecting 'r')"},
		"broken in line 3": {"{\n\"type\": \"golang\",\n\"label\": x\n}", "line 3: invalid character 'x' looking for beginning of value"},
		"cut off":          {"{\n\"type\": \"golang\",\n", "line 2: unexpected end of JSON input"},
		"a line break in a string belongs to the line that it ends": {
			"{\n\"type\": \"go\nlang\"}", `line 2: invalid character '\n' in string literal`,
		},
		"two documents":   {"{\"type\":\"golang\"}\n{}", "line 2: invalid character '{' after top-level value"},
		"type is a list":  {"{\n\n\"type\": [\"golang\"]}", "line 3: json: cannot unmarshal array into Go struct field Package.type of type string"},
		"label is a list": {"{\"type\":\"golang\",\n\"label\": 1.0}", "line 2: json: cannot unmarshal number into Go struct field Package.label of type string"},
		"a list":          {`["golang"]`, "line 1: json: cannot unmarshal array into Go value of type metadata.Package"},
		"without type":    {`{"label":"basic_1.0"}`, noType},
		"empty type":      {`{"type":""}`, noType},
		"null":            {`null`, noType},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			dir := dirWith(t, metadata.PackageFile, test.json)
			_, err := metadata.ReadPackage(dir)
			require.Error(t, err)
			message := strings.ReplaceAll(err.Error(), filepath.Join(dir, metadata.PackageFile), "FILE")
			if strings.HasPrefix(test.want, "line ") {
				test.want = "reading FILE: parsing JSON: " + test.want
			}
			assert.Equal(t, test.want, message)
			assert.NotContains(t, message, "\n", "the peer logs each line on its own")
		})
	}
}

func TestReadMissingPackage(t *testing.T) {
	dir := t.TempDir()
	_, err := metadata.ReadPackage(dir)
	assert.EqualError(t, err, "reading "+filepath.Join(dir, "metadata.json")+": no such file or directory")
	assert.ErrorIs(t, err, fs.ErrNotExist)
}

func TestCheckLabelTakesWhatAPeerTakes(t *testing.T) {
	labels := map[string]string{
		"none: the 1.x lifecycle": "",
		"usual":                   "basic_1.0",
		"one character":           "a",
		"begins with a digit":     "1.0",
		"ends in _":               "basic_",
		"ends in -":               "basic-",
		"holds __":                "basic__1",
		"holds +-":                "basic+-1",
		"upper case":              "BASIC_V1",
		"the longest that works":  strings.Repeat("a", 173),
		"the longest file name":   strings.Repeat("a", metadata.MaxLabel),
		"name:version":            "mycc:1.0",
		"version begins with _":   "mycc:_1",
	}
	for name, label := range labels {
		t.Run(name, func(t *testing.T) {
			assert.NoError(t, metadata.Package{Label: label}.CheckLabel())
		})
	}
}

func TestCheckLabelRejects(t *testing.T) {
	labels := map[string]string{
		"leading _":      "_basic",
		"leading -":      "-rf",
		"leading .":      ".basic",
		"leading +":      "+basic",
		"leading :":      ":1.0",
		"a space":        "basic 1",
		"a newline":      "basic\n",
		"two lines":      "basic\n1",
		"a tab":          "basic\t1",
		"a slash":        "basic/1",
		"no version":     "mycc:",
		"two versions":   "mycc:1:2",
		"a letter of é":  "café",
		"a NUL":          "basic\x00",
		"invalid UTF-8":  "basic\xff",
		"template":       "{{.Label}}",
		"shell":          "$(id)",
		"only a space":   " ",
		"unicode digits": "٣",
	}
	for name, label := range labels {
		t.Run(name, func(t *testing.T) {
			err := metadata.Package{Label: label}.CheckLabel()
			require.ErrorContains(t, err, "invalid label ")
			assert.ErrorContains(t, err, ": it must begin with a letter or a digit")
			assert.NotContains(t, err.Error(), "\n")
		})
	}
}

func TestCheckLabelThatIsTooLong(t *testing.T) {
	err := metadata.Package{Label: strings.Repeat("a", metadata.MaxLabel+1)}.CheckLabel()
	assert.EqualError(t, err, `label "`+strings.Repeat("a", 40)+`"… is 184 bytes long: the maximum is 183`)
}
