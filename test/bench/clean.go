// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// forget removes all images and caches of our way, as if it had never been used on this engine. What the launches use
// has another prefix and stays.
func (b *bench) forget(ctx context.Context) error {
	return errors.Join(
		b.removeContainers(ctx, func(c listed) bool {
			return c.begins("/"+prefix+"-build-", "/"+prefix+"-assembly-", "/"+prefix+"-cache")
		}),
		b.removeImages(ctx, prefix+"/"),
		b.removeVolumes(ctx, prefix+"-cache"),
	)
}

// clean removes everything that any benchmark has created.
func (b *bench) clean(ctx context.Context) error {
	return errors.Join(
		b.removeContainers(ctx, func(c listed) bool {
			return c.begins("/"+prefix) || c.Labels[label] != "" || strings.HasPrefix(c.Image, prefix)
		}),
		b.removeImages(ctx, prefix),
		b.removeVolumes(ctx, prefix),
	)
}

// listed is a container in the engine's list.
type listed struct {
	ID     string `json:"Id"`
	Names  []string
	Image  string
	Labels map[string]string
}

func (c listed) begins(prefixes ...string) bool {
	return slices.ContainsFunc(c.Names, func(name string) bool {
		return slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
	})
}

func (b *bench) removeContainers(ctx context.Context, which func(listed) bool) error {
	var all []listed
	if err := b.engine.Get(ctx, "/containers/json?all=1", &all); err != nil {
		return fmt.Errorf("listing containers: %w", err)
	}
	var errs []error
	for _, c := range all {
		if which(c) {
			errs = append(errs, b.remove(ctx, c.ID))
		}
	}
	return errors.Join(errs...)
}

// removeImages removes the images whose names have this prefix. The newest come first in the list and are removed first,
// because they may be based on older ones.
func (b *bench) removeImages(ctx context.Context, begins string) error {
	var all []struct{ RepoTags []string }
	if err := b.engine.Get(ctx, "/images/json", &all); err != nil {
		return fmt.Errorf("listing images: %w", err)
	}
	var errs []error
	for _, image := range all {
		for _, name := range image.RepoTags {
			if strings.HasPrefix(name, begins) {
				errs = append(errs, b.engine.Delete(ctx, "/images/"+name+"?force=1"))
			}
		}
	}
	return errors.Join(errs...)
}

func (b *bench) removeVolumes(ctx context.Context, begins string) error {
	var all struct{ Volumes []struct{ Name string } }
	if err := b.engine.Get(ctx, "/volumes", &all); err != nil {
		return fmt.Errorf("listing volumes: %w", err)
	}
	var errs []error
	for _, volume := range all.Volumes {
		if strings.HasPrefix(volume.Name, begins) {
			errs = append(errs, b.engine.Delete(ctx, "/volumes/"+url.PathEscape(volume.Name)+"?force=1"))
		}
	}
	return errors.Join(errs...)
}
