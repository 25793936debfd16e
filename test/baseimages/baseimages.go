// SPDX-License-Identifier: Apache-2.0

// Package baseimages provides the images that chaincode is built in and runs in. It uses Fabric's own where the engine
// has them or can pull them, and otherwise stand-ins built from Debian packages and the machine's Go and Node, with the
// same users, directories and scripts.
package baseimages

import (
	"context"
	"fmt"
	"io"
	"strings"

	"fabric-builder-docker/test/engine"
)

// Images are references of builder and runtime images.
type Images struct {
	Ccenv   string // builds Go chaincode
	Baseos  string // runs Go chaincode
	Nodeenv string // builds and runs Node chaincode
	Javaenv string // builds and runs Java chaincode
}

// Env returns the images as environment variables.
func (i Images) Env() []string {
	return []string{
		"FBD_TEST_CCENV=" + i.Ccenv,
		"FBD_TEST_BASEOS=" + i.Baseos,
		"FBD_TEST_NODEENV=" + i.Nodeenv,
		"FBD_TEST_JAVAENV=" + i.Javaenv,
	}
}

// Options configures Ensure.
type Options struct {
	// WorkDir holds temporary files for building stand-ins. Default: .work.
	WorkDir string
	// Log receives one line per step. Default: none.
	Log io.Writer
	// HTTPProxy is the proxy for Debian's packages. Default: none.
	HTTPProxy string
}

// Packages returns the Debian packages that building stand-ins needs.
func Packages() []string { return []string{"debootstrap"} }

// images lists the official image for each field of Images, and the recipe of its stand-in.
var images = []struct {
	official, recipe string
	field            func(*Images) *string
}{
	{"hyperledger/fabric-ccenv:3.1", "ccenv", func(i *Images) *string { return &i.Ccenv }},
	{"hyperledger/fabric-baseos:3.1", "baseos", func(i *Images) *string { return &i.Baseos }},
	{"hyperledger/fabric-nodeenv:2.5", "nodeenv", func(i *Images) *string { return &i.Nodeenv }},
	{"hyperledger/fabric-javaenv:2.5", "javaenv", func(i *Images) *string { return &i.Javaenv }},
}

// Provided reports whether a reference names an image that Ensure provides.
func Provided(ref string) bool {
	for _, image := range images {
		if ref == image.official {
			return true
		}
	}
	return strings.HasPrefix(ref, repository)
}

// Ensure returns an image for every purpose: the official image if the engine has it, or else an existing stand-in, or
// else the official image if it can be pulled, or else a new stand-in.
func Ensure(ctx context.Context, host string, opts Options) (Images, error) {
	client, err := engine.NewClient(host)
	if err != nil {
		return Images{}, err
	}
	if opts.Log == nil {
		opts.Log = io.Discard
	}
	if opts.WorkDir == "" {
		opts.WorkDir = ".work"
	}
	m := &maker{client: client, opts: opts, system: inspectSystem(ctx)}
	var found Images
	puller := newPuller(client, opts.Log)
	for _, image := range images {
		ref, err := ensure(ctx, m, puller, image.official, image.recipe)
		if err != nil {
			return Images{}, fmt.Errorf("providing %s: %w", image.official, err)
		}
		*image.field(&found) = ref
	}
	return found, nil
}

func ensure(ctx context.Context, m *maker, p *puller, official, recipe string) (string, error) {
	if has, err := inspect(ctx, m.client, official); err != nil || has != nil {
		return official, err
	}
	if current, err := m.current(ctx, recipe); err != nil || current {
		return reference(recipe), err
	}
	if p.pull(ctx, official) {
		return official, nil
	}
	return reference(recipe), m.make(ctx, recipe)
}
