// SPDX-License-Identifier: Apache-2.0

// Package inventory says what this project has made on an engine, who needs it, and what may be removed.
//
//	gather.go    asks the engine, and reads the builds that peers keep
//	examine.go   says of each container, image and volume who refers to it, and why it may go or has to stay: no calls
//	show.go      tables and JSON
//	prune.go     removes
//
// No engine keeps when something was used last, so nothing here depends on it. What is not known to be unneeded stays.
package inventory

import (
	"time"

	"fabric-builder-docker/internal/docker"
)

// State is all that is known of an engine and its peers.
type State struct {
	Now         time.Time // by the engine's clock
	Containers  []docker.Container
	Images      []docker.ListedImage
	Tagged      map[string]time.Time // when images got their names, by ID; without those whose engine does not say
	Volumes     []docker.Volume
	Usage       docker.Usage
	Installs    []Install
	Unread      []string // builds in the given directories whose record cannot be read, so that it is not known what they need
	Directories int      // how many were given
}

// Install is a build that a peer keeps.
type Install struct {
	Directory string // of the peer's builds
	Package   string // the name of the build's directory there: the package id, with - for :
	Image     string // name
	Rebuilt   string // name of the image that run has built in place of it; the same if it has not
	Token     string
	Builder   string // version of this project
}

// Item is a container, an image or a volume.
type Item struct {
	What       string     `json:"what"` // container, image, volume
	Kind       string     `json:"kind"` // as its label says
	Name       string     `json:"name,omitempty"`
	ID         string     `json:"id,omitempty"`
	Size       *int64     `json:"size,omitempty"`    // nil: not known. An image's includes layers that it shares
	Created    *time.Time `json:"created,omitempty"` // nil: not known
	Installs   []string   `json:"installs,omitempty"`
	Containers []string   `json:"containers,omitempty"`
	Keep       string     `json:"keep,omitempty"`   // why it stays
	Remove     string     `json:"remove,omitempty"` // why it may go

	names []string
	mark  bool // the engine is to note the time, since it does not know the image's age
}
