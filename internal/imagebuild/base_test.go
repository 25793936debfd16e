// SPDX-License-Identifier: Apache-2.0

package imagebuild_test

import (
	"archive/tar"
	"context"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/imagebuild"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/test/fakeengine"
)

// buildChanged builds a package whose code is text.
func buildChanged(t *testing.T, engine *fakeengine.Engine, text string) (*builder, imagebuild.Image) {
	t.Helper()
	b := newBuilder(t, engine)
	image, err := b.Build(t.Context(), plan, open(t, changedSource(t, text)), "basic_1.0")
	require.NoError(t, err, b.output.String())
	made, ok := engine.Image(image.Name)
	require.True(t, ok, "image %s is not there", image.Name)
	assert.Equal(t, "binary of "+text, made.Files.Read("/usr/local/bin/chaincode"))
	assert.Equal(t, made.Labels["fabric-builder-docker.user"], "500:501")
	assertNothingLeft(t, engine)
	return b, image
}

func changedSource(t *testing.T, text string) string {
	t.Helper()
	dir := newSource(t)
	writeFile(t, dir, "src/main.go", text)
	return dir
}

// records returns the names of the images that record what is known of base images.
func records(engine *fakeengine.Engine) []string { return imagesOf(engine, metadata.KindBase) }

// work counts the calls of a function that make images.
func work(engine *fakeengine.Engine, do func()) map[fakeengine.Route]int {
	routes := []fakeengine.Route{fakeengine.Create, fakeengine.Load, fakeengine.Blob, fakeengine.Export, fakeengine.Commit}
	before := map[fakeengine.Route]int{}
	for _, route := range routes {
		before[route] = len(engine.Calls(route))
	}
	do()
	after := map[fakeengine.Route]int{}
	for _, route := range routes {
		if n := len(engine.Calls(route)) - before[route]; n > 0 {
			after[route] = n
		}
	}
	return after
}

// warm waits until it is known how the engine takes images.
func warm(t *testing.T, engine *fakeengine.Engine) {
	t.Helper()
	require.NoError(t, newBuilder(t, engine).Warm(t.Context(), plan, newPackage(t), "basic_1.0"))
	require.Len(t, records(engine), 1)
}

// What the engine answers decides how it gets images: by one call where it loads them, by a container where it does not. It
// is asked once for a base image.
func TestAnImageIsLoadedWhereTheEngineLoadsIt(t *testing.T) {
	loaded := map[fakeengine.Route]int{fakeengine.Create: 1, fakeengine.Load: 1}
	checked := map[fakeengine.Route]int{fakeengine.Create: 2, fakeengine.Load: 1} // a container of the loaded image
	committed := map[fakeengine.Route]int{fakeengine.Create: 2, fakeengine.Commit: 1}
	for name, want := range map[string]map[fakeengine.Route]int{
		"docker 20.10": loaded, "docker 28": loaded, "podman": committed,
		"docker 29, containerd's store": checked, "docker 29.2, containerd's store": checked,
	} {
		t.Run(name, func(t *testing.T) {
			engine := newEngine(t, flavours[name]...)
			warm(t, engine)
			for _, text := range []string{"one", "two"} {
				did := work(engine, func() { buildChanged(t, engine, text) })
				if name == "podman" {
					delete(did, fakeengine.Load) // of the record alone, for an engine that has learned it since
				}
				assert.Equal(t, want, did)
			}
		})
	}
}

// An engine may commit because its disk was full when it was asked, or because it was older.
func TestAnEngineThatLoadsLaterIsNoticed(t *testing.T) {
	engine := newEngine(t)
	full := true
	engine.On(fakeengine.Load, func(c *fakeengine.Call) {
		if full {
			fakeengine.Fail(http.StatusInternalServerError, "no space left on device")(c)
			return
		}
		c.Pass()
	})
	warm(t, engine)
	assert.Contains(t, recorded(t, engine), `"way":"commit"`)
	full = false
	require.Eventually(t, func() bool {
		return work(engine, func() { buildChanged(t, engine, time.Now().String()) })[fakeengine.Commit] == 0
	}, time.Minute, time.Millisecond)
}

// An engine of containerd's store that cannot load at the moment is asked again.
func TestARefusedLayoutIsNotRecorded(t *testing.T) {
	for _, service := range []bool{true, false} {
		options := []fakeengine.Option{fakeengine.ContainerdStore()}
		if service {
			options = append(options, fakeengine.BlobService())
		}
		engine := newEngine(t, options...)
		engine.On(fakeengine.Load, fakeengine.Fail(http.StatusInternalServerError, "no space left on device"))
		did := work(engine, func() { require.NoError(t, newBuilder(t, engine).Warm(t.Context(), plan, newPackage(t), "basic_1.0")) })
		assert.Empty(t, records(engine))
		assert.Equal(t, service, did[fakeengine.Export] == 0, "an export says no more than the blobs")
	}
}

// An engine that serves the blobs of its store exports nothing, and loads the first image, too.
func TestBlobsAreReadFromTheStore(t *testing.T) {
	engine := newEngine(t, fakeengine.ContainerdStore(), fakeengine.BlobService())
	did := work(engine, func() { buildChanged(t, engine, "one") })
	assert.Equal(t, 3, did[fakeengine.Blob], "the manifest, the configuration and the layer")
	assert.Zero(t, did[fakeengine.Export]+did[fakeengine.Commit])
	assert.Contains(t, recorded(t, engine), `"way":"oci"`)
}

// If a description or a layer cannot be read, the engine is asked for an export.
func TestBlobsThatCannotBeReadAreExported(t *testing.T) {
	for name, fault := range map[string]fakeengine.Fault{
		"an error":              fakeengine.Fail(http.StatusNotFound, "page not found"),
		"no answer":             fakeengine.Hang(),
		"a broken connection":   fakeengine.Drop(),
		"no configuration":      fakeengine.Nth(2, fakeengine.Drop()),
		"no answer for a layer": fakeengine.Nth(3, fakeengine.Drop()),
	} {
		t.Run(name, func(t *testing.T) {
			engine := newEngine(t, fakeengine.ContainerdStore(), fakeengine.BlobService())
			engine.On(fakeengine.Blob, fault)
			b := newBuilder(t, engine)
			if name == "no answer" {
				b.Periods.Blobs = 10 * time.Millisecond
			}
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second) // a single call may take longer
			defer cancel()
			did := work(engine, func() { require.NoError(t, b.Warm(ctx, plan, newPackage(t), "basic_1.0")) })
			assert.NotZero(t, did[fakeengine.Blob])
			assert.Equal(t, 1, did[fakeengine.Export])
			assert.Zero(t, work(engine, func() { buildChanged(t, engine, "one") })[fakeengine.Commit])
		})
	}
}

// A store may lack the blob of a layer that it has unpacked from another image. An image that names it cannot be exported.
func TestALayerThatIsOnlyUnpackedIsNotNamed(t *testing.T) {
	for _, options := range [][]fakeengine.Option{{fakeengine.ContainerdStore()}, {fakeengine.ContainerdStore(), fakeengine.BlobService()}} {
		engine := newEngine(t, options...)
		engine.LoseBlobs(runtimeImage.Name)
		warm(t, engine)
		assert.Contains(t, recorded(t, engine), `"way":"commit"`)
		did := work(engine, func() { buildChanged(t, engine, "one") })
		assert.Equal(t, 1, did[fakeengine.Commit])
	}
}

// An engine of containerd's store that serves no blobs has to export the base image before it can load. Nobody waits for that.
func TestABuildDoesNotWaitUntilTheWayIsKnown(t *testing.T) {
	engine := newEngine(t, fakeengine.ContainerdStore())
	engine.On(fakeengine.Export, fakeengine.Once(fakeengine.Hang()))
	assert.Equal(t, 1, work(engine, func() { buildChanged(t, engine, "one") })[fakeengine.Commit])
	assert.Empty(t, records(engine))

	warm(t, engine)
	assert.Zero(t, work(engine, func() { buildChanged(t, engine, "two") })[fakeengine.Commit])
}

// The ID follows from the content, so peers on engines of one kind agree on it.
func TestEqualContentGivesEqualIDs(t *testing.T) {
	for name, flavour := range flavours {
		if name == "podman" { // commits, and so dates its images
			continue
		}
		t.Run(name, func(t *testing.T) {
			var ids [2]string
			for i := range ids {
				engine := newEngine(t, flavour...)
				warm(t, engine)
				_, image := buildChanged(t, engine, "one")
				made, _ := engine.Image(image.Name)
				assert.Equal(t, made.ID, image.ID, "as the engine has it")
				_, again := buildChanged(t, engine, "one")
				assert.Equal(t, image, again)
				ids[i] = image.ID
			}
			assert.Equal(t, ids[0], ids[1])
			assert.Regexp(t, "^sha256:[0-9a-f]{64}$", ids[0])
		})
	}
}

// Engines create a directory that a layer leaves out with a mode and owner of their own.
func TestDirectoriesAboveTheTargetStayAsTheyAre(t *testing.T) {
	for name, flavour := range flavours {
		t.Run(name, func(t *testing.T) {
			engine := newEngine(t, flavour...)
			base := runtimeImage
			base.Files = fakeengine.NewFiles(map[string]string{"/etc/passwd": "chaincode:x:500:501::/:/bin/sh\n"})
			base.Files.Add("/usr/local", tar.Header{Typeflag: tar.TypeDir, Mode: 0o2775, Uid: 3, Gid: 50}, "")
			engine.AddImage(base)
			warm(t, engine)
			_, image := buildChanged(t, engine, "one")
			made, _ := engine.Image(image.Name)
			local, _ := made.Files.Get("/usr/local")
			assert.Equal(t, []int64{0o2775, 3, 50}, []int64{local.Header.Mode, int64(local.Header.Uid), int64(local.Header.Gid)})
			usr, _ := made.Files.Get("/usr")
			assert.Equal(t, int64(0o755), usr.Header.Mode)
		})
	}
}

// A layer that holds a directory where the base image has a link would replace the link.
func TestALinkAboveTheTargetIsFollowed(t *testing.T) {
	engine := newEngine(t)
	base := runtimeImage
	base.Files = fakeengine.NewFiles(map[string]string{"/etc/passwd": "chaincode:x:500:501::/:/bin/sh\n"})
	base.Files.Add("/usr/local", tar.Header{Typeflag: tar.TypeSymlink, Linkname: "/opt", Mode: 0o777}, "")
	engine.AddImage(base)
	for _, text := range []string{"one", "two"} {
		b := newBuilder(t, engine)
		_, err := b.Build(t.Context(), plan, open(t, changedSource(t, text)), "basic_1.0")
		require.NoError(t, err, b.output.String())
	}
	assert.Empty(t, engine.Calls(fakeengine.Load))
	assert.Len(t, engine.Calls(fakeengine.Commit), 3, "the record and two images")
}

func TestALoadThatFails(t *testing.T) {
	tests := map[string]fakeengine.Fault{
		"in the stream": fakeengine.Answer(http.StatusOK, `{"errorDetail":{"message":"no space left on device"}}`),
		"by its status": fakeengine.Fail(http.StatusInternalServerError, "no space left on device"),
		"half way":      fakeengine.Cut(4),
		"at once":       fakeengine.Drop(),
	}
	for flavour, options := range flavours {
		for name, fault := range tests {
			t.Run(flavour+" "+name, func(t *testing.T) {
				engine := newEngine(t, options...)
				warm(t, engine)
				engine.On(fakeengine.Load, fault)
				b, _ := buildChanged(t, engine, "one")
				if flavour != "podman" {
					assert.Contains(t, b.output.String(), "the engine did not load the image")
				}
			})
		}
	}
}

// Between two calls an operator removes the base image, or pulls another one under its name.
func TestABaseImageThatChangesBeforeTheLoad(t *testing.T) {
	tests := map[string]func(engine *fakeengine.Engine){
		"removed": func(engine *fakeengine.Engine) { engine.RemoveImage(runtimeImage.Name) },
		"replaced": func(engine *fakeengine.Engine) {
			engine.RemoveImage(runtimeImage.Name)
			other := runtimeImage
			other.Layers = []string{"sha256:other"}
			engine.AddImage(other)
		},
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			engine := newEngine(t)
			warm(t, engine)
			engine.Publish(runtimeImage)
			engine.On(fakeengine.Load, fakeengine.Once(fakeengine.Before(func() {
				change(engine)
				for _, name := range records(engine) { // has the same layers
					engine.RemoveImage(name)
				}
			})))
			b, _ := buildChanged(t, engine, "one")
			assert.Contains(t, b.output.String(), "starting over")
		})
	}
}

// containerd's store names an image before it unpacks it, and says nothing if that fails.
func TestALoadedImageThatCannotBeUsedIsNotKept(t *testing.T) {
	engine := newEngine(t, fakeengine.ContainerdStore())
	warm(t, engine)
	for range 2 { // the create is repeated
		engine.On(fakeengine.Create, fakeengine.Of(assemblyPart, fakeengine.Once(fakeengine.Fail(http.StatusNotFound, "content digest sha256:a: not found"))))
	}
	b, image := buildChanged(t, engine, "one")
	assert.Contains(t, b.output.String(), "the image cannot be used: ")
	assert.Contains(t, engine.ImageCalls(), "untag "+image.Name)
	assert.Len(t, imagesOf(engine, metadata.KindChaincode), 1)
}

// Another builder may have loaded the same image, and a chaincode may need it: who is told to stop takes no name away.
func TestASignalAfterALoadLeavesTheImageItsName(t *testing.T) {
	engine := newEngine(t, fakeengine.ContainerdStore())
	warm(t, engine)
	ctx, stop := context.WithCancelCause(t.Context())
	engine.On(fakeengine.Load, fakeengine.After(func() { stop(signalled{}) }))
	_, err := newBuilder(t, engine).Build(ctx, plan, newPackage(t), "basic_1.0")
	if err != nil {
		assert.ErrorIs(t, err, signalled{})
	}
	assert.Len(t, imagesOf(engine, metadata.KindChaincode), 1)
	assertNothingLeft(t, engine)
}

// A load that is cut off may have left a name for an image that cannot be used.
func TestALoadThatIsCutOffIsChecked(t *testing.T) {
	engine := newEngine(t, fakeengine.ContainerdStore())
	warm(t, engine)
	engine.On(fakeengine.Load, fakeengine.Cut(4))
	for range 2 { // the create is repeated
		engine.On(fakeengine.Create, fakeengine.Of(assemblyPart, fakeengine.Once(fakeengine.Fail(http.StatusNotFound, "content digest sha256:a: not found"))))
	}
	_, image := buildChanged(t, engine, "one")
	assert.Contains(t, engine.ImageCalls(), "untag "+image.Name)
}

// Another peer pulls a newer image under the same name while a build is under way. The digest is that of the older one.
func TestABaseImageWhoseNameMovesOn(t *testing.T) {
	for name, flavour := range flavours {
		t.Run(name, func(t *testing.T) {
			engine := newEngine(t, flavour...)
			old := runtimeImage
			old.Name = "kept:1"
			engine.AddImage(old)
			engine.On(fakeengine.Create, fakeengine.Of(buildPart, fakeengine.Once(fakeengine.Before(func() {
				other := runtimeImage
				other.Layers, other.User = []string{"sha256:newer"}, "7:8"
				other.Files = fakeengine.NewFiles(nil)
				other.Files.Add("/usr/local", tar.Header{Typeflag: tar.TypeDir, Mode: 0o700}, "")
				engine.AddImage(other)
			}))))
			image, err := newBuilder(t, engine).build(t.Context(), t)
			require.NoError(t, err)
			made, _ := engine.Image(image.Name)
			assert.Equal(t, runtimeImage.Layers, made.Layers[:1])
			assert.Equal(t, &metadata.UIDGID{UID: 500, GID: 501}, image.User)
			local, _ := made.Files.Get("/usr/local")
			assert.Equal(t, int64(0o755), local.Header.Mode)
		})
	}
}

// Images can move to another kind of store, with the record.
func TestARecordOfAnotherStoreIsForgotten(t *testing.T) {
	classic := newEngine(t)
	warm(t, classic)
	record, _ := classic.Image(records(classic)[0])

	engine := newEngine(t, fakeengine.ContainerdStore())
	engine.AddImage(record)
	b, _ := buildChanged(t, engine, "one")
	assert.Contains(t, b.output.String(), "committing a container instead")
	warm(t, engine)
	assert.Zero(t, work(engine, func() { buildChanged(t, engine, "two") })[fakeengine.Commit])
}

// What was begun to find out must not hold up a build that has failed.
func TestAFailedBuildDoesNotWaitForItsLookup(t *testing.T) {
	engine := newEngine(t)
	engine.SetProgram(fails(1))
	engine.On(fakeengine.Load, fakeengine.Hang())
	_, err := newBuilder(t, engine).build(t.Context(), t)
	assert.ErrorContains(t, err, "exit status 1")
	assertNothingLeft(t, engine)
}

func TestALayerThatCannotBeStoredFailsTheBuild(t *testing.T) {
	engine := newEngine(t)
	b := newBuilder(t, engine)
	b.Scratch = "/nowhere"
	_, err := b.build(t.Context(), t)
	require.ErrorContains(t, err, "storing the image's layer: ")
	assertNothingLeft(t, engine)
}

func TestARecordThatIsPrunedIsMadeAgain(t *testing.T) {
	engine := newEngine(t)
	buildChanged(t, engine, "one")
	record := records(engine)
	require.Len(t, record, 1)
	engine.RemoveImage(record[0])
	buildChanged(t, engine, "two")
	assert.Equal(t, record, records(engine))
}

// Another version of the builder may write something else.
func TestARecordThatCannotBeReadIsReplaced(t *testing.T) {
	for name, flavour := range flavours {
		for _, text := range []string{"{", "e30x", ""} {
			t.Run(name+" "+text, func(t *testing.T) {
				engine := newEngine(t, flavour...)
				warm(t, engine)
				record := records(engine)
				good, _ := engine.Image(record[0])
				broken := good
				broken.Labels = map[string]string{metadata.LabelKind: metadata.KindBase, "fabric-builder-docker.base": text}
				engine.AddImage(broken)
				buildChanged(t, engine, "one")
				warm(t, engine)
				made, _ := engine.Image(record[0])
				assert.Equal(t, good.Labels, made.Labels)
			})
		}
	}
}

// recorded returns what a record says, as JSON.
func recorded(t *testing.T, engine *fakeengine.Engine) string {
	t.Helper()
	made, _ := engine.Image(records(engine)[0])
	text, err := base64.StdEncoding.DecodeString(made.Labels["fabric-builder-docker.base"])
	require.NoError(t, err)
	return string(text)
}

// A snapshot is a base image, too. If it was committed, its blobs have to be learned once.
func TestCodeIsLoadedOnASnapshot(t *testing.T) {
	for _, known := range []bool{true, false} {
		engine := newNodeEngine(t, officialScript, 0o755, fakeengine.ContainerdStore())
		if known {
			require.NoError(t, newBuilder(t, engine).Warm(t.Context(), nodePlan, open(t, nodeSource(t, "one", "lock 1")), "basic_1.0"))
		} else {
			engine.On(fakeengine.Export, fakeengine.Once(fakeengine.Hang()))
		}
		buildNode(t, engine, nodePlan, "one", "lock 1")
		if !known {
			require.Eventually(t, func() bool { // each build has the time of its commit to learn
				buildNode(t, engine, nodePlan, time.Now().String(), "lock 1")
				return len(records(engine)) == 2
			}, time.Minute, time.Millisecond)
		}
		did := work(engine, func() {
			_, image := buildNode(t, engine, nodePlan, "two", "lock 1")
			assert.Len(t, inTarget(t, engine, image), 6)
		})
		assert.Equal(t, map[fakeengine.Route]int{fakeengine.Load: 1, fakeengine.Create: 1}, did)
	}
}

func TestWarmTellsHowAnEngineTakesImages(t *testing.T) {
	engine := newEngine(t, fakeengine.ContainerdStore())
	warm(t, engine)
	assert.True(t, strings.HasPrefix(records(engine)[0], "fabric-chaincode/base:"))
	assert.Contains(t, recorded(t, engine), `"way":"oci"`)
}
