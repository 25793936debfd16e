// SPDX-License-Identifier: Apache-2.0

package config_test

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/config"
	"fabric-builder-docker/internal/host"
)

// images returns the default images of all languages.
func images(s config.Settings) []string {
	c := s.Chaincode
	return []string{c.Builder, c.Golang.Runtime, c.Node.Runtime, c.Java.Runtime}
}

func imagesOf(namespace, version, nodeVersion string) []string {
	return []string{
		namespace + "/fabric-ccenv:" + version, namespace + "/fabric-baseos:" + version,
		namespace + "/fabric-nodeenv:" + nodeVersion, namespace + "/fabric-javaenv:" + nodeVersion,
	}
}

func TestTheReleaseOfFabricIsThePeersUnlessSet(t *testing.T) {
	older := host.Peer{PID: 7, Version: "2.5.9", Namespace: "hyperledger"}
	unreadable := errors.New("reading the executable of the peer, process 7: permission denied")
	const ofPeer = "the executable of the peer, process 7"
	tests := map[string]struct {
		yaml    string
		environ []string
		built   *config.Fabric // of the build record
		peer    host.Peer
		err     error

		version, source, problem string
		images                   []string
	}{
		"the peer's":                {peer: older, version: "2.5.9", source: ofPeer, images: imagesOf("hyperledger", "2.5", "2.5")},
		"3.x, which has no nodeenv": {peer: host.Peer{PID: 7, Version: "3.1.4"}, version: "3.1.4", source: ofPeer, images: imagesOf("hyperledger", "3.1", "2.5")},
		"before 2.5":                {peer: host.Peer{PID: 7, Version: "2.2.15"}, version: "2.2.15", source: ofPeer, images: imagesOf("hyperledger", "2.2", "2.2")},
		"its namespace":             {peer: host.Peer{PID: 7, Version: "2.5.9", Namespace: "example.com/fabric"}, version: "2.5.9", source: ofPeer, images: imagesOf("example.com/fabric", "2.5", "2.5")},
		"no name of a namespace":    {peer: host.Peer{PID: 7, Version: "2.5.9", Namespace: "$(X)"}, version: "2.5.9", source: ofPeer, images: imagesOf("hyperledger", "2.5", "2.5")},
		"no peer":                   {err: host.ErrNoPeer, version: "3.1", source: "the default", images: imagesOf("hyperledger", "3.1", "2.5")},
		"a peer that tells nothing": {peer: host.Peer{PID: 7, Go: "go1.17.5"}, version: "3.1", source: "the default", images: imagesOf("hyperledger", "3.1", "2.5"),
			problem: "the executable of the peer, process 7, does not record a version (it was built with go1.17.5; Go before 1.18 and -trimpath leave it out)"},
		"one that may not be read": {err: unreadable, version: "3.1", source: "the default", problem: unreadable.Error(), images: imagesOf("hyperledger", "3.1", "2.5")},
		"config.yaml wins": {yaml: `builder: {fabricVersion: "2.4", dockerNamespace: ours}`, peer: older, version: "2.4",
			source: "builder.fabricVersion in FILE", images: imagesOf("ours", "2.4", "2.4")},
		"as a peer prints it": {yaml: `builder: {fabricVersion: "v2.5.9"}`, version: "2.5.9", source: "builder.fabricVersion in FILE", images: imagesOf("hyperledger", "2.5", "2.5")},
		"as a peer of one's own prints it": {yaml: `builder: {fabricVersion: "2.5.9-snapshot-1a2b3c4"}`, version: "2.5.9-snapshot-1a2b3c4",
			source: "builder.fabricVersion in FILE", images: imagesOf("hyperledger", "2.5", "2.5")},
		"a tag": {yaml: `builder: {fabricVersion: "latest"}`, version: "latest", source: "builder.fabricVersion in FILE", images: imagesOf("hyperledger", "latest", "latest")},
		"a variable wins": {environ: []string{"CORE_BUILDER_FABRICVERSION=3.0", "CORE_BUILDER_DOCKERNAMESPACE=ours"}, peer: older, version: "3.0",
			source: "CORE_BUILDER_FABRICVERSION", images: imagesOf("ours", "3.0", "2.5")},
		"only the namespace is set": {yaml: "builder: {dockerNamespace: ours}", peer: older, version: "2.5.9", source: ofPeer, images: imagesOf("ours", "2.5", "2.5")},
		"only the version is set":   {yaml: `builder: {fabricVersion: "2.4"}`, peer: host.Peer{Version: "2.5.9", Namespace: "theirs"}, version: "2.4", source: "builder.fabricVersion in FILE", images: imagesOf("theirs", "2.4", "2.4")},
		"a set version needs no peer that may be read": {yaml: `builder: {fabricVersion: "2.4"}`, err: unreadable, version: "2.4",
			source: "builder.fabricVersion in FILE", images: imagesOf("hyperledger", "2.4", "2.4")},
		"empty means the peer's": {yaml: `builder: {fabricVersion: "", dockerNamespace: ""}`, peer: older, version: "2.5.9", source: ofPeer, images: imagesOf("hyperledger", "2.5", "2.5")},
		"that of the build":      {built: &config.Fabric{Version: "2.5.1", Namespace: "theirs"}, peer: older, version: "2.5.1", source: "the build record", images: imagesOf("theirs", "2.5", "2.5")},
		"an older record":        {built: &config.Fabric{}, peer: older, version: "3.1", source: "the default", images: imagesOf("hyperledger", "3.1", "2.5")},
		"a setting wins over the build's": {yaml: `builder: {fabricVersion: "2.4"}`, built: &config.Fabric{Version: "2.5.1", Namespace: "theirs"}, version: "2.4",
			source: "builder.fabricVersion in FILE", images: imagesOf("theirs", "2.4", "2.4")},
		"images in core.yaml too": {environ: []string{"FABRIC_CFG_PATH=SHIPPED"}, peer: older, version: "2.5.9", source: ofPeer, images: imagesOf("hyperledger", "2.5", "2.5")},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			config.UsePeer(t, test.peer, test.err)
			dir := home(t, test.yaml)
			for i, variable := range test.environ {
				if variable == "FABRIC_CFG_PATH=SHIPPED" {
					test.environ[i] = "FABRIC_CFG_PATH=" + coreIn(t, shippedCore("$(TWO_DIGIT_VERSION)"))
				}
			}
			settings, err := config.Load(dir, test.environ)
			if test.built != nil {
				settings, err = config.LoadBuilt(dir, test.environ, *test.built)
			}
			require.NoError(t, err)
			assert.Equal(t, test.version, settings.Builder.FabricVersion)
			if test.source == "builder.fabricVersion in FILE" {
				test.source = "builder.fabricVersion in " + filepath.Join(dir, config.File)
			}
			assert.Equal(t, config.FabricOrigin{Source: test.source, Problem: test.problem}, settings.Fabric)
			assert.Equal(t, test.images, images(settings))
			assert.Empty(t, settings.Warnings)
		})
	}
}

// Before, builder.fabricVersion and builder.dockerNamespace did nothing to the default images.
func TestTheDefaultImagesAreMadeOfPlaceholders(t *testing.T) {
	settings := load(t, `builder: {fabricVersion: "2.4.3", dockerNamespace: example.com/ours}`)
	assert.Equal(t, imagesOf("example.com/ours", "2.4", "2.4"), images(settings))
}
