// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"strings"

	"fabric-builder-docker/test/engine"
)

// object is a container, network, volume or image of an engine.
type object struct {
	kind   string
	id     string
	names  []string
	labels map[string]string
}

// allNames returns the names of an object. The ID of a volume is its name.
func (o object) allNames() []string {
	if o.kind == volume {
		return []string{o.id}
	}
	return o.names
}

func (o object) String() string {
	name := strings.Join(o.names, ", ")
	if name == "" {
		name = o.id
	}
	return o.kind + " " + name
}

// state holds all objects of an engine, by kind and ID.
type state map[string]object

func (s state) add(o object) { s[o.kind+" "+o.id] = o }

const (
	container = "container"
	network   = "network"
	volume    = "volume"
	image     = "image"
)

// listObjects returns the objects that an engine holds.
func listObjects(ctx context.Context, client *engine.Client) (state, error) {
	found := state{}
	for _, add := range []func(context.Context, *engine.Client, state) error{
		addContainers, addNetworks, addVolumes, addImages,
	} {
		if err := add(ctx, client, found); err != nil {
			return nil, fmt.Errorf("listing the engine's objects: %w", err)
		}
	}
	return found, nil
}

func addContainers(ctx context.Context, client *engine.Client, found state) error {
	var list []struct {
		ID     string `json:"Id"`
		Names  []string
		Labels map[string]string
	}
	if err := client.Get(ctx, "/containers/json?all=1", &list); err != nil {
		return err
	}
	for _, c := range list {
		found.add(object{kind: container, id: c.ID, names: c.Names, labels: c.Labels})
	}
	return nil
}

func addNetworks(ctx context.Context, client *engine.Client, found state) error {
	var list []struct {
		ID     string `json:"Id"`
		Name   string
		Labels map[string]string
	}
	if err := client.Get(ctx, "/networks", &list); err != nil {
		return err
	}
	for _, n := range list {
		found.add(object{kind: network, id: n.ID, names: []string{n.Name}, labels: n.Labels})
	}
	return nil
}

func addVolumes(ctx context.Context, client *engine.Client, found state) error {
	var list struct {
		Volumes []struct {
			Name   string
			Labels map[string]string
		}
	}
	if err := client.Get(ctx, "/volumes", &list); err != nil {
		return err
	}
	for _, v := range list.Volumes {
		found.add(object{kind: volume, id: v.Name, labels: v.Labels})
	}
	return nil
}

func addImages(ctx context.Context, client *engine.Client, found state) error {
	var list []struct {
		ID       string `json:"Id"`
		RepoTags []string
		Labels   map[string]string
	}
	if err := client.Get(ctx, "/images/json", &list); err != nil {
		return err
	}
	for _, i := range list {
		found.add(object{kind: image, id: i.ID, names: i.RepoTags, labels: i.Labels})
	}
	return nil
}

// sweep removes what an interrupted run left on withengine's own engine. It logs what it cannot remove.
func sweep(ctx context.Context, client *engine.Client, log io.Writer) error {
	found, err := listObjects(ctx, client)
	if err != nil {
		return err
	}
	for _, o := range leftovers(state{}, found, true) {
		fmt.Fprintf(log, "removing a leftover of an earlier run: %s\n", o)
		if err := client.Delete(ctx, removalPath(o)); err != nil {
			fmt.Fprintf(log, "removing %s: %v\n", o, err)
		}
	}
	return nil
}

// removalPath returns the path of the request that removes an object.
func removalPath(o object) string {
	id := url.PathEscape(o.id)
	switch o.kind {
	case container:
		return "/containers/" + id + "?force=1&v=1"
	case network:
		return "/networks/" + id
	case volume:
		return "/volumes/" + id
	default:
		return "/images/" + id + "?force=1"
	}
}
