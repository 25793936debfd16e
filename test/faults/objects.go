// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"fabric-builder-docker/internal/metadata"
)

// container is a container in the engine's list.
type container struct {
	ID     string `json:"Id"`
	Names  []string
	State  string
	Labels map[string]string
}

// name returns the container's name without the slash.
func (c container) name() string {
	if len(c.Names) == 0 {
		return c.ID
	}
	return strings.TrimPrefix(c.Names[0], "/")
}

// containers returns the programs' containers of one kind, or of all kinds.
func (s *stage) containers(ctx context.Context, kinds ...string) ([]container, error) {
	var all []container
	filters := url.QueryEscape(fmt.Sprintf(`{"label":[%q]}`, metadata.LabelKind))
	if err := s.engine.Get(ctx, "/containers/json?all=1&filters="+filters, &all); err != nil {
		return nil, fmt.Errorf("listing containers: %w", err)
	}
	return slices.DeleteFunc(all, func(c container) bool {
		made := strings.HasPrefix(c.name(), prefix) || c.Labels[metadata.LabelMSPID] == mspID
		return !made || len(kinds) > 0 && !slices.Contains(kinds, c.Labels[metadata.LabelKind])
	}), nil
}

// unnamedImages returns the programs' images without a name, and their labels. Where an image with a name has the same ID, none is
// lost: containerd's image store makes a second, unnamed entry of an image that is loaded again, and removes it with the name.
func (s *stage) unnamedImages(ctx context.Context) (map[string]string, error) {
	all, err := s.images(ctx, "true")
	if err != nil {
		return nil, err
	}
	named, err := s.images(ctx, "false")
	if err != nil {
		return nil, err
	}
	for id := range named {
		delete(all, id)
	}
	return all, nil
}

// images returns the labels of the programs' images by ID, of those without a name or of the others.
func (s *stage) images(ctx context.Context, dangling string) (map[string]string, error) {
	var all []struct {
		ID     string `json:"Id"`
		Labels map[string]string
	}
	filters := url.QueryEscape(fmt.Sprintf(`{"dangling":[%q],"label":[%q]}`, dangling, metadata.LabelKind))
	if err := s.engine.Get(ctx, "/images/json?filters="+filters, &all); err != nil {
		return nil, fmt.Errorf("listing images: %w", err)
	}
	found := map[string]string{}
	for _, image := range all {
		found[image.ID] = fmt.Sprint(image.Labels)
	}
	return found, nil
}

// checkLeft counts containers of builds, and images without a name, that the scenario has left behind.
func (s *stage) checkLeft(ctx context.Context, t *tally, before map[string]string) error {
	left, err := s.containers(ctx, metadata.KindBuild, metadata.KindAssembly)
	if err != nil {
		return err
	}
	for _, c := range left {
		if !t.excused(c.ID) {
			t.fail(fmt.Sprintf("container %s (%s) is left", c.name(), c.State), nil)
		}
	}
	unnamed, err := s.unnamedImages(ctx)
	if err != nil {
		return err
	}
	for _, id := range slices.Sorted(maps.Keys(unnamed)) {
		if _, old := before[id]; !old {
			t.fail(fmt.Sprintf("image %s without a name is left, with %s", id, unnamed[id]), nil)
		}
	}
	return nil
}

// clean removes what the programs have created, but for the base images.
func (s *stage) clean(ctx context.Context) error {
	all, err := s.containers(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, c := range all {
		errs = append(errs, s.engine.Delete(ctx, "/containers/"+c.ID+"?force=1&v=1"))
	}
	return errors.Join(append(errs, s.removeImages(ctx, prefix+"/"), s.removeVolumes(ctx))...)
}

// removeImages removes the images whose names contain this text, which podman puts a registry before.
func (s *stage) removeImages(ctx context.Context, part string) error {
	var all []struct{ RepoTags []string }
	if err := s.engine.Get(ctx, "/images/json", &all); err != nil {
		return fmt.Errorf("listing images: %w", err)
	}
	var errs []error
	for _, image := range all {
		for _, name := range image.RepoTags {
			if strings.Contains(name, part) {
				errs = append(errs, s.engine.Delete(ctx, "/images/"+name+"?force=1"))
			}
		}
	}
	return errors.Join(errs...)
}

func (s *stage) removeVolumes(ctx context.Context) error {
	var all struct{ Volumes []struct{ Name string } }
	if err := s.engine.Get(ctx, "/volumes", &all); err != nil {
		return fmt.Errorf("listing volumes: %w", err)
	}
	var errs []error
	for _, volume := range all.Volumes {
		if strings.HasPrefix(volume.Name, prefix) {
			errs = append(errs, s.engine.Delete(ctx, "/volumes/"+url.PathEscape(volume.Name)+"?force=1"))
		}
	}
	return errors.Join(errs...)
}
