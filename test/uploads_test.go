// SPDX-License-Identifier: Apache-2.0

package test_test

import (
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/test/fakeengine"
)

// Of the module that holds Docker's client and its daemon, the programs link the client. Advisories for the daemon do not
// apply to them, see SECURITY.md.
func TestTheProgramsLinkNoDaemon(t *testing.T) {
	linked := 0
	for importPath := range listPackages(t, "-deps", "./cmd/...") {
		if !within(importPath, sdk) {
			continue
		}
		linked++
		assert.True(t, within(importPath, sdk+"/client") || within(importPath, sdk+"/api") || importPath == sdk+"/pkg/stdcopy",
			"%s is linked: say in SECURITY.md which advisories are about it", importPath)
	}
	assert.Positive(t, linked)
}

// uploads builds a package and launches it with TLS, and returns how many archives were uploaded. look is called at each.
func uploads(t *testing.T, look func(fakeengine.Container)) int64 {
	t.Helper()
	s := newSite(t)
	s.configure(t, ", security: {keyReader: 500}") // TLS files as an archive
	key := string(pem.EncodeToMemory(&pem.Block{Type: "X", Bytes: []byte("x")}))
	path := filepath.Join(s.launches, "chaincode.json")
	var launch map[string]string
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &launch))
	launch["client_cert"], launch["client_key"], launch["root_cert"] = key, key, key
	text, err = json.Marshal(launch)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, text, 0o600))

	var count atomic.Int64
	s.engine.On(fakeengine.Upload, func(c *fakeengine.Call) {
		count.Add(1)
		container, _ := s.engine.Container(c.Target)
		look(container)
		c.Pass()
	})
	out := &stderr{}
	require.Zero(t, s.build(out), out)
	s.engine.SetProgram(func(*fakeengine.Process) int { return 3 })
	require.Equal(t, 3, s.run(out), out)
	assert.False(t, strings.Contains(out.String(), "compressed"), out)
	return count.Load()
}

// Engines before 29.5.1 unpack a compressed archive with a program that they may find in the container (CVE-2026-41567).
func TestUploadsAreNotCompressed(t *testing.T) {
	assert.EqualValues(t, 2, uploads(t, func(fakeengine.Container) {}), "the package and the TLS files: the engine refuses compressed archives")
}

// A process in a container could win a race against an upload (CVE-2026-42306, CVE-2026-41568).
func TestUploadsPrecedeTheStart(t *testing.T) {
	assert.EqualValues(t, 2, uploads(t, func(c fakeengine.Container) { assert.Equal(t, "created", c.Status, c.Name) }))
}
