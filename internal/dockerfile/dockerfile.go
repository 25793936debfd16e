// SPDX-License-Identifier: Apache-2.0

// Package dockerfile finds out which images the build of a Dockerfile uses, and which frontend the file asks for. It uses no
// container engine.
//
// It finds too much rather than too little, since what is found is what a package may not use: the versions of BuildKit, and
// podman, differ in what they make of a Dockerfile, and an image that any of them would use must be among the names. What
// engines may read in different ways is an error. All else is for the engine to decide, so unknown instructions and flags are
// no error. Tests compare this package with BuildKit's own parser, which no program links: it needs two megabytes of code.
package dockerfile

import (
	"fmt"
	"slices"

	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

// Options describe the engine that builds the Dockerfile.
type Options struct {
	Args     []string // build arguments, NAME=VALUE
	Platform string   // of the engine, os/architecture; empty: unknown
	Podman   bool     // whether podman builds it, which expands variables in more places
}

// Uses is what a Dockerfile uses.
type Uses struct {
	Images []string // that the build needs, in the order in which the file names them
	Names  []string // all that may mean an image, including those of Images, of stages, and of stages that are not built
	Mounts bool     // a step may have a bind or cache mount
	Remote string   // a source of ADD that the engine may download; empty: none
}

// Read returns what a Dockerfile uses.
func Read(text []byte, options Options) (Uses, error) {
	uses, err := read(text, options, false, newArguments(options, true, true))
	if err != nil {
		return Uses{}, err
	}
	worlds := []arguments{newArguments(options, true, true), newArguments(options, true, false), newArguments(options, false, false)}
	for _, noHeredocs := range []bool{false, true} { // Docker 20.10 and podman 4 take the lines of a heredoc for instructions
		for _, args := range worlds {
			other, err := read(text, options, noHeredocs, args)
			if err != nil && noHeredocs && options.Podman {
				return Uses{}, fmt.Errorf("reading it without heredocs, as older versions of podman do: %w", err)
			}
			uses.add(Uses{Names: other.Names, Mounts: other.Mounts, Remote: other.Remote}) // after an error: those before it
		}
	}
	return uses, nil
}

// ReadTriggers returns what the ONBUILD instructions of a base image use.
func ReadTriggers(triggers []string, options Options) (Uses, error) {
	var all Uses
	for _, trigger := range triggers {
		uses, err := Read([]byte("FROM scratch\n"+trigger+"\n"), options)
		if err != nil {
			return Uses{}, fmt.Errorf("reading ONBUILD %s: %w", trigger, err)
		}
		all.add(uses)
	}
	return all, nil
}

func (u *Uses) add(other Uses) {
	u.Images = appendNew(u.Images, other.Images...)
	u.Names = appendNew(u.Names, other.Names...)
	u.Mounts = u.Mounts || other.Mounts
	if u.Remote == "" {
		u.Remote = other.Remote
	}
}

func appendNew(list []string, names ...string) []string {
	for _, name := range names {
		if !slices.Contains(list, name) {
			list = append(list, name)
		}
	}
	return list
}

// read reads the instructions. After an error, it returns what it has found before.
func read(text []byte, options Options, noHeredocs bool, args arguments) (Uses, error) {
	p, err := newParser(text, noHeredocs)
	if err != nil {
		return Uses{}, err
	}
	r := reader{parser: p, podman: options.Podman, words: shell.NewLex(rune(p.escape)), args: args}
	var first error
	for {
		found, err := p.next()
		if found != nil && err == nil {
			err = r.add(found)
			if err != nil {
				err = fmt.Errorf("line %d: %w", found.line, err)
			}
		}
		if first == nil {
			first = err
		}
		if found == nil {
			return r.uses(), first
		}
	}
}
