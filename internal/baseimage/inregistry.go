// SPDX-License-Identifier: Apache-2.0

package baseimage

import (
	"context"
	"fmt"

	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/registry"
)

// Registries asks registries through an engine.
type Registries interface {
	InRegistry(ctx context.Context, pull docker.Pull) (platforms []string, err error)
}

// Found is an image in a registry.
type Found struct {
	Platforms []string // os/architecture[/variant]; none: the registry does not say
	From      string   // the registry, and where the credentials come from; never a secret
}

// Find looks for an image in its registry, or on the mirror, as a pull would, but without one.
func (p Pulls) Find(ctx context.Context, engine Registries, image string) (Found, error) {
	from, _, err := p.sources(image)
	if err != nil {
		return Found{}, err
	}
	var failures []error
	for _, ref := range from {
		found, err := p.findAt(ctx, engine, ref)
		if err == nil {
			return found, nil
		}
		failures = append(failures, err)
	}
	return Found{}, joinErrors(failures)
}

func (p Pulls) findAt(ctx context.Context, engine Registries, ref string) (Found, error) {
	host, err := registry.Host(ref)
	if err != nil {
		return Found{}, err
	}
	found, credentialsErr := p.Credentials.Lookup(ctx, host)
	with := p.describe(found)
	if credentialsErr != nil {
		with = fmt.Sprintf("without credentials (%v)", credentialsErr)
	}
	platforms, err := engine.InRegistry(ctx, docker.Pull{Ref: ref, Credentials: docker.Credentials{
		User: found.User, Password: found.Password, IdentityToken: found.IdentityToken, Server: host,
	}})
	if err != nil {
		return Found{}, fmt.Errorf("asking registry %s %s: %w", host, with, err)
	}
	return Found{platforms, host + " " + with}, nil
}
