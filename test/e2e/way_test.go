// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/test/ours"
	"fabric-builder-docker/test/peer"
)

// A value that put writes is returned by get, also after another launch of the same build.
func TestAChaincodeGoesThroughAllPhases(t *testing.T) {
	t.Parallel()
	for _, language := range []string{"golang", "node"} {
		for _, tls := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/tls=%v", language, tls), func(t *testing.T) {
				directory := map[string]string{"golang": "go", "node": "node"}[language]
				p := newPeer(t, withTLS(tls))
				id := p.install(t, sample(t, directory, language, language+"_1.0"))
				p.invoke(t, id, "put", "colour", "blue")
				assert.Equal(t, "blue", p.invoke(t, id, "get", "colour"))

				require.NoError(t, p.Stop(timeout(t), id))
				assert.Equal(t, 143, p.ended(t, id).ExitCode())
				noContainers(t, metadata.LabelChaincodeID, id)
				assert.Equal(t, "blue", p.invoke(t, id, "get", "colour"), "after a second launch")
				assert.False(t, p.ScannerDied())
			})
		}
	}
}

func TestAPeerStartsAChaincodeThatAnEarlierPeerHasBuilt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	sameDir := func(o *peer.Options) { o.Dir = dir }
	first := newPeer(t, sameDir)
	id := first.install(t, sample(t, "go", "golang", "kv_1.0"))
	first.invoke(t, id, "put", "a", "1")
	require.NoError(t, first.StopAll(timeout(t)))
	require.NoError(t, first.Close())

	second := newPeer(t, sameDir)
	assert.Equal(t, "1", second.invoke(t, id, "get", "a"))
	assert.Empty(t, second.said("build"), "nothing is built again")
}

func TestIndexesReachThePeer(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	id := p.install(t, sample(t, "go", "golang", "kv_1.0"))
	indexes, err := p.Build(id).Indexes()
	require.NoError(t, err)
	want, err := os.ReadFile(filepath.Join(world.samples, "go", "META-INF/statedb/couchdb/indexes/indexOwner.json"))
	require.NoError(t, err)
	require.Len(t, indexes, 1)
	for name, got := range indexes {
		assert.Contains(t, name, "indexOwner.json")
		assert.Equal(t, string(want), string(got))
	}
}

// The same content is built once, whatever its label and peer.
func TestTheSameContentIsBuiltOnce(t *testing.T) {
	t.Parallel()
	code := entries(t, filepath.Join(world.samples, "dies"))
	code = append(code, peer.File("src/salt.txt", t.Name()+fmt.Sprint(os.Getpid())))
	pkg := func(label string) []byte {
		pkg, err := peer.Assemble(map[string]any{"type": "golang", "label": label, "path": "."}, code...)
		require.NoError(t, err)
		return pkg
	}
	first, second := newPeer(t), newPeer(t)
	a, b := first.install(t, pkg("dies_1.0")), second.install(t, pkg("dies_1.1"))
	assert.Contains(t, first.said("build"), "go version")
	assert.NotContains(t, second.said("build"), "go version")
	assert.Contains(t, second.said("build"), "the image exists already")
	assert.Equal(t, first.record(t, a).Image, second.record(t, b).Image)
	assert.NotEqual(t, first.record(t, a).InstallToken, second.record(t, b).InstallToken)
}

func TestAVendoredModuleIsBuiltWithoutANetwork(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS(filepath.Join(world.samples, "go"))))
	vendor := exec.Command("go", "mod", "vendor")
	vendor.Dir = dir
	output, err := vendor.CombinedOutput()
	require.NoError(t, err, string(output))

	p := newPeer(t)
	id := p.install(t, fresh(t, "golang", "vendored_1.0", entries(t, dir)...))
	assert.NotContains(t, p.said("build"), "downloading")
	p.invoke(t, id, "put", "a", "1")
}

func TestANodePackageWithoutALockFile(t *testing.T) {
	t.Parallel()
	var code []peer.Entry
	for _, entry := range entries(t, filepath.Join(world.samples, "node")) {
		if !strings.HasSuffix(entry.Name, "package-lock.json") {
			code = append(code, entry)
		}
	}
	p := newPeer(t)
	id := p.install(t, fresh(t, "node", "unlocked_1.0", code...))
	p.invoke(t, id, "put", "a", "1")
	assert.Equal(t, "1", p.invoke(t, id, "get", "a"))
}

// The variables that a peer's built-in controller sets in a chaincode's container.
func TestAChaincodeFindsTheContractsEnvironment(t *testing.T) {
	t.Parallel()
	for _, tls := range []bool{true, false} {
		t.Run(fmt.Sprintf("tls=%v", tls), func(t *testing.T) {
			p := newPeer(t, withTLS(tls))
			id := p.install(t, sample(t, "go", "golang", "kv_1.0"))
			var environment map[string]string
			require.NoError(t, json.Unmarshal([]byte(p.invoke(t, id, "env")), &environment))
			assert.Equal(t, id, environment["CORE_CHAINCODE_ID_NAME"])
			assert.Equal(t, ours.MSPID, environment["CORE_PEER_LOCALMSPID"])
			assert.Equal(t, p.Address(), environment["CORE_PEER_ADDRESS"])
			assert.Equal(t, fmt.Sprint(tls), environment["CORE_PEER_TLS_ENABLED"])
			assert.NotContains(t, environment, "CHAINCODE_SERVER_ADDRESS")
			for _, name := range []string{
				"CORE_TLS_CLIENT_KEY_PATH", "CORE_TLS_CLIENT_CERT_PATH", "CORE_TLS_CLIENT_KEY_FILE", "CORE_TLS_CLIENT_CERT_FILE", "CORE_PEER_TLS_ROOTCERT_FILE",
			} {
				if tls {
					assert.NotEmpty(t, environment[name], name)
				} else {
					assert.NotContains(t, environment, name)
				}
			}
		})
	}
}

// The defaults are stricter than the built-in controller's.
func TestAContainerIsConfinedByDefault(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	id := p.install(t, sample(t, "go", "golang", "kv_1.0"))
	p.invoke(t, id, "put", "a", "1")
	found := containers(t, metadata.LabelChaincodeID, id)
	require.Len(t, found, 1)
	var inspected struct {
		HostConfig struct {
			CapAdd, SecurityOpt              []string
			Memory, MemorySwap, PidsLimit    int64
			Init, Privileged, OomKillDisable *bool
			MemorySwappiness                 *int64
			NetworkMode                      string
			RestartPolicy                    struct{ Name string }
			LogConfig                        struct {
				Type   string
				Config map[string]string
			}
		}
		Config struct{ Labels map[string]string }
		State  struct{ Pid int }
	}
	require.NoError(t, world.engine.Get(t.Context(), "/containers/"+found[0].ID+"/json", &inspected))
	host := inspected.HostConfig
	// What the engine drops for ALL is told in several ways; the kernel tells what is left.
	process, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", inspected.State.Pid))
	require.NoError(t, err)
	for _, line := range []string{"CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1"} {
		assert.Contains(t, string(process), line)
	}
	assert.Empty(t, host.CapAdd)
	assert.Equal(t, []string{"no-new-privileges"}, host.SecurityOpt)
	assert.EqualValues(t, 2<<30, host.Memory)
	assert.EqualValues(t, 2<<30, host.MemorySwap)
	assert.Positive(t, host.PidsLimit)
	assert.True(t, *host.Init)
	assert.False(t, *host.Privileged)
	assert.Equal(t, "host", host.NetworkMode, "the peer is on the host")
	assert.Equal(t, "no", host.RestartPolicy.Name)
	if !isPodman(t) { // it does not tell
		assert.Equal(t, map[string]string{"max-size": "50m", "max-file": "5"}, host.LogConfig.Config)
	}
	assert.Equal(t, p.record(t, id).InstallToken, inspected.Config.Labels[metadata.LabelInstallToken])
}
