// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"
	"strings"

	"fabric-builder-docker/internal/host"
)

// Fabric is the release of Fabric that base images are for.
type Fabric struct {
	Version   string // two or three numbers
	Namespace string // of the images' names
}

// FabricOrigin says where [Builder.FabricVersion] comes from.
type FabricOrigin struct {
	Source  string // a setting, the peer's executable, the build record or the default
	Problem string // why the version is not the peer's, although there is a peer; empty: no problem
}

// findPeer finds the peer that this program works for. It is a variable for tests.
var findPeer = func() (host.Peer, error) { return host.FindPeer(host.Proc) }

// chooseFabric sets the release that nobody has set: that of built, otherwise that of the peer that peerOf finds, otherwise the
// default. It notes where the version comes from, and why it is not the peer's.
func (l *loader) chooseFabric(built Fabric, peerOf func() (peer host.Peer, problem string)) {
	b := &l.settings.Builder
	if v, ok := strings.CutPrefix(b.FabricVersion, "v"); ok && fabricVersion.MatchString(v) && v[0] <= '9' {
		b.FabricVersion = v // tags of images have no v, which "peer version" prints
	}
	versionSet, namespaceSet := l.isSet("builder.fabricVersion", b.FabricVersion), l.isSet("builder.dockerNamespace", b.DockerNamespace)
	origin := FabricOrigin{Source: l.sources["builder.fabricVersion"].where}
	if !versionSet {
		b.FabricVersion, origin.Source = built.Version, "the build record"
	}
	if !namespaceSet {
		b.DockerNamespace = built.Namespace
	}
	if peerOf != nil && (b.FabricVersion == "" || b.DockerNamespace == "") {
		peer, problem := peerOf()
		if b.FabricVersion == "" {
			b.FabricVersion, origin.Source = peer.Version, fmt.Sprintf("the executable of the peer, process %d", peer.PID)
			origin.Problem = problem
		}
		if b.DockerNamespace == "" && imageName.MatchString(peer.Namespace) {
			b.DockerNamespace = peer.Namespace
		}
	}
	if b.FabricVersion == "" {
		b.FabricVersion, origin.Source = defaultVersion, "the default"
	}
	if b.DockerNamespace == "" {
		b.DockerNamespace = defaultNamespace
	}
	l.settings.Fabric = origin
}

// isSet reports whether a source has set a key to something.
func (l *loader) isSet(name, value string) bool { return l.sources[name].where != "" && value != "" }

// peerOf returns the peer that this program works for, and the problem if it does not tell its version. That there is no
// peer is none.
func peerOf() (peer host.Peer, problem string) {
	peer, err := findPeer()
	switch {
	case errors.Is(err, host.ErrNoPeer):
		return host.Peer{}, ""
	case err != nil:
		return host.Peer{}, err.Error()
	case peer.Version == "":
		problem = fmt.Sprintf("the executable of the peer, process %d, does not record a version (it was built with %s; Go before 1.18 and -trimpath leave it out)", peer.PID, peer.Go)
	}
	return peer, problem
}
