// SPDX-License-Identifier: Apache-2.0

package platform_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/config"
	"fabric-builder-docker/internal/metadata"
)

func TestPackageJSONMustBeJSON(t *testing.T) {
	const prefix = "planning the build of a node package: "
	tests := map[string]struct{ content, want string }{
		"fine":            {`{"name":"x","scripts":{"start":"node ."}}`, ""},
		"with a BOM":      {"\ufeff{}", ""},
		"empty":           {"", "src/package.json is not a JSON object: unexpected end of JSON input"},
		"cut":             {`{"name":`, "src/package.json is not a JSON object: unexpected end of JSON input"},
		"with a comment":  {"{ // x\n}", "src/package.json is not a JSON object: invalid character '/'"},
		"a list":          {"[]", "src/package.json is not a JSON object: "},
		"null":            {"null", "src/package.json is not a JSON object: null"},
		"YAML by mistake": {"name: x", "src/package.json is not a JSON object: invalid character 'a'"},
	}
	tests["huge"] = struct{ content, want string }{"{}" + strings.Repeat(" ", metadata.MaxFile), "reading src/package.json: the file is larger than 16 MiB"}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := planFor(metadata.Package{Type: "node"}, fstest.MapFS{"src/package.json": {Data: []byte(test.content)}}, config.Defaults(), nil)
			if test.want == "" {
				require.NoError(t, err)
				return
			}
			assert.ErrorContains(t, err, prefix+test.want)
		})
	}
	_, err := planFor(metadata.Package{Type: "node"}, fstest.MapFS{"package.json": {Data: []byte("x")}}, config.Defaults(), nil)
	assert.ErrorContains(t, err, prefix+"package.json is not a JSON object", "the path in the package")
}
