// SPDX-License-Identifier: Apache-2.0

package imagebuild_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/baseimage"
	"fabric-builder-docker/internal/imagebuild"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/platform"
	"fabric-builder-docker/test/fakeengine"
)

var pinned = "example.com/kv@sha256:" + strings.Repeat("0123", 16)

func (b *builder) buildPrebuilt(ctx context.Context, t *testing.T) (imagebuild.Image, error) {
	t.Helper()
	return b.Build(ctx, platform.Plan{Type: "k8s", Kind: platform.Prebuilt, Runtime: platform.Image{Name: pinned}}, newPackage(t), "basic_1.0")
}

func TestAPrebuiltImageIsPulledOnceAndNothingElseHappens(t *testing.T) {
	for name, flavour := range flavours {
		t.Run(name, func(t *testing.T) {
			engine := fakeengine.New(t, flavour...)
			engine.Publish(fakeengine.Image{Name: pinned, Entrypoint: []string{"/kv"}})
			for range 2 {
				image, err := newBuilder(t, engine).buildPrebuilt(t.Context(), t)
				require.NoError(t, err)
				assert.Regexp(t, "^sha256:[0-9a-f]{64}$", image.ID)
				image.ID = ""
				assert.Equal(t, imagebuild.Image{Name: pinned, User: &metadata.UIDGID{}}, image)
			}
			assert.Len(t, engine.Calls(fakeengine.Pull), 1)
			assert.Empty(t, engine.Calls(fakeengine.Create, fakeengine.Commit))
		})
	}
}

// An image cannot be tagged with a name that contains a digest.
func TestAPrebuiltImageFromAMirrorKeepsTheMirrorsName(t *testing.T) {
	const mirror = "mirror.example.com"
	engine := fakeengine.New(t)
	engine.Publish(fakeengine.Image{Name: mirror + "/" + pinned, Entrypoint: []string{"/kv"}})
	b := newBuilder(t, engine)
	b.Pulls = baseimage.Pulls{Mirror: mirror}
	image, err := b.buildPrebuilt(t.Context(), t)
	require.NoError(t, err)
	assert.Equal(t, mirror+"/"+pinned, image.Name)
}

func TestThePrebuiltImagesUserInNumbers(t *testing.T) {
	passwd := fakeengine.NewFiles(map[string]string{"/etc/passwd": "root:x:0:0::/:/bin/sh\nkv:x:1000:1001::/:/bin/sh\n"})
	tests := map[string]struct {
		user  string
		files *fakeengine.Files
		want  metadata.UIDGID
		looks int // containers that were made to look into
		err   string
	}{
		"nobody said":      {"", nil, metadata.UIDGID{}, 0, ""},
		"root":             {"root", nil, metadata.UIDGID{}, 0, ""},
		"root and a group": {"root:kv", nil, metadata.UIDGID{}, 0, ""},
		"a number":         {"7", nil, metadata.UIDGID{UID: 7}, 0, ""},
		"numbers":          {"7:8", nil, metadata.UIDGID{UID: 7, GID: 8}, 0, ""},
		"a number, a name": {"7:kv", nil, metadata.UIDGID{UID: 7}, 0, ""},
		"a name":           {"kv", passwd, metadata.UIDGID{UID: 1000, GID: 1001}, 1, ""},
		"a name of nobody": {"else", passwd, metadata.UIDGID{}, 1, `looking up the user of image "` + pinned + `": "else" is not in /etc/passwd`},
		"a name from thin air": {"kv", fakeengine.NewFiles(nil), metadata.UIDGID{}, 1,
			`image "` + pinned + `" runs as user "kv" and has no /etc/passwd: set a numeric USER in the image`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			engine := fakeengine.New(t)
			engine.AddImage(fakeengine.Image{Name: pinned, User: test.user, Files: test.files})
			image, err := newBuilder(t, engine).buildPrebuilt(t.Context(), t)
			if test.err == "" {
				require.NoError(t, err)
				assert.Equal(t, &test.want, image.User)
			} else {
				assert.EqualError(t, err, test.err)
			}
			assert.Len(t, engine.Calls(fakeengine.Create), test.looks)
			assert.Empty(t, engine.Calls(fakeengine.Start), "nothing of it runs before the peer says so")
			assertNothingLeft(t, engine)
		})
	}
}

func TestAPrebuiltImageThatCannotBeHad(t *testing.T) {
	for name, flavour := range flavours {
		t.Run(name, func(t *testing.T) {
			engine := fakeengine.New(t, flavour...)
			_, err := newBuilder(t, engine).buildPrebuilt(t.Context(), t)
			require.ErrorContains(t, err, `cannot pull chaincode image "`+pinned+`": `)
			assert.NotContains(t, err.Error(), ", or set", "no setting names it")
			assert.Len(t, engine.Calls(fakeengine.Pull), 1)
		})
	}
}
