// Package baseimages provides the images that chaincode is built in and runs
// in: Fabric's own where an engine has them or can pull them, and elsewhere
// stand-ins made of Debian's packages and the machine's Go and Node, with the
// same users, directories and scripts.
package baseimages

import (
	"context"
	"fmt"
	"io"
	"strings"

	"fabric-builder-docker/test/engine"
)

// Images are references to use as builder and runtime images.
type Images struct {
	Ccenv   string // Go chaincode is built in it
	Baseos  string // and runs on it
	Nodeenv string // Node chaincode is built in it and runs on it
	Javaenv string // Java chaincode is built in it and runs on it
}

// Env returns the images as variables of an environment.
func (i Images) Env() []string {
	return []string{
		"FBD_TEST_CCENV=" + i.Ccenv,
		"FBD_TEST_BASEOS=" + i.Baseos,
		"FBD_TEST_NODEENV=" + i.Nodeenv,
		"FBD_TEST_JAVAENV=" + i.Javaenv,
	}
}

// Options say where stand-ins are made and who is told what happens.
type Options struct {
	// WorkDir holds what stand-ins are made of while they are made.
	// Default: .work.
	WorkDir string
	// Log takes one line per step. Default: nobody.
	Log io.Writer
	// HTTPProxy is the proxy for Debian's packages. Default: none.
	HTTPProxy string
}

// Packages are the Debian packages that making stand-ins takes.
func Packages() []string { return []string{"debootstrap"} }

// images says which official image each field of Images wants and which
// recipe stands in for it.
var images = []struct {
	official, recipe string
	field            func(*Images) *string
}{
	{"hyperledger/fabric-ccenv:3.1", "ccenv", func(i *Images) *string { return &i.Ccenv }},
	{"hyperledger/fabric-baseos:3.1", "baseos", func(i *Images) *string { return &i.Baseos }},
	{"hyperledger/fabric-nodeenv:2.5", "nodeenv", func(i *Images) *string { return &i.Nodeenv }},
	{"hyperledger/fabric-javaenv:2.5", "javaenv", func(i *Images) *string { return &i.Javaenv }},
}

// Provided tells whether a reference names an image that Ensure provides.
func Provided(ref string) bool {
	for _, image := range images {
		if ref == image.official {
			return true
		}
	}
	return strings.HasPrefix(ref, repository)
}

// Ensure returns a usable image for every purpose: the official one when the
// engine has it, else a stand-in of an earlier call, else the official one
// when it can be pulled, else a new stand-in.
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
	m := &maker{client: client, opts: opts, system: look(ctx)}
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
