// SPDX-License-Identifier: Apache-2.0

package docker

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/volume"
)

// ListedImage is an image as the list of images shows it.
type ListedImage struct {
	ID      string
	Names   []string // none: the image has lost its name
	Labels  map[string]string
	Size    int64     // with the layers that it shares with other images
	Created time.Time // zero for an image that was loaded from an archive of this project: its ID follows from the content
}

// Volume is a named volume.
type Volume struct {
	Name    string
	Labels  map[string]string
	Created time.Time // zero if the engine does not say
}

// Usage is how much disk space an engine says it uses, in bytes.
type Usage struct {
	Volumes    map[string]int64 // by name
	BuildCache int64            // of BuildKit
}

// Stats is what a container uses now.
type Stats struct {
	Memory uint64  // in bytes, without the page cache
	CPU    float64 // 1 is one CPU
}

// Images lists the images with a label, whatever its value.
func (e *Engine) Images(ctx context.Context, label string) ([]ListedImage, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	found, err := e.api.ImageList(ctx, image.ListOptions{Filters: filters.NewArgs(filters.Arg("label", label))})
	if err != nil {
		return nil, fmt.Errorf("listing images: %w", err)
	}
	var listed []ListedImage
	for _, summary := range found {
		if _, ok := summary.Labels[label]; !ok {
			continue
		}
		one := ListedImage{ID: summary.ID, Names: namesOf(summary.RepoTags, summary.RepoDigests), Labels: summary.Labels, Size: summary.Size}
		if summary.Created > 0 {
			one.Created = time.Unix(summary.Created, 0).UTC()
		}
		listed = append(listed, one)
	}
	return listed, nil
}

// namesOf returns the names of an image with a tag, or else those with a digest: an image that was pulled by its digest has no
// other.
func namesOf(tags, digests []string) []string {
	isNone := func(name string) bool { return strings.HasPrefix(name, "<none>") }
	if names := slices.DeleteFunc(slices.Clone(tags), isNone); len(names) > 0 {
		return names
	}
	return slices.DeleteFunc(slices.Clone(digests), isNone)
}

// Volumes lists the volumes with a label, whatever its value.
func (e *Engine) Volumes(ctx context.Context, label string) ([]Volume, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	found, err := e.api.VolumeList(ctx, volume.ListOptions{Filters: filters.NewArgs(filters.Arg("label", label))})
	if err != nil {
		return nil, fmt.Errorf("listing volumes: %w", err)
	}
	var listed []Volume
	for _, v := range found.Volumes {
		if _, ok := v.Labels[label]; ok {
			listed = append(listed, Volume{Name: v.Name, Labels: v.Labels, Created: parseTime(v.CreatedAt)})
		}
	}
	return listed, nil
}

// Usage asks for the disk space of volumes and of BuildKit's cache. Older engines measure all that they have for it.
func (e *Engine) Usage(ctx context.Context) (Usage, error) {
	ctx, cancel := context.WithTimeout(ctx, heavyTimeout)
	defer cancel()
	found, err := e.api.DiskUsage(ctx, types.DiskUsageOptions{Types: []types.DiskUsageObject{types.VolumeObject, types.BuildCacheObject}})
	if err != nil {
		return Usage{}, fmt.Errorf("asking for disk usage: %w", err)
	}
	usage := Usage{Volumes: map[string]int64{}}
	for _, v := range found.Volumes {
		if v.UsageData != nil && v.UsageData.Size >= 0 {
			usage.Volumes[v.Name] = v.UsageData.Size
		}
	}
	for _, record := range found.BuildCache {
		if !record.Shared {
			usage.BuildCache += record.Size
		}
	}
	return usage, nil
}

// Stats measures for a second what a running container uses.
func (e *Engine) Stats(ctx context.Context, id string) (Stats, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	answer, err := e.api.ContainerStats(ctx, id, false)
	if err != nil {
		return Stats{}, fmt.Errorf("measuring container %q: %w", id, e.noContainer(ctx, id, err))
	}
	defer answer.Body.Close()
	var now container.StatsResponse
	if err := json.NewDecoder(answer.Body).Decode(&now); err != nil {
		return Stats{}, fmt.Errorf("measuring container %q: reading the engine's answer: %w", id, err)
	}
	return statsOf(now), nil
}

// statsOf leaves out the page cache that the kernel can take back, as docker stats does. Its name depends on the version of
// cgroups.
func statsOf(now container.StatsResponse) Stats {
	stats := Stats{Memory: now.MemoryStats.Usage}
	for _, name := range []string{"total_inactive_file", "inactive_file"} {
		if cached, ok := now.MemoryStats.Stats[name]; ok {
			stats.Memory -= min(cached, stats.Memory)
			break
		}
	}
	used, took := now.CPUStats.CPUUsage.TotalUsage-now.PreCPUStats.CPUUsage.TotalUsage, now.Read.Sub(now.PreRead)
	if took > 0 && !now.PreRead.IsZero() && now.CPUStats.CPUUsage.TotalUsage >= now.PreCPUStats.CPUUsage.TotalUsage {
		stats.CPU = float64(used) / float64(took.Nanoseconds())
	}
	return stats
}

// IsInUse reports whether the engine has refused to remove something that is in use.
func IsInUse(err error) bool { return errdefs.IsConflict(err) }

// RemoveStopped removes a container with its anonymous volumes. The engine refuses it if the container is running. It is not
// an error if the container is gone.
func (e *Engine) RemoveStopped(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(ctx, heavyTimeout)
	defer cancel()
	err := e.api.ContainerRemove(ctx, id, container.RemoveOptions{RemoveVolumes: true})
	if err != nil && !errdefs.IsNotFound(err) {
		return fmt.Errorf("removing container %q: %w", id, err)
	}
	return nil
}

// RemoveVolume removes a volume. The engine refuses it if a container has the volume. It is not an error if it is gone.
func (e *Engine) RemoveVolume(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, heavyTimeout)
	defer cancel()
	if err := e.api.VolumeRemove(ctx, name, false); err != nil && !errdefs.IsNotFound(err) {
		return fmt.Errorf("removing volume %q: %w", name, err)
	}
	return nil
}
