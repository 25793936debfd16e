// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"fabric-builder-docker/internal/baseimage"
	"fabric-builder-docker/internal/content"
	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/imagearchive"
	"fabric-builder-docker/internal/metadata"
)

// labelBase is the label of an image that adds nothing to a base image but this label: a knownBase as JSON in base64, since
// podman keeps the backslashes of a quoted value. The image is where builders find again what one of them has learned about
// the base image and the engine.
const labelBase = "fabric-builder-docker.base"

// A way is how an engine gets an image that adds a layer to a base image. What the engine answers decides, not its name.
type way string

const (
	wayUnknown way = ""       // not known in this build, which commits: the next one may know
	wayDocker  way = "docker" // it loads the layer in the form of docker save
	wayOCI     way = "oci"    // it loads the layer in an OCI layout
	wayCommit  way = "commit" // it loads neither: the layer is uploaded to a container, which is committed
)

// knownBase is what is known of a base image on an engine.
type knownBase struct {
	baseimage.Facts
	Way   way                  `json:"way"`
	Blobs []ocispec.Descriptor `json:"blobs,omitempty"` // its layers, for wayOCI
}

// baseLookup finds out what is known of a base image. It is shared by the jobs of a build, and closed at its end. It refers
// to the image by its ID: its name may mean another image by then.
type baseLookup struct {
	builder *Builder
	image   docker.Image
	target  string
	runs    bool             // chaincodes will run in images made of it
	facts   *baseimage.Facts // nil: not known yet

	ctx    context.Context // until close; a lookup outlives the call that began it
	cancel context.CancelFunc

	mu    sync.Mutex
	known *knownBase
	ended chan struct{} // closed when what was learned in the background is published; nil: nothing is
}

// newLookup returns a lookup for builds in images that a chaincode will run in.
func (b *Builder) newLookup(ctx context.Context, image docker.Image, target string) *baseLookup {
	ctx, cancel := context.WithCancel(ctx)
	return &baseLookup{builder: b, image: image, target: target, runs: true, ctx: ctx, cancel: cancel}
}

// get returns what is known. If nothing is recorded yet, it looks into the image and offers the engine a record to load, in
// one form and then in the other. An OCI layout names the blobs of the image: if their descriptions cannot be read, the way
// stays unknown while the engine exports most of the image in the background. If commits are recorded, it offers a
// record again in the background: the engine may have been updated, or its disk full.
func (l *baseLookup) get() (knownBase, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.known != nil {
		return *l.known, nil
	}
	if l.ctx.Err() != nil {
		return knownBase{}, context.Cause(l.ctx)
	}
	known, err := l.find()
	switch {
	case errors.Is(err, docker.ErrNoImage) || errors.Is(err, errUnreadable):
		known, err = l.findOut()
	case err == nil && known.Way == wayCommit && known.Link == "":
		l.inBackground(func() (knownBase, error) { return known.in(wayDocker), l.loadRecord(known.in(wayDocker)) })
	}
	if err != nil {
		return knownBase{}, err
	}
	l.known = &known
	return known, nil
}

// in returns what is known for an engine that goes another way.
func (k knownBase) in(other way) knownBase {
	k.Way = other
	return k
}

// inBackground publishes what find returns. An error only means that the next build tries again. The caller holds the lock.
func (l *baseLookup) inBackground(find func() (knownBase, error)) {
	ended := make(chan struct{})
	l.ended = ended
	go func() {
		defer close(ended)
		known, err := find()
		if err != nil {
			l.builder.Log.Debug("still not known how the engine loads images", "reason", err)
			return
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.known = &known
	}()
}

// wait waits until everything is known, at most that long.
func (l *baseLookup) wait(limit time.Duration) {
	if _, err := l.get(); err != nil {
		return
	}
	l.mu.Lock()
	ended := l.ended
	l.mu.Unlock()
	if ended == nil {
		return
	}
	select {
	case <-ended:
	case <-l.ctx.Done():
	case <-time.After(limit):
	}
}

// close ends the lookup, and waits until nothing of it is left on the engine.
func (l *baseLookup) close() {
	l.cancel()
	l.mu.Lock()
	ended := l.ended
	l.mu.Unlock()
	if ended != nil {
		<-ended
	}
}

// record returns the name of the image that records what is known.
func (l *baseLookup) record() string {
	digest := content.NewDigest()
	digest.Add("recipe", strconv.Itoa(recipe))
	addBase(digest, "base", l.image)
	digest.Add("target", l.target)
	digest.Add("runs", strconv.FormatBool(l.runs))
	return metadata.ImageName(l.builder.Prefix, "base", digest.Sum())
}

// errUnreadable is the error for a record that another version, or somebody else, has made.
var errUnreadable = errors.New("the record of the base image cannot be read")

// find reads the record. Its error wraps [docker.ErrNoImage] or errUnreadable if there is none to use.
func (l *baseLookup) find() (known knownBase, err error) {
	found, err := l.builder.Engine.Image(l.ctx, l.record())
	if err != nil {
		return knownBase{}, err
	}
	text, err := base64.StdEncoding.DecodeString(found.Labels[labelBase])
	if err == nil {
		err = json.Unmarshal(text, &known)
	}
	if err != nil {
		return knownBase{}, fmt.Errorf("%w: label %s of image %q: %w", errUnreadable, labelBase, l.record(), err)
	}
	return known, nil
}

// findOut finds out what is not recorded.
func (l *baseLookup) findOut() (known knownBase, err error) {
	if l.facts != nil {
		known.Facts = *l.facts
	} else if known.Facts, err = l.builder.images().Facts(l.ctx, l.image, l.target, l.runs); err != nil {
		return knownBase{}, err
	}
	if known.Link != "" {
		return known.in(wayCommit), l.commitRecord(known.in(wayCommit))
	}
	err = l.loadRecord(known.in(wayDocker))
	if err == nil || l.ctx.Err() != nil || docker.IsUnreachable(err) {
		return known.in(wayDocker), err
	}
	l.builder.Log.Debug("the engine loads no layer in the form of docker save", "reason", err)
	blobs, err := l.readBlobs()
	if err != nil {
		l.builder.Log.Debug("the engine has to export the base image", "reason", err)
		l.inBackground(func() (knownBase, error) { return l.learn(known) })
		return known, nil
	}
	layout := known.in(wayOCI)
	layout.Blobs = blobs
	if err := l.loadRecord(layout); err != nil {
		l.builder.Log.Debug("the engine loads no OCI layout: the next build tries again", "reason", err)
		return known, nil
	}
	return layout, nil
}

// readBlobs finds the blobs of the base image by its descriptions in the engine's store.
func (l *baseLookup) readBlobs() ([]ocispec.Descriptor, error) {
	ctx, cancel := context.WithTimeout(l.ctx, l.builder.Periods.Blobs)
	defer cancel()
	store := imagearchive.Store(func(blob digest.Digest, size int64) ([]byte, error) {
		return l.builder.Engine.Blob(ctx, blob.String(), size)
	})
	return store.FindBlobs(digest.Digest(l.image.ID), l.image.Layers)
}

// learn finds the blobs of the base image in an export, and loads a record in an OCI layout that refers to them. If the
// engine has no blobs, it records that images are committed.
func (l *baseLookup) learn(known knownBase) (knownBase, error) {
	blobs, err := l.exportBlobs()
	switch {
	case errors.Is(err, imagearchive.ErrNoBlobs):
		return known.in(wayCommit), l.commitRecord(known.in(wayCommit))
	case err != nil:
		return knownBase{}, err
	}
	known.Blobs = blobs
	return known.in(wayOCI), l.loadRecord(known.in(wayOCI))
}

// blobsOf returns the layers of a snapshot as blobs: as its label says or, if it was committed, as they have been learned
// since. It returns none if they are not known yet. The rest that is known is that of the runtime image.
func (l *baseLookup) blobsOf(runtime knownBase) (blobs []ocispec.Descriptor, err error) {
	if text, ok := l.image.Labels[labelBlobs]; ok {
		err = json.Unmarshal([]byte(text), &blobs)
		return blobs, err
	}
	l.facts = &runtime.Facts
	known, err := l.get()
	return known.Blobs, err
}

func (l *baseLookup) exportBlobs() ([]ocispec.Descriptor, error) {
	export, err := l.builder.Engine.Export(l.ctx, l.image.ID)
	if err != nil {
		return nil, err
	}
	defer export.Close()
	return imagearchive.FindBlobs(export, l.image.Layers)
}

// labels returns the labels of the record.
func (l *baseLookup) labels(known knownBase) (map[string]string, error) {
	text, err := json.Marshal(known)
	return map[string]string{
		metadata.LabelKind: metadata.KindBase, metadata.LabelVersion: l.builder.Version, labelBase: base64.StdEncoding.EncodeToString(text),
	}, err
}

// loadRecord loads the record in the way that it names, and checks that the engine really has it then.
func (l *baseLookup) loadRecord(known knownBase) error {
	labels, err := l.labels(known)
	if err != nil {
		return err
	}
	image := imagearchive.Image{Name: l.record(), Base: archiveBase(l.image, known.Blobs), Labels: labels}
	if _, err := l.builder.loadArchive(l.ctx, known.Way, image); err != nil {
		return err
	}
	found, err := l.find()
	if err == nil && found.Way != known.Way {
		err = fmt.Errorf("%w: the engine still has the record from before", errNotLoaded)
	}
	return err
}

// commitRecord makes the record on an engine that loads none.
func (l *baseLookup) commitRecord(known knownBase) error {
	labels, err := l.labels(known)
	if err != nil {
		return err
	}
	if err := l.forget(); err != nil { // one that cannot be read
		return err
	}
	return l.builder.images().WithContainer(l.ctx, l.image.ID, func(id string) error {
		return l.builder.commitAs(l.ctx, id, l.record(), instructions(labels, nil))
	})
}

// forget removes the record, so that the next build finds out again what has changed: the images may have moved to another
// store.
func (l *baseLookup) forget() error { return l.builder.Engine.Untag(l.ctx, l.record()) }

// archiveBase returns an image as the base of an image archive.
func archiveBase(image docker.Image, blobs []ocispec.Descriptor) imagearchive.Base {
	return imagearchive.Base{Platform: image.Platform, Config: image.Config, Layers: image.Layers, Blobs: blobs}
}
