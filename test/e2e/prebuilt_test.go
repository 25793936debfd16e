// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/test/peer"
	"fabric-builder-docker/test/registry"
)

// prebuilt returns the Go sample as an image for the Kubernetes builder, which gets the peer in CORE_PEER_ADDRESS.
func prebuilt(t *testing.T, user string) registry.Content {
	t.Helper()
	return registry.Content{
		Files:      map[string]registry.File{"/opt/kv": {Body: kvBinary(t), Executable: true}, "/salt": {Body: []byte(t.Name())}},
		Entrypoint: []string{"/opt/kv"}, User: user,
	}
}

func imagePackage(t *testing.T, packageType, name, digest string) []byte {
	t.Helper()
	pkg, err := peer.Assemble(map[string]any{"type": packageType, "label": "prebuilt_1.0"},
		peer.File("image.json", fmt.Sprintf(`{"name":%q,"digest":%q}`, name, digest)), peer.File(indexPath, "{}"))
	require.NoError(t, err)
	return pkg
}

// The same package runs on peers with the Kubernetes builder. The image's user can read the keys.
func TestAPrebuiltImage(t *testing.T) {
	users := map[string]struct {
		packageType, user string
		based             bool
		want              metadata.UIDGID
	}{
		"root":           {"k8s", "", false, metadata.UIDGID{}},
		"by number":      {"docker", "1234:5678", false, metadata.UIDGID{UID: 1234, GID: 5678}},
		"by name":        {"k8s", "chaincode", true, metadata.UIDGID{UID: 500, GID: 500}},
		"by both, named": {"docker", "chaincode:chaincode", true, metadata.UIDGID{UID: 500, GID: 500}},
	}
	for name, test := range users {
		for _, tls := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, tls=%v", name, tls), func(t *testing.T) {
				r := registry.Start(t)
				base := empty.Image
				if test.based {
					base = baseos(t)
				}
				image := registry.On(t, base, prebuilt(t, test.user))
				digest := r.Push(t, "chaincodes/kv:1.0", image)
				want := r.Ref("chaincodes/kv@" + digest)
				forget(t, want)

				p := newPeer(t, withTLS(tls))
				id := p.install(t, imagePackage(t, test.packageType, r.Ref("chaincodes/kv:1.0"), digest))
				assert.Equal(t, want, p.record(t, id).Image)
				assert.Equal(t, &test.want, p.record(t, id).User)
				assert.False(t, p.record(t, id).TLSByInput, "nothing runs in a package's image but the package's own")
				noContainers(t, metadata.LabelKind, metadata.KindAssembly)
				p.invoke(t, id, "put", "colour", "blue")
				assert.Equal(t, "blue", p.invoke(t, id, "get", "colour"))
				indexes, err := p.Build(id).Indexes()
				require.NoError(t, err)
				assert.Len(t, indexes, 1)

				require.NoError(t, p.Stop(timeout(t), id))
				p.ended(t, id)
				require.NoError(t, world.engine.Delete(t.Context(), "/images/"+want+"?force=1"))
				assert.Equal(t, "blue", p.invoke(t, id, "get", "colour"), "pulled again for a launch")
			})
		}
	}
}

func TestAnImageThatIsThereAlreadyIsNotPulled(t *testing.T) {
	t.Parallel()
	r := registry.Start(t)
	digest := r.Push(t, "chaincodes/kv:1.0", registry.Image(t, prebuilt(t, "")))
	forget(t, r.Ref("chaincodes/kv@"+digest))
	pkg := imagePackage(t, "k8s", r.Ref("chaincodes/kv"), digest)
	newPeer(t).install(t, pkg)
	asked := len(r.Requests())
	second := newPeer(t)
	second.install(t, pkg)
	assert.Len(t, r.Requests(), asked)
	assert.NotContains(t, second.said("build"), "pulling")
}

func TestAPrebuiltImageThatCannotBeHad(t *testing.T) {
	r := registry.Start(t)
	none := "sha256:" + strings.Repeat("0", 64)
	tests := map[string]struct{ name, digest, want string }{
		"without a digest": {r.Ref("kv:1.0"), "", `image.json has no "digest"`},
		"a bad name":       {r.Ref("KV"), none, `expected an image name`},
		"a bad digest":     {r.Ref("kv"), "sha256:0", `invalid "digest" "sha256:0"`},
		"not there":        {r.Ref("kv"), none, "cannot pull chaincode image " + fmt.Sprintf("%q: ", r.Ref("kv@"+none))},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := newPeer(t)
			_, err := p.Install(timeout(t), imagePackage(t, "k8s", test.name, test.digest))
			require.ErrorContains(t, err, "exit status 1")
			assert.Contains(t, p.said("build"), test.want)
			noContainers(t, metadata.LabelKind, metadata.KindAssembly)
		})
	}
}
