// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
)

// language holds a sample's package in one round, which was installed first, with empty caches.
type language struct {
	*bench
	of    sample
	dir   string // the source
	name  string // of the chaincode, in labels
	round int    // that first belongs to, and 0 before the first one
	first []byte
}

func (b *bench) language(of sample, dir, name string) *language {
	return &language{bench: b, of: of, dir: dir, name: name}
}

// new returns a package with new content.
func (l *language) new(dir, label string, round int) ([]byte, error) {
	l.made++
	return l.sources.pack(l.of, dir, label, fmt.Sprintf("%s %d %d", l.salt, round, l.made))
}

// installFirst empties the caches and makes the first install of a round, like the case that measures it.
func (l *language) installFirst(ctx context.Context, round int, figures *series) error {
	if err := l.forget(ctx); err != nil {
		return err
	}
	pkg, err := l.new(l.dir, l.name+"_1.0", round)
	if err != nil {
		return err
	}
	took, err := l.ours(ctx, pkg)
	if err != nil {
		return err
	}
	figures.took(took)
	l.first, l.round = pkg, round+1
	return nil
}

// ready makes the first install of the round, unless it is done.
func (l *language) ready(ctx context.Context, round int) error {
	if l.round == round+1 {
		return nil
	}
	return l.installFirst(ctx, round, &series{})
}

// firstCase measures the first install with empty caches.
func (l *language) firstCase(name string, r *row) benchCase {
	return benchCase{name: name, rows: []*row{r}, measure: func(ctx context.Context, round int) error {
		if err := l.installFirst(ctx, round, &r.ours); err != nil {
			return err
		}
		pkg, err := l.new(l.dir, l.name+"_1.0", round)
		if err != nil {
			return err
		}
		return l.beside(ctx, pkg, r)
	}}
}

// newCase measures a new package, with the caches that the first install left. source returns the package's directory;
// an upgrade also has another label.
func (l *language) newCase(name, label string, r *row, source func(context.Context) (string, error)) benchCase {
	return benchCase{name: name, rows: []*row{r}, measure: func(ctx context.Context, round int) error {
		if err := l.ready(ctx, round); err != nil {
			return err
		}
		dir, err := source(ctx)
		if err != nil {
			return err
		}
		pkg, err := l.new(dir, fmt.Sprintf("%s.%d", label, round), round)
		if err != nil {
			return err
		}
		took, err := l.ours(ctx, pkg)
		if err != nil {
			return err
		}
		r.ours.took(took)
		if pkg, err = l.new(dir, fmt.Sprintf("%s.%d", label, round), round); err != nil {
			return err
		}
		return l.beside(ctx, pkg, r)
	}}
}

// againCase measures a package that is already built, several times a round because it is quick.
func (l *language) againCase(name string, r *row) benchCase {
	const times = 5
	return benchCase{name: name, rows: []*row{r}, measure: func(ctx context.Context, round int) error {
		if err := l.ready(ctx, round); err != nil {
			return err
		}
		for range times {
			took, err := l.ours(ctx, l.first)
			if err != nil {
				return err
			}
			r.ours.took(took)
		}
		return nil
	}}
}

// beside builds a package the built-in's way.
func (l *language) beside(ctx context.Context, pkg []byte, r *row) error {
	took, err := l.buildBuiltIn(ctx, pkg)
	if err != nil {
		return err
	}
	r.beside.took(took)
	return nil
}

// as returns a source that exists already.
func as(dir string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return dir, nil }
}
