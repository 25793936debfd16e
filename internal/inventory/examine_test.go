// SPDX-License-Identifier: Apache-2.0

package inventory_test

import (
	"bytes"
	"flag"
	"fmt"
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
)

var update = flag.Bool("update", false, "rewrite the golden files")

var now = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

func ago(d time.Duration) time.Time { return now.Add(-d) }

const day = 24 * time.Hour

// name returns an image's name with a digest of one repeated digit.
func name(packageType, digit string) string {
	return metadata.ImageName("fabric-chaincode", packageType, strings.Repeat(digit, 64))
}

func image(packageType, digit, kind string, created time.Time, labels ...string) docker.ListedImage {
	all := map[string]string{metadata.LabelKind: kind}
	for i := 0; i < len(labels); i += 2 {
		all[labels[i]] = labels[i+1]
	}
	return docker.ListedImage{ID: "sha256:" + packageType + digit, Names: []string{name(packageType, digit)}, Labels: all, Size: 20e6, Created: created}
}

// chaincode returns the container of a chaincode.
func chaincode(id, token, peer, status, image string, created time.Time) docker.Container {
	return docker.Container{ID: "id-" + id + peer + status, Name: "dev-" + peer + "-" + id + "-0123456789abcdef", Status: status, Created: created, Finished: created, Image: image, Labels: map[string]string{
		metadata.LabelKind: metadata.KindChaincode, metadata.LabelChaincodeID: id, metadata.LabelInstallToken: token,
		metadata.LabelMSPID: "Org1MSP", metadata.LabelPeerAddress: peer + ":7052",
	}}
}

func work(name, kind, status string, created time.Time, timeout string) docker.Container {
	labels := map[string]string{metadata.LabelKind: kind}
	if timeout != "" {
		labels[metadata.LabelTimeout] = timeout
	}
	return docker.Container{ID: "id-" + name, Name: name, Status: status, Created: created, Labels: labels}
}

// known is an engine all of whose peers are known: one with a running chaincode and one that was upgraded.
func known() inventory.State {
	unnamed := image("node", "0", metadata.KindChaincode, time.Time{})
	unnamed.Names = nil
	pinned := image("java", "9", metadata.KindChaincode, ago(90*day)) // pulled from where somebody has pushed it to
	pinned.ID, pinned.Names = "sha256:pinned", []string{"registry.example.com/cc@sha256:abc"}
	foreign := image("node", "9", metadata.KindChaincode, ago(90*day))
	foreign.ID, foreign.Names = "sha256:foreign", []string{"example.com/built-on-ours:1"}
	interrupted := image("golang", "8", metadata.KindChaincode, ago(day))
	interrupted.Names[0] += "-0123456789abcdef"
	return inventory.State{
		Now: now, Directories: 2,
		Installs: []inventory.Install{
			{Directory: "/peer0", Package: "basic_1.0-abc", Image: name("golang", "1"), Token: "t1"},
			{Directory: "/peer1", Package: "mycc-1.0", Image: name("node", "2"), Token: "t2"},
			{Directory: "/peer1", Package: "prebuilt_1-def", Image: "example.com/cc@sha256:abc", Token: "t3"},
		},
		Containers: []docker.Container{
			chaincode("basic_1.0:abc", "t1", "peer0", "running", name("golang", "1"), ago(2*day)),
			chaincode("mycc:1.0", "t2", "peer1", "exited", name("node", "2"), ago(3*time.Hour)),
			chaincode("deleted_1:bcd", "t9", "peer0", "exited", name("node", "2"), ago(30*day)),
			chaincode("young_1:cde", "t1", "peer0", "exited", name("golang", "1"), ago(time.Minute)),
			work("p-build-0000000000000001", metadata.KindBuild, "exited", ago(16*time.Minute), "900"),
			work("p-build-0000000000000002", metadata.KindBuild, "created", ago(14*time.Minute), "900"),
			work("p-build-0000000000000003", metadata.KindBuild, "running", ago(5*time.Hour), "900"),
			work("p-assembly-0000000000000001", metadata.KindAssembly, "created", ago(61*time.Minute), ""),
			work("p-assembly-0000000000000002", metadata.KindAssembly, "created", ago(59*time.Minute), ""),
			work("p-look-0000000000000001", metadata.KindAssembly, "created", ago(90*day), ""), // of an earlier version
			work("p-cachelock-1", metadata.KindCacheLock, "created", ago(90*day), ""),          // of an earlier version
			{ID: "id-foreign", Name: "postgres", Status: "exited", Created: ago(90 * day), Image: "postgres:16"},
			// An operator has committed a chaincode's container, and a build's, and looks into the images.
			{ID: "id-look", Name: "look", Status: "exited", Created: ago(90 * day), Labels: chaincode("basic_1.0:abc", "t1", "peer0", "", "", now).Labels},
			work("lab-build-1", metadata.KindBuild, "exited", ago(90*day), "900"),
			// A container of an image of ours that somebody else has made has the image's labels.
			{ID: "id-debug", Name: "debug", Status: "exited", Created: ago(90 * day), Image: name("java", "7"), Labels: map[string]string{metadata.LabelKind: metadata.KindChaincode}},
		},
		Images: []docker.ListedImage{
			image("golang", "1", metadata.KindChaincode, ago(2*day)),
			image("golang", "3", metadata.KindChaincode, ago(2*day)),
			image("golang", "4", metadata.KindChaincode, ago(time.Minute)),
			image("node", "2", metadata.KindChaincode, time.Time{}, metadata.LabelSnapshot, name("node-snapshot", "1")),
			image("node", "5", metadata.KindChaincode, time.Time{}, metadata.LabelSnapshot, name("node-snapshot", "2")),
			image("node", "6", metadata.KindChaincode, time.Time{}),
			image("java", "7", metadata.KindChaincode, time.Time{}),
			image("node-snapshot", "1", metadata.KindSnapshot, ago(9*day)),
			image("node-snapshot", "2", metadata.KindSnapshot, ago(9*day)),
			image("golang-std", "1", metadata.KindSnapshot, ago(9*day)),
			image("base", "1", metadata.KindBase, ago(9*day)),
			unnamed, foreign, pinned, interrupted,
		},
		Tagged: map[string]time.Time{"sha256:node5": ago(time.Hour)},
		Volumes: []docker.Volume{
			{Name: "fabric-chaincode-cache-go-build-0123", Labels: map[string]string{metadata.LabelKind: metadata.KindCache}, Created: ago(40 * day)},
			{Name: "fabric-chaincode-cache-golang", Labels: map[string]string{metadata.LabelKind: metadata.KindCache}, Created: ago(40 * day)},
			{Name: "fabric-chaincode-cache-java-maven", Labels: map[string]string{metadata.LabelKind: metadata.KindCache}, Created: ago(40 * day)},
		},
		Usage: docker.Usage{Volumes: map[string]int64{"fabric-chaincode-cache-golang": 300e6}},
	}
}

// withUnknown adds a peer whose builds were not given.
func withUnknown(s inventory.State) inventory.State {
	s.Containers = append(s.Containers, chaincode("other_1:fff", "t77", "peer9", "running", name("golang", "3"), ago(day)),
		chaincode("other_2:fff", "t78", "peer9", "exited", name("golang", "3"), ago(day)))
	return s
}

func TestExamine(t *testing.T) {
	rules := inventory.Rules{BuildTimeout: 15 * time.Minute}
	older, sized := rules, rules
	older.OlderThan = 10 * day
	keep := int64(250e6)
	sized.KeepSize = &keep
	unread := known()
	unread.Unread = []string{"the build output is incomplete"}
	for golden, test := range map[string]struct {
		state inventory.State
		rules inventory.Rules
	}{
		"known":      {known(), rules},
		"unknown":    {withUnknown(known()), rules},
		"unread":     {unread, rules},
		"older-than": {known(), older},
		"keep-size":  {known(), sized},
	} {
		t.Run(golden, func(t *testing.T) {
			var got bytes.Buffer
			for _, peer := range inventory.UnknownPeers(test.state) {
				fmt.Fprintln(&got, "unknown peer:", peer)
			}
			for _, item := range inventory.Examine(test.state, test.rules) {
				if item.Remove != "" {
					fmt.Fprintf(&got, "REMOVE %s %s: %s\n", item.What, item.Title(), item.Remove)
				} else {
					fmt.Fprintf(&got, "keep   %s %s: %s\n", item.What, item.Title(), item.Keep)
				}
			}
			checkGolden(t, golden+".txt", got.Bytes())
		})
	}
}

func TestListShowsEverythingWithWhatRefersToIt(t *testing.T) {
	var table, asJSON bytes.Buffer
	items := inventory.Examine(known(), inventory.Rules{BuildTimeout: 15 * time.Minute})
	require.NoError(t, inventory.List(&table, items, now))
	require.NoError(t, inventory.JSON(&asJSON, items))
	checkGolden(t, "list.txt", table.Bytes())
	checkGolden(t, "list.json", asJSON.Bytes())
}

func checkGolden(t *testing.T, file string, got []byte) {
	t.Helper()
	file = filepath.Join("testdata", file)
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(file, got, 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, string(want), string(got))
}

// A container that was kept for debugging is like any other that a run has left: it goes in time.
func TestAKeptContainer(t *testing.T) {
	kept := func(id string, ended time.Duration) docker.Container {
		c := chaincode(id, "t1", "peer0", "exited", name("golang", "1"), ago(2*day))
		c.Finished, c.Labels[metadata.LabelKeep] = ago(ended), "true"
		return c
	}
	s := known()
	s.Containers = []docker.Container{kept("young", time.Minute), kept("old", time.Hour)}
	for _, item := range inventory.Examine(s, inventory.Rules{BuildTimeout: 15 * time.Minute}) {
		switch item.Name {
		case "dev-peer0-young-0123456789abcdef":
			assert.Equal(t, "it is younger than 15m0s", item.Keep)
		case "dev-peer0-old-0123456789abcdef":
			assert.Equal(t, "it was kept for debugging, and has ended", item.Remove)
		}
	}
	for _, item := range inventory.Examine(s, inventory.Rules{BuildTimeout: 15 * time.Minute, OlderThan: day}) {
		if item.What == "container" {
			assert.Equal(t, "it is younger than 24h0m0s", item.Keep)
		}
	}
}

// The record names the image of the install, but a run may have built another one since.
func TestARebuiltImageIsInstalled(t *testing.T) {
	s := known()
	rebuilt := image("golang", "e", metadata.KindChaincode, ago(90*day))
	s.Images = append(s.Images, rebuilt)
	s.Installs[0].Rebuilt = rebuilt.Names[0]
	for _, item := range inventory.Examine(s, inventory.Rules{BuildTimeout: 15 * time.Minute}) {
		if item.Name == rebuilt.Names[0] {
			assert.Equal(t, "a peer has it installed", item.Keep)
			assert.Equal(t, []string{s.Installs[0].Package}, item.Installs)
			return
		}
	}
	t.Error("the image is not listed")
}

// A proxy may refuse the call that measures volumes. What is not known stays.
func TestACacheWhoseSizeIsNotKnown(t *testing.T) {
	s := known()
	s.Usage = docker.Usage{}
	keep := int64(20e9)
	for _, item := range inventory.Examine(s, inventory.Rules{BuildTimeout: 15 * time.Minute, OlderThan: 30 * day, KeepSize: &keep}) {
		if item.What == "volume" {
			assert.Empty(t, item.Remove, item.Name)
			assert.Equal(t, "its size is not known", item.Keep)
		}
	}
}
