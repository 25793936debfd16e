package imagebuild_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/test/fakeengine"
)

// withFiles is an image with more in it.
func withFiles(image fakeengine.Image, files ...string) fakeengine.Image {
	all := map[string]string{"/etc/passwd": image.Files.Read("/etc/passwd")}
	for _, name := range files {
		all[name] = "a file"
	}
	image.Files = fakeengine.NewFiles(all)
	return image
}

// A chaincode can take its TLS files from standard input where a shell is the first to run, and hides nothing.
func TestWhichImagesTakeTLSFilesByInput(t *testing.T) {
	entered := withFiles(runtimeImage, "/bin/sh")
	entered.Entrypoint = []string{"/docker-entrypoint.sh"}
	for name, test := range map[string]struct {
		runtime fakeengine.Image
		want    bool
	}{
		"a shell":                            {withFiles(runtimeImage, "/bin/sh"), true},
		"no shell":                           {runtimeImage, false},
		"a shell, and files where TLS's are": {withFiles(runtimeImage, "/bin/sh", "/etc/hyperledger/fabric/ca.pem"), false},
		"a shell behind an entrypoint":       {entered, false},
	} {
		for flavour, options := range flavours {
			t.Run(name+" "+flavour, func(t *testing.T) {
				engine := newEngine(t, options...)
				engine.RemoveImage(test.runtime.Name)
				engine.AddImage(test.runtime)
				image, err := newBuilder(t, engine).build(t.Context(), t)
				require.NoError(t, err)
				assert.Equal(t, test.want, image.TLSByInput)

				looks := len(engine.Calls(fakeengine.Stat))
				again, err := newBuilder(t, engine).build(t.Context(), t)
				require.NoError(t, err)
				assert.Equal(t, image, again, "another peer gets the same answer")
				assert.Len(t, engine.Calls(fakeengine.Stat), looks, "without a look into the image")
			})
		}
	}
}

// The image of a package on its snapshot is looked into itself, whatever was true of the snapshot.
func TestAnImageOnASnapshotIsLookedIntoItself(t *testing.T) {
	engine := newNodeEngine(t, officialScript, 0o755)
	base, _ := engine.Image("nodeenv:2")
	for _, shell := range []bool{false, true} {
		name := "one"
		if shell {
			name = "two"
			base.Files.Write("/bin/sh", "shell", 0o755)
			engine.RemoveImage(base.Name)
			engine.AddImage(base)
			engine.RemoveImage(snapshots(engine)[0])
		}
		image, err := newBuilder(t, engine).Build(t.Context(), nodePlan, nodeSource(t, name, "lock 1"), "basic_1.0")
		require.NoError(t, err)
		assert.Equal(t, shell, image.TLSByInput)
		snapshot, _ := engine.Image(snapshots(engine)[0])
		assert.NotContains(t, snapshot.Labels, "fabric-builder-docker.tls-by-input")
	}
}

func TestALookThatFailsFailsTheBuild(t *testing.T) {
	engine := newEngine(t)
	engine.On(fakeengine.Stat, fakeengine.Fail(http.StatusInternalServerError, "no"))
	_, err := newBuilder(t, engine).build(t.Context(), t)
	assert.ErrorContains(t, err, "looking for /bin/sh in container")
	assertNothingLeft(t, engine)
}

func TestAPruneBeforeTheLookIsMadeGood(t *testing.T) {
	engine := newEngine(t)
	b := newBuilder(t, engine)
	engine.On(fakeengine.Stat, fakeengine.Once(fakeengine.Before(engine.Prune)))
	image, err := b.build(t.Context(), t)
	require.NoError(t, err)
	assertBuilt(t, engine, image)
	assert.Contains(t, b.output.String(), "removed from the engine")
}
