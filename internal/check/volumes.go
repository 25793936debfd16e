// SPDX-License-Identifier: Apache-2.0

package check

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"syscall"

	"fabric-builder-docker/internal/baseimage"
	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/host"
	"fabric-builder-docker/internal/imagebuild"
	"fabric-builder-docker/internal/inventory"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/platform"
)

// checkCaches checks the cache volumes of golang builds in the current builder image.
func (c *checker) checkCaches(ctx context.Context) {
	if !slices.Contains(c.settings.Builder.Types, "golang") {
		return
	}
	builder, err := c.engine.Image(ctx, c.settings.Chaincode.Builder)
	if err != nil {
		c.note("caches", "not checked: they belong to the builder image, which is not on the engine yet")
		return
	}
	library, err := platform.NewGoLibraryPlan(c.settings, c.environ)
	if err != nil {
		return // checkFiles has told it
	}
	volumes := imagebuild.CacheVolumes(c.settings.Builder.Prefix, library, builder)
	existing, err := c.engine.Volumes(ctx, metadata.LabelKind)
	if err != nil {
		c.note("caches", "not checked: %v", err)
		return
	}
	for _, target := range slices.Sorted(maps.Keys(volumes)) {
		name := volumes[target]
		if !slices.ContainsFunc(existing, func(v docker.Volume) bool { return v.Name == name }) {
			c.note("caches", "%s does not exist yet: the first golang build makes it and takes longer, or build --warm does", name)
			continue
		}
		c.checkCache(ctx, builder, name, target)
	}
}

// checkCache checks whether the builder image's user can use what is in a cache volume.
func (c *checker) checkCache(ctx context.Context, builder docker.Image, name, target string) {
	spec := c.spec(builder)
	spec.Volumes = map[string]string{target: name}
	var user metadata.UIDGID
	var foreign string
	err := c.withContainer(ctx, spec, func(id string) (err error) {
		if user, err = baseimage.ResolveUser(ctx, c.engine, id, builder); err == nil && user.UID != 0 {
			foreign, err = c.foreignEntry(ctx, id, target, user)
		}
		return err
	})
	switch {
	case gone(ctx, err):
	case err != nil:
		c.fail("caches", fmt.Sprintf("looking into %s: %v", name, err), "if it is damaged, remove it (docker volume rm "+name+"): the next build makes it again")
	case foreign != "":
		c.fail("caches", fmt.Sprintf("%s holds files that the builder image's user (uid %d) cannot write: %s", name, user.UID, foreign),
			"remove it (docker volume rm "+name+"): the next build makes it again")
	default:
		c.ok("caches", "%s exists, and the builder image's user (uid %d) can use it", name, user.UID)
	}
}

// maxEntries is how many entries of a cache are looked at. The directories of a Go cache come first.
const maxEntries = 300

// foreignEntry returns the first entry below the root of a volume that a user cannot write to, or an empty string. Each build
// makes the root itself writable for everybody.
func (c *checker) foreignEntry(ctx context.Context, id, target string, user metadata.UIDGID) (string, error) {
	archive, err := c.engine.Download(ctx, id, target)
	if err != nil {
		return "", err
	}
	defer archive.Close()
	entries := tar.NewReader(archive)
	for range maxEntries {
		header, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return "", nil
		}
		if err != nil {
			return "", err
		}
		isRoot := path.Clean(header.Name) == path.Base(target)
		if isRoot || header.Typeflag != tar.TypeDir || header.Uid == user.UID || header.Mode&0o002 != 0 {
			continue
		}
		if header.Gid == user.GID && header.Mode&0o020 != 0 {
			continue
		}
		return fmt.Sprintf("%s belongs to uid %d, mode %#o", header.Name, header.Uid, header.Mode&0o777), nil
	}
	return "", nil
}

// space is what is left of a file system.
type space struct {
	Free   uint64 `json:"free"` // bytes, for ordinary users
	Total  uint64 `json:"total"`
	Inodes uint64 `json:"inodes"`     // of all files that it can hold; 0: not limited
	Left   uint64 `json:"inodesFree"` // of these, how many are free
}

func freeSpace(path string) (space, error) {
	var found syscall.Statfs_t
	if err := syscall.Statfs(path, &found); err != nil {
		return space{}, err
	}
	size := uint64(found.Bsize)
	return space{Free: found.Bavail * size, Total: found.Blocks * size, Inodes: found.Files, Left: found.Ffree}, nil
}

// How much space should be free: a first golang build fills about a gigabyte.
const (
	fullBelow  = 500_000_000
	shortBelow = 5_000_000_000
)

// checkDisk looks at the engine's directory if that is on this machine. The API does not tell how much is free.
func (c *checker) checkDisk(ctx context.Context) {
	dir, err := c.engine.RootDir(ctx)
	if err != nil || dir == "" || c.place.container.Inside || !host.EngineIsLocal(ctx, c.settings.VM.Endpoint) {
		return
	}
	if found, err := c.place.free(dir); err == nil {
		c.showSpace(dir, found)
	}
}

func (c *checker) showSpace(where string, found space) {
	c.diskSeen = true
	const remedy = "free some: docker system df shows what uses it, build --prune what this builder no longer needs"
	shown := fmt.Sprintf("%s of %s are free in %s", inventory.Size(int64(found.Free)), inventory.Size(int64(found.Total)), where)
	switch {
	case found.Free < fullBelow:
		c.fail("disk", "the engine's disk is full: "+shown, remedy)
	case found.Inodes > 0 && found.Left < found.Inodes/100:
		c.fail("disk", fmt.Sprintf("the engine's disk can hold no more files: %d of %d inodes are free in %s", found.Left, found.Inodes, where), remedy)
	case found.Free < shortBelow:
		c.note("disk", "%s, which a few builds can use up", shown)
	default:
		c.ok("disk", "%s", shown)
	}
}
