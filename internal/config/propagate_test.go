// SPDX-License-Identifier: Apache-2.0

package config_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/config"
)

// A command that docker exec starts beside the peer has all variables of the peer, and the builder that the peer calls has few
// of them.
func TestWhichVariablesThePeerPassesOn(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink(dir, link))
	all := []string{"PATH=/bin", "TMPDIR=/tmp", "HOME=/root", "GOPROXY=x", "GOFLAGS=-v", "CORE_PEER_ID=peer0", "FABRIC_CFG_PATH=/nowhere"}
	entry := func(rest string) string {
		return "chaincode:\n  externalBuilders:\n    - {name: ccaas, path: /other, propagateEnvironment: [HOME]}\n    - {path: " + dir + rest + "}\n"
	}
	tests := map[string]struct {
		core, variable string
		want           []string
		err            string
	}{
		"none":             {entry(""), "", []string{"PATH=/bin", "TMPDIR=/tmp"}, ""},
		"some":             {entry(", propagateEnvironment: [GOPROXY, CORE_PEER_ID, NOT_SET]"), "", []string{"PATH=/bin", "TMPDIR=/tmp", "GOPROXY=x", "CORE_PEER_ID=peer0"}, ""},
		"Fabric 2.0":       {entry(", environmentWhitelist: [GOFLAGS]"), "", []string{"PATH=/bin", "TMPDIR=/tmp", "GOFLAGS=-v"}, ""},
		"both":             {entry(", propagateEnvironment: [HOME], environmentWhitelist: [GOFLAGS]"), "", []string{"PATH=/bin", "TMPDIR=/tmp", "HOME=/root"}, ""},
		"a key twice":      {"peer: {id: a, id: b}\n" + entry(""), "", []string{"PATH=/bin", "TMPDIR=/tmp"}, ""},
		"a link":           {"", "[{name: x, path: " + link + "}]", []string{"PATH=/bin", "TMPDIR=/tmp"}, ""},
		"a slash":          {"", `[{"path":"` + dir + `/","propagateEnvironment":["HOME"]}]`, []string{"PATH=/bin", "TMPDIR=/tmp", "HOME=/root"}, ""},
		"the variable":     {entry(", propagateEnvironment: [GOPROXY]"), "[{path: " + dir + "}]", []string{"PATH=/bin", "TMPDIR=/tmp"}, ""},
		"no core.yaml":     {"", "", nil, "there is no core.yaml of the peer here"},
		"another builder":  {"chaincode: {externalBuilders: [{name: x, path: /other}]}", "", nil, "no entry of chaincode.externalBuilders has the path " + dir},
		"no builder":       {"peer: {id: x}", "", nil, "no entry of chaincode.externalBuilders has the path " + dir},
		"not YAML":         {"chaincode: [", "", nil, "invalid YAML"},
		"a wrong variable": {"", "{", nil, "variable CORE_CHAINCODE_EXTERNALBUILDERS: "},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			config.UseCoreDirs(t)
			if test.core != "" {
				config.UseCoreDirs(t, t.TempDir(), coreIn(t, test.core))
			}
			environ := all
			if test.variable != "" {
				environ = append([]string{"CORE_CHAINCODE_EXTERNALBUILDERS=" + test.variable}, all...)
			}
			got, err := config.PassedOn(dir, environ)
			if test.err != "" {
				assert.ErrorContains(t, err, test.err)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, test.want, got)
		})
	}
	config.UseCoreDirs(t)
	got, err := config.PassedOn(dir, append(all, "FABRIC_CFG_PATH="+coreIn(t, entry(", propagateEnvironment: [FABRIC_CFG_PATH]"))))
	require.NoError(t, err)
	assert.Len(t, got, 4, "the peer's own core.yaml")
}
