// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/tlsfiles"
	"fabric-builder-docker/test/peer"
	"fabric-builder-docker/test/registry"
)

// keyFile describes a key file as the chaincode sees it.
type keyFile struct {
	Mode  string
	UID   int `json:"uid"` // its own
	Owner int `json:"owner_uid"`
}

func keyOf(t *testing.T, p *testPeer, id string) (file keyFile) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(p.invoke(t, id, "file", tlsfiles.Dir+"/client_pem.key")), &file))
	return file
}

// withoutShell returns a config whose Go chaincodes run on an empty image.
func withoutShell(t *testing.T) string {
	t.Helper()
	r := registry.Start(t)
	content := registry.Content{Files: map[string]registry.File{"/salt": {Body: []byte(t.Name())}}, User: "1234:5678"}
	r.Push(t, "runtime:1.0", registry.Image(t, content))
	name := r.Ref("runtime:1.0")
	forget(t, name)
	return strings.Replace(config(""), "golang: {runtime: "+world.baseos+"}", "golang: {runtime: "+name+"}", 1)
}

// The chaincode's user must be able to read the key, and nobody else, whether a shell in the image has written the files
// or, without a shell, an archive was uploaded.
func TestTheKeyIsReadableByTheChaincodesUserAlone(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		config  string
		shell   bool
		roots   int
		byInput bool
	}{
		"a runtime image with a shell":                {config(""), true, 1, true},
		"one with a shell, more than its input takes": {config(""), true, 100, false},
		"one without": {withoutShell(t), false, 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPeer(t, withBuilder(builder(t, test.config)), func(o *peer.Options) { o.Roots = test.roots })
			id := p.install(t, sample(t, "go", "golang", "kv_1.0"))
			assert.Equal(t, test.shell, p.record(t, id).TLSByInput)
			file := keyOf(t, p, id)
			found := awaitContainer(t, metadata.LabelInstallToken, p.record(t, id).InstallToken, "running")
			var inspected struct{ Config struct{ OpenStdin bool } }
			require.NoError(t, world.engine.Get(timeout(t), "/containers/"+found.ID+"/json", &inspected))
			assert.Equal(t, test.byInput, inspected.Config.OpenStdin)
			assert.Equal(t, "-r--------", file.Mode)
			assert.Equal(t, file.UID, file.Owner)
			assert.NotZero(t, file.UID, "the runtime image's user is not root")
		})
	}
}

// The files that a shell writes are on no disk, and inspecting the container does not show them.
func TestTheKeysAreInMemoryOnly(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	id := p.install(t, sample(t, "go", "golang", "kv_1.0"))
	p.invoke(t, id, "put", "a", "1")
	found := awaitContainer(t, metadata.LabelInstallToken, p.record(t, id).InstallToken, "running")
	var changed []struct{ Path string }
	require.NoError(t, world.engine.Get(timeout(t), "/containers/"+found.ID+"/changes", &changed))
	require.NotEmpty(t, changed, "the directory that memory is mounted on")
	for _, change := range changed {
		assert.NotContains(t, change.Path, ".key")
		assert.NotContains(t, change.Path, ".crt")
	}
	var inspected json.RawMessage
	require.NoError(t, world.engine.Get(timeout(t), "/containers/"+found.ID+"/json", &inspected))
	assert.Contains(t, string(inspected), "client_pem.key", "the script that takes it")
	assert.NotContains(t, string(inspected), "BEGIN")
	assert.NotContains(t, p.said("run"), "BEGIN")
}

// Every launch has new certificates, and a chaincode that is started many times gets its own each time.
func TestEveryLaunchTakesItsOwnTLSFiles(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	id := p.install(t, sample(t, "go", "golang", "kv_1.0"))
	for i := range 10 {
		p.invoke(t, id, "put", "a", fmt.Sprint(i))
		require.NoError(t, p.Stop(timeout(t), id))
		p.ended(t, id)
	}
	assert.NotContains(t, p.said("run"), "did not arrive")
}
