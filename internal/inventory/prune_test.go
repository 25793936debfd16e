// SPDX-License-Identifier: Apache-2.0

package inventory_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/inventory"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/test/fakeengine"
)

// site is an engine with things of two peers, whose clock is a day ahead of when they were made.
type site struct {
	t            *testing.T
	engine       *fakeengine.Engine
	client       *docker.Engine
	peer0, peer1 string // directories of builds
	rules        inventory.Rules
}

const used, unused, other = "1", "2", "3" // digits of images

func newSite(t *testing.T, options ...fakeengine.Option) *site {
	t.Helper()
	s := &site{t: t, engine: fakeengine.New(t, options...), peer0: t.TempDir(), peer1: t.TempDir(), rules: inventory.Rules{BuildTimeout: 15 * time.Minute}}
	s.engine.SetProgram(fakeengine.Serve(0))
	s.client = connect(t, s.engine)
	for _, digit := range []string{used, unused, other} {
		s.addImage(name("golang", digit), metadata.KindChaincode, time.Now())
	}
	install(t, s.peer0, "basic_1.0-abc", name("golang", used), "t0")
	install(t, s.peer1, "other_1.0-abc", name("golang", other), "t1")
	s.run("dev-peer0-basic-0123456789abcdef", name("golang", used), "t0", "peer0", true)
	s.run("dev-peer1-other-0123456789abcdef", name("golang", other), "t1", "peer1", true)
	s.run("dev-peer0-left-0123456789abcdef", name("golang", used), "t0", "peer0", false)
	s.addWork("fabric-chaincode-build-0000000000000001", metadata.KindBuild)
	s.engine.SetSkew(24 * time.Hour)
	return s
}

// addImage adds an image that differs from all others.
func (s *site) addImage(name, kind string, created time.Time) {
	s.engine.AddImage(fakeengine.Image{Name: name, Created: created, Size: 20e6, Command: []string{"chaincode"}, Env: []string{"NAME=" + name},
		Labels: map[string]string{metadata.LabelKind: kind}})
}

func (s *site) addWork(name, kind string) {
	s.engine.AddContainer(name, "fabric-chaincode/golang:"+strings.Repeat(used, 64), map[string]string{metadata.LabelKind: kind})
}

// run creates the container of a chaincode, and starts it if it is to run.
func (s *site) run(container, image, token, peer string, started bool) {
	s.t.Helper()
	id, _, err := s.client.CreateOrInspect(s.t.Context(), docker.Spec{Name: container, Image: image, Labels: chaincode("basic:1", token, peer, "", "", now).Labels})
	require.NoError(s.t, err)
	if started {
		require.NoError(s.t, s.client.Start(s.t.Context(), id))
	}
}

func install(t *testing.T, builds, name, image, token string) {
	t.Helper()
	output := filepath.Join(builds, name, "bld")
	require.NoError(t, os.MkdirAll(output, 0o755))
	require.NoError(t, metadata.WriteRecord(output, metadata.Record{Type: "golang", Image: image, InstallToken: token}))
}

// prune prunes with --yes, and returns what became of each item.
func (s *site) prune(directories ...string) (map[string]string, error) {
	s.t.Helper()
	state, err := inventory.Gather(s.t.Context(), s.client, directories, false)
	require.NoError(s.t, err)
	results := map[string]string{}
	return results, inventory.Prune(s.t.Context(), s.client, directories, s.rules, inventory.Examine(state, s.rules), func(item inventory.Item, err error) {
		switch {
		case err == nil:
			results[item.Title()] = "removed"
		case inventory.IsInUse(err):
			results[item.Title()] = "in use"
		default:
			results[item.Title()] = err.Error()
		}
	})
}

func TestPruneRemovesWhatNoPeerNeeds(t *testing.T) {
	for flavour, options := range map[string][]fakeengine.Option{"docker 20.10": {fakeengine.API("1.41", "1.12")}, "docker 29": {fakeengine.API("1.55", "1.40")}} {
		t.Run(flavour, func(t *testing.T) {
			s := newSite(t, options...)
			results, err := s.prune(s.peer0, s.peer1)
			require.NoError(t, err)
			assert.Equal(t, map[string]string{"dev-peer0-left-0123456789abcdef": "removed", "fabric-chaincode-build-0000000000000001": "removed", name("golang", unused): "removed"}, results)
			assert.Equal(t, []string{name("golang", used), name("golang", other)}, s.engine.Images())
			assert.Len(t, s.engine.Containers(), 2)
			for _, call := range s.engine.Calls(fakeengine.Remove, fakeengine.Untag, fakeengine.VolumeRemove) {
				assert.NotEqual(t, "1", call.Query.Get("force"), call.Target)
			}
		})
	}
}

// Of a peer that is not known, no image may go, whether its chaincodes run or not: its other packages are not known.
func TestPruneKeepsImagesIfAPeerIsUnknown(t *testing.T) {
	s := newSite(t)
	results, err := s.prune(s.peer0)
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"dev-peer0-left-0123456789abcdef": "removed", "fabric-chaincode-build-0000000000000001": "removed"}, results)
	assert.Len(t, s.engine.Images(), 3)

	state, err := inventory.Gather(t.Context(), s.client, []string{s.peer0}, false)
	require.NoError(t, err)
	assert.Contains(t, inventory.Notes(state, nil)[0], "chaincodes of peers are here whose BUILDS_DIR was not given, so all images, snapshots and caches with a name stay: Org1MSP peer1:7052")
}

// The record may be cut off, or of a newer version. Builds of other builders have none.
func TestPruneKeepsImagesIfABuildCannotBeRead(t *testing.T) {
	s := newSite(t)
	require.NoError(t, os.MkdirAll(filepath.Join(s.peer0, "of-another-builder", "bld"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(s.peer0, "a-file"), nil, 0o644))
	install(t, s.peer1, "cut_1.0-abc", name("golang", unused), "t2")
	record := filepath.Join(s.peer1, "cut_1.0-abc", "bld", metadata.RecordFile)
	require.NoError(t, os.Truncate(record, 100))
	results, err := s.prune(s.peer0, s.peer1)
	require.NoError(t, err)
	assert.NotContains(t, results, name("golang", unused))

	require.NoError(t, os.RemoveAll(filepath.Join(s.peer1, "cut_1.0-abc")))
	results, err = s.prune(s.peer0, s.peer1)
	require.NoError(t, err)
	assert.Contains(t, results, name("golang", unused))
}

// The directory above would otherwise look like that of a peer that has nothing installed, and all images would go.
func TestADirectoryWithoutBuildsIsRefused(t *testing.T) {
	s := newSite(t)
	wrong := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(wrong, "externalbuilder", "builds"), 0o755))
	_, err := inventory.Gather(t.Context(), s.client, []string{wrong}, false)
	require.EqualError(t, err, "directory "+wrong+" holds no builds of a peer: expected externalbuilder/builds in its peer.fileSystemPath")
	_, err = inventory.Gather(t.Context(), s.client, []string{filepath.Join(wrong, "externalbuilder", "builds")}, false)
	assert.NoError(t, err, "a peer may have nothing installed")
}

func TestPruneLeavesOthersAlone(t *testing.T) {
	s := newSite(t)
	s.engine.AddImage(fakeengine.Image{Name: "postgres:16", Command: []string{"postgres"}})
	for i := range 3000 {
		s.engine.AddContainer(fmt.Sprintf("postgres-%d", i), "postgres:16", map[string]string{"com.example": "x"})
	}
	s.engine.AddImage(fakeengine.Image{Name: "fabric-chaincode/golang:" + strings.Repeat("4", 64), Command: []string{"x"}}) // without our label
	s.engine.AddVolume(fakeengine.Volume{Name: "fabric-chaincode-cache-golang"})                                            // the same
	results, err := s.prune(s.peer0, s.peer1)
	require.NoError(t, err)
	assert.Len(t, results, 3)
	assert.Len(t, s.engine.Containers(), 3002)
	assert.Len(t, s.engine.Images(), 4)
	assert.Len(t, s.engine.Volumes(), 1)
}

func TestPruneKnowsWhatEarlierVersionsMade(t *testing.T) {
	s := newSite(t)
	s.engine.SetSkew(0)
	s.addWork("fabric-chaincode-look-"+strings.Repeat("a", 64), metadata.KindAssembly)
	s.addWork("fabric-chaincode-assembly-"+strings.Repeat("a", 64), metadata.KindAssembly)
	s.addWork("fabric-chaincode-cache-golang-lock", metadata.KindCacheLock)
	for _, cache := range []string{"golang", "java-maven", "go-build-0123"} {
		s.engine.AddVolume(fakeengine.Volume{Name: "fabric-chaincode-cache-" + cache, CreatedAt: time.Now(), Labels: map[string]string{metadata.LabelKind: metadata.KindCache}})
	}
	s.engine.SetSkew(24 * time.Hour)
	results, err := s.prune(s.peer0, s.peer1)
	require.NoError(t, err)
	assert.Len(t, results, 3+3)
	assert.Len(t, s.engine.Volumes(), 3, "a peer that was not upgraded yet may use the others")
	s.rules.OlderThan = time.Hour
	_, err = s.prune(s.peer0, s.peer1)
	require.NoError(t, err)
	assert.Empty(t, s.engine.Volumes())
}

// Docker's classic store notes no time at a load, and the image itself says 1970.
func TestAnImageOfUnknownAgeGoesOnlyAfterItWasSeen(t *testing.T) {
	s := newSite(t)
	loaded := name("node", "5")
	s.addImage(loaded, metadata.KindChaincode, time.Time{})
	for _, ahead := range []time.Duration{24 * time.Hour, 24*time.Hour + 14*time.Minute} {
		s.engine.SetSkew(ahead)
		results, err := s.prune(s.peer0, s.peer1)
		require.NoError(t, err)
		assert.NotContains(t, results, loaded)
	}
	s.engine.SetSkew(24*time.Hour + 16*time.Minute)
	results, err := s.prune(s.peer0, s.peer1)
	require.NoError(t, err)
	assert.Equal(t, map[string]string{loaded: "removed"}, results)
}

// A launch that begins between the plan and the removal uses the image; so does one that begins at the very moment.
func TestPruneKeepsWhatComesIntoUse(t *testing.T) {
	for moment, route := range map[string]fakeengine.Route{"before the second look": fakeengine.Remove, "at the removal": fakeengine.Untag} {
		t.Run(moment, func(t *testing.T) {
			s := newSite(t)
			s.addImage(name("golang", "6"), metadata.KindChaincode, time.Now())
			s.engine.On(route, fakeengine.Once(fakeengine.Before(func() {
				s.engine.AddContainer("new", name("golang", unused), map[string]string{metadata.LabelKind: metadata.KindBuild})
			})))
			results, err := s.prune(s.peer0, s.peer1)
			require.NoError(t, err)
			assert.NotEqual(t, "removed", results[name("golang", unused)])
			assert.Contains(t, s.engine.Images(), name("golang", unused))
			assert.Equal(t, "removed", results[name("golang", "6")], "it goes on with the others")
		})
	}
}

// An install that begins meanwhile has a record before the image goes.
func TestPruneReadsTheBuildsAgain(t *testing.T) {
	s := newSite(t)
	s.engine.On(fakeengine.Remove, fakeengine.Once(fakeengine.Before(func() {
		install(t, s.peer0, "new_1.0-abc", name("golang", unused), "t5")
	})))
	results, err := s.prune(s.peer0, s.peer1)
	require.NoError(t, err)
	assert.NotContains(t, results, name("golang", unused))
}

func TestPruneNeverRemovesARunningContainer(t *testing.T) {
	s := newSite(t)
	s.engine.On(fakeengine.List, fakeengine.Nth(3, fakeengine.Before(func() { // the look right before the removal
		left, _ := s.engine.Container("dev-peer0-left-0123456789abcdef")
		assert.NoError(t, s.client.Start(t.Context(), left.ID))
	})))
	results, err := s.prune(s.peer0, s.peer1)
	require.NoError(t, err)
	assert.Equal(t, "in use", results["dev-peer0-left-0123456789abcdef"])
	left, _ := s.engine.Container("dev-peer0-left-0123456789abcdef")
	assert.Equal(t, "running", left.Status)
}

func TestPruneEndsWithAnEngineThatDies(t *testing.T) {
	for _, route := range []fakeengine.Route{fakeengine.List, fakeengine.ImageInspect, fakeengine.Remove, fakeengine.Untag, fakeengine.VolumeList} {
		t.Run(string(route), func(t *testing.T) {
			s := newSite(t)
			s.engine.On(fakeengine.Info, fakeengine.Nth(2, fakeengine.Before(func() { s.engine.On(route, fakeengine.Drop()) })))
			_, err := s.prune(s.peer0, s.peer1)
			assert.True(t, docker.IsUnreachable(err), "%v", err)
			assert.Contains(t, s.engine.Images(), name("golang", used))
		})
	}
}

// What cannot be removed does not hold up the rest.
func TestPruneGoesOnAfterAFailure(t *testing.T) {
	s := newSite(t)
	s.engine.On(fakeengine.Remove, fakeengine.Fail(http.StatusInternalServerError, "unlinkat x: operation not permitted"))
	results, err := s.prune(s.peer0, s.peer1)
	require.NoError(t, err)
	assert.Contains(t, results["dev-peer0-left-0123456789abcdef"], "operation not permitted")
	assert.Equal(t, "removed", results[name("golang", unused)])
}

func TestAgesAndSizes(t *testing.T) {
	for text, want := range map[string]time.Duration{"30d": 30 * day, "12h": 12 * time.Hour, "90m": 90 * time.Minute, "": 0, "d": 0, "-1h": 0, "-3d": 0, "30": 0, "0s": 0} {
		got, err := inventory.ParseAge(text)
		assert.Equal(t, want == 0, err != nil, text)
		assert.Equal(t, want, got, text)
	}
	for text, want := range map[string]int64{"20GB": 20e9, "500MB": 500e6, "1tb": 1e12, "7k": 7000, "5": 5, "0": 0, "5000000000": 5e9, "9000000000T": -1, "": -1, "GB": -1, "-1GB": -1, "1.5GB": -1} {
		got, err := inventory.ParseSize(text)
		if assert.Equal(t, want < 0, err != nil, text); want >= 0 {
			assert.Equal(t, want, got, text)
		}
	}
}
