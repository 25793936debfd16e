// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTheNoticeNamesEveryLinkedModule(t *testing.T) {
	for _, name := range []string{"../../go.mod", "../../go.sum"} { // go test's cache notices a new version of a module
		_, err := os.ReadFile(name)
		require.NoError(t, err)
	}
	notice, err := os.ReadFile("../../NOTICE")
	require.NoError(t, err)
	texts, err := collect("../..")
	require.NoError(t, err)
	for _, text := range texts {
		assert.True(t, strings.Contains(string(notice), "\n  "+text.owner+"\n") && strings.Contains(string(notice), "\n"+text.owner+": "+text.name+"\n"),
			"NOTICE lacks the file %s of %s, which the programs link: run make notice", text.name, text.owner)
	}
	assert.True(t, string(notice) == format(texts), "NOTICE is out of date: run make notice")
}

func TestEachTextIsWrittenOnce(t *testing.T) {
	got := format([]text{
		{"a v1", "LICENSE", "\nFree to\nuse.\n"}, {"a v1", "NOTICE", "By A.\r\nFor B."}, {"b v2", "sub/COPYING", "Free  to use."},
	})
	assert.Equal(t, header+"  a v1\n  b v2\n"+
		"\n"+rule+"a v1: LICENSE\nb v2: sub/COPYING\n"+rule+"\nFree to\nuse.\n"+
		"\n"+rule+"a v1: NOTICE\n"+rule+"\nBy A.\nFor B.\n", got)
}

func TestAModuleWithoutALicenceIsAnError(t *testing.T) {
	dir := t.TempDir()
	m := module{Path: "example.com/m", Version: "v1.0.0", Dir: dir}
	sub := filepath.Join(dir, "sub")
	require.NoError(t, os.Mkdir(sub, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "NOTICE"), nil, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "license.go"), nil, 0o600))
	found := map[string]text{}
	require.NoError(t, readTexts(dir, m, found))
	assert.Len(t, found, 1)
	assert.ErrorContains(t, checkComplete(map[string]module{sub: m}, found), "finding the licence of example.com/m")

	require.NoError(t, os.WriteFile(filepath.Join(dir, "Licence.md"), []byte("Free."), 0o600))
	require.NoError(t, readTexts(dir, m, found))
	assert.NoError(t, checkComplete(map[string]module{sub: m}, found))
	assert.Equal(t, text{"example.com/m v1.0.0", "Licence.md", "Free."}, found[filepath.Join(dir, "Licence.md")])
}
