// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/imagebuild"
	"fabric-builder-docker/internal/metadata"
)

// Rules says what may go.
type Rules struct {
	BuildTimeout time.Duration // nothing younger goes: an install may be under way
	OlderThan    time.Duration // nothing younger goes; and caches only if it is set
	KeepSize     *int64        // images and volumes go, the oldest first, until no more than so many bytes are left; nil: all go
}

// Examine returns everything of this project on an engine: containers, images, volumes, each sorted by kind and name.
func Examine(s State, rules Rules) []Item {
	e := examination{State: s, rules: rules, used: map[string][]string{}, going: map[string]bool{}, unknown: UnknownPeers(s)}
	e.blind = len(e.unknown) > 0 || len(s.Unread) > 0 || s.Directories == 0
	for _, c := range s.Containers {
		for _, object := range append([]string{c.ImageID, plain(c.Image)}, c.Volumes...) {
			e.used[object] = append(e.used[object], c.Name)
		}
	}
	items := append([]Item{}, e.containers()...)
	for _, item := range items {
		e.going[item.Name] = item.Remove != ""
	}
	items = append(append(items, e.images()...), e.volumes()...)
	if rules.KeepSize != nil {
		keepSize(items, *rules.KeepSize)
	}
	return items
}

type examination struct {
	State
	rules   Rules
	used    map[string][]string // names of containers, by the ID or the name of an image, or by the name of a volume
	going   map[string]bool     // containers that are to go
	unknown []string
	blind   bool // whether there may be peers whose builds are not known
}

// plain returns an image's name without what engines put in front of it.
func plain(name string) string {
	return strings.TrimPrefix(strings.TrimPrefix(name, "localhost/"), "docker.io/")
}

// IsRun reports whether a container is one of a chaincode. Labels of images are also on containers that others make of them.
func IsRun(c docker.Container) bool {
	return c.Labels[metadata.LabelKind] == metadata.KindChaincode && c.Labels[metadata.LabelChaincodeID] != ""
}

// UnknownPeers returns the peers whose chaincodes have containers, but whose builds are not in the given directories. A peer
// has no name on an engine: its MSP and its address stand for it. A running chaincode is installed on some peer, so one
// that is in no given directory tells of another peer. One that has ended may be of a package that was deleted since.
func UnknownPeers(s State) []string {
	tokens, peers := map[string]bool{}, map[string]bool{}
	for _, install := range s.Installs {
		tokens[install.Token] = true
	}
	for _, c := range s.Containers {
		if IsRun(c) && tokens[c.Labels[metadata.LabelInstallToken]] {
			peers[peerOf(c)] = true
		}
	}
	var unknown []string
	for _, c := range s.Containers {
		if IsRun(c) && !tokens[c.Labels[metadata.LabelInstallToken]] && (c.IsRunning() || !peers[peerOf(c)]) {
			unknown = append(unknown, peerOf(c))
		}
	}
	slices.Sort(unknown)
	return slices.Compact(unknown)
}

func peerOf(c docker.Container) string {
	return strings.TrimSpace(c.Labels[metadata.LabelMSPID] + " " + c.Labels[metadata.LabelPeerAddress])
}

func (e *examination) containers() []Item {
	var items []Item
	for _, c := range e.Containers {
		kind := c.Labels[metadata.LabelKind]
		isWork := slices.Contains([]string{metadata.KindBuild, metadata.KindAssembly, metadata.KindCacheLock}, kind)
		if !isWork && !IsRun(c) {
			continue
		}
		item := Item{What: "container", Kind: kind, Name: c.Name, ID: c.ID, Created: timeOf(c.Created)}
		for _, install := range e.Installs {
			if IsRun(c) && install.Token == c.Labels[metadata.LabelInstallToken] {
				item.Installs = append(item.Installs, install.Package)
			}
		}
		switch {
		case c.IsRunning():
			item.Keep = "it is running"
		case !metadata.IsContainerName(kind, c.Name): // of an image that somebody has committed from one of ours
			item.Keep = "it has a name that is not of this builder"
		case isWork && !imagebuild.Expired(c, e.Now, e.rules.BuildTimeout):
			item.Keep = "its builder may be at work"
		case isWork:
			item.Remove = "its builder's time is over"
		case slices.Contains(e.unknown, peerOf(c)):
			item.Keep = "it is of a peer whose builds were not given"
		case c.Labels[metadata.LabelKeep] != "":
			item.Remove = "it was kept for debugging, and has ended"
		default:
			item.Remove = "it has ended, and its run has gone"
		}
		since := c.Created
		if c.Finished.After(since) {
			since = c.Finished // its run may still be reading its output
		}
		items = append(items, e.young(item, &since))
	}
	return sorted(items)
}

// young keeps an item that is to go if it is younger than the rules say.
func (e *examination) young(item Item, since *time.Time) Item {
	least := max(e.rules.BuildTimeout, e.rules.OlderThan)
	if item.Remove != "" && since != nil && e.Now.Sub(*since) < least {
		item.Keep, item.Remove = fmt.Sprintf("it is younger than %v", least), ""
	}
	return item
}

func (e *examination) images() []Item {
	var chaincodes, others []Item
	snapshots := map[string]bool{} // that images name which stay
	for _, image := range e.Images {
		if image.Labels[metadata.LabelKind] != metadata.KindChaincode {
			continue
		}
		item := e.image(image, nil)
		if item.Keep != "" {
			snapshots[plain(image.Labels[metadata.LabelSnapshot])] = true
		}
		chaincodes = append(chaincodes, item)
	}
	for _, image := range e.Images {
		if image.Labels[metadata.LabelKind] != metadata.KindChaincode {
			others = append(others, e.image(image, snapshots))
		}
	}
	return append(sorted(chaincodes), sorted(others)...)
}

// image examines one image. Snapshots are those that are needed.
func (e *examination) image(image docker.ListedImage, snapshots map[string]bool) Item {
	item := Item{What: "image", Kind: image.Labels[metadata.LabelKind], ID: image.ID, Size: &image.Size, Created: e.ageOf(image)}
	item.Containers = slices.Clone(e.used[image.ID])
	snapshot, cache := false, item.Kind == metadata.KindBase
	for _, name := range image.Names {
		name = plain(name)
		item.names = append(item.names, name)
		item.Containers = append(item.Containers, e.used[name]...)
		for _, install := range e.Installs {
			if plain(install.Image) == name || plain(install.Rebuilt) == name {
				item.Installs = append(item.Installs, install.Package)
			}
		}
		snapshot = snapshot || snapshots[name]
		cache = cache || strings.Contains(name, "/golang-std:")
	}
	slices.Sort(item.names)
	item.Name = strings.Join(item.names, " ")
	slices.Sort(item.Containers)
	item.Containers = slices.Compact(item.Containers)
	foreign := slices.ContainsFunc(item.names, func(name string) bool { return !metadata.IsImageName(name) })
	switch {
	case e.isUsed(item):
		item.Keep = "a container uses it"
	case foreign:
		item.Keep = "it has a name that is not of this builder"
	case len(item.names) == 0:
		item.Remove = "it has no name"
	case len(item.Installs) > 0:
		item.Keep = "a peer has it installed"
	case snapshot:
		item.Keep = "an image that stays names it"
	case e.blind:
		item.Keep = "a peer whose builds are not known may need it"
	case cache && e.rules.OlderThan == 0:
		item.Keep = "it makes builds faster; goes only by age"
	case item.Created == nil:
		item.Keep, item.mark = "the engine does not know its age", true
	case item.Kind == metadata.KindChaincode:
		item.Remove = "no given peer has it installed"
	case cache:
		item.Remove = "it only makes builds faster"
	default:
		item.Remove = "no image that stays names it"
	}
	return e.young(item, item.Created)
}

// isUsed reports whether a container uses an image or a volume that is not to go itself.
func (e *examination) isUsed(item Item) bool {
	return slices.ContainsFunc(item.Containers, func(name string) bool { return !e.going[name] })
}

// ageOf returns since when an image is there: since it got its name, as far as the engine knows.
func (e *examination) ageOf(image docker.ListedImage) *time.Time {
	if tagged := e.Tagged[image.ID]; tagged.After(image.Created) {
		return &tagged
	}
	return timeOf(image.Created)
}

func timeOf(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func (e *examination) volumes() []Item {
	var items []Item
	for _, volume := range e.Volumes {
		item := Item{What: "volume", Kind: volume.Labels[metadata.LabelKind], Name: volume.Name, Created: timeOf(volume.Created)}
		if size, ok := e.Usage.Volumes[volume.Name]; ok {
			item.Size = &size
		}
		item.Containers = e.used[volume.Name]
		old := metadata.IsOldCacheName(volume.Name)
		switch {
		case item.Kind != metadata.KindCache:
			item.Keep = "it is of an unknown kind"
		case e.isUsed(item):
			item.Keep = "a container uses it"
		case e.blind:
			item.Keep = "a peer whose builds are not known may need it"
		case old && e.rules.OlderThan == 0: // a given peer may not be upgraded yet
			item.Keep = "an earlier version may use it; goes only by age"
		case e.rules.OlderThan == 0:
			item.Keep = "it makes builds faster; goes only by age"
		case item.Created == nil:
			item.Keep = "the engine does not know its age"
		case old:
			item.Remove = "only earlier versions use it"
		default:
			item.Remove = "it only makes builds faster"
		}
		items = append(items, e.young(item, item.Created))
	}
	return sorted(items)
}

// keepSize keeps the youngest of what may go, as long as no more than keep bytes are left in all. What has no name always goes.
func keepSize(items []Item, keep int64) {
	var left int64
	var going []*Item
	for i := range items {
		item := &items[i]
		switch {
		case item.Size == nil && item.What == "volume" && item.Remove != "":
			item.Keep, item.Remove = "its size is not known", ""
		case item.Size == nil:
		case item.Remove == "":
			left += *item.Size
		case item.Name != "":
			going = append(going, item)
		}
	}
	slices.SortStableFunc(going, func(a, b *Item) int { return b.Created.Compare(*a.Created) })
	for _, item := range going {
		if left += *item.Size; left > keep {
			return
		}
		item.Keep, item.Remove = "there is room for it", ""
	}
}

func sorted(items []Item) []Item {
	slices.SortFunc(items, func(a, b Item) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
	return items
}
