// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// ofFirst is the note on a comparison with the first install, for builds that need a cache, which the built-in lacks.
const ofFirst = "its first install: it keeps no cache"

// goCases are the builds of Go packages.
func (b *bench) goCases() []benchCase {
	const section = "Build, Go"
	add := func(name string, goal asked) *row {
		return b.report.add(row{section: section, name: name, unit: seconds, way: builtIn, asked: goal})
	}
	first := add("first install, no caches", asked{gain, 1.2})
	borrow := func(name string, goal asked) *row {
		return b.report.add(row{section: section, name: name, unit: seconds, way: builtIn, asked: goal, beside: first.beside, note: ofFirst})
	}
	l := b.language(goSample, b.sources.plain(goSample), "kv")
	other := func(context.Context) (string, error) { return b.sources.goOther() }
	return append([]benchCase{
		l.firstCase("Go first", first),
		l.againCase("Go same package again", borrow("same package again", asked{gain, 250})),
		l.secondPeerCase(borrow("second peer on the engine: build", asked{gain, 250}), borrow("the same, and detect, release and copying", asked{})),
		l.newCase("Go one line changed", "kv_1.1", add("one line changed", asked{gain, 25}), as(l.dir)),
		l.newCase("Go dependency added", "kv_1.2", add("a dependency added", asked{}), b.sources.goWithDependency),
		l.newCase("Go another chaincode", "other_1.0", add("another chaincode, same dependencies", asked{gain, 20}), other),
		l.twoPeersCase("Go two peers", section, asked{cost, 1.1}),
		b.tenCase(l, add("ten chaincodes at once", asked{})),
		b.warmCase(b.report.add(row{section: section, name: "build --warm with one package", unit: seconds}),
			borrow("first install after build --warm", asked{gain, 8})),
	}, b.vendoredCases(add("vendored: first install, no caches", asked{}), add("vendored: one line changed", asked{}))...)
}

func (b *bench) vendoredCases(first, changed *row) []benchCase {
	l := b.language(goSample, "", "vendored")
	source := func(ctx context.Context) (dir string, err error) {
		l.dir, err = b.sources.goVendored(ctx)
		return l.dir, err
	}
	cases := []benchCase{
		l.firstCase("Go vendored first", first),
		l.newCase("Go vendored one line changed", "vendored_1.1", changed, source),
	}
	for i, c := range cases { // the source is there before anything else
		cases[i].measure = func(ctx context.Context, round int) error {
			if _, err := source(ctx); err != nil {
				return err
			}
			return c.measure(ctx, round)
		}
	}
	return cases
}

// tenCase builds ten chaincodes at once with warm caches. The built-in takes minutes, so it is measured only once.
func (b *bench) tenCase(l *language, r *row) benchCase {
	r.note = "in one round"
	return benchCase{name: "Go ten at once", rows: []*row{r}, measure: func(ctx context.Context, round int) error {
		if err := l.ready(ctx, round); err != nil {
			return err
		}
		ours, err := l.ten(round)
		if err != nil {
			return err
		}
		took, err := b.oursAtOnce(ctx, ours...)
		if err != nil {
			return err
		}
		r.ours.took(took)
		if round > 0 {
			return nil
		}
		theirs, err := l.ten(round)
		if err != nil {
			return err
		}
		if took, err = b.builtInAtOnce(ctx, theirs...); err != nil {
			return err
		}
		r.beside.took(took)
		return nil
	}}
}

func (l *language) ten(round int) ([][]byte, error) {
	var pkgs [][]byte
	for i := range 10 {
		pkg, err := l.new(l.dir, fmt.Sprintf("kv%d_1.0", i), round)
		if err != nil {
			return nil, err
		}
		pkgs = append(pkgs, pkg)
	}
	return pkgs, nil
}

// warmCase fills empty caches with a package, and builds another version of it.
func (b *bench) warmCase(warming, after *row) benchCase {
	l := b.language(goSample, b.sources.plain(goSample), "kv")
	return benchCase{name: "Go after warming", rows: []*row{warming, after}, measure: func(ctx context.Context, round int) error {
		if err := b.forget(ctx); err != nil {
			return err
		}
		took, err := l.warm(ctx)
		if err != nil {
			return err
		}
		warming.ours.took(took)
		pkg, err := l.new(l.dir, "kv_1.1", round)
		if err != nil {
			return err
		}
		if took, err = b.ours(ctx, pkg); err != nil {
			return err
		}
		after.ours.took(took)
		return nil
	}}
}

// warm calls build --warm with the package as the peer's CLI writes it.
func (l *language) warm(ctx context.Context) (time.Duration, error) {
	pkg, err := l.sources.pack(l.of, l.dir, "kv_1.0", "")
	if err != nil {
		return 0, err
	}
	file := filepath.Join(l.scratch, "kv_1.0.tgz")
	if err := os.WriteFile(file, pkg, 0o600); err != nil {
		return 0, fmt.Errorf("writing a package: %w", err)
	}
	cmd, said := buildCommand(ctx, l.builder, "--warm", file)
	began := time.Now()
	if err := cmd.Run(); err != nil {
		return 0, fmt.Errorf("warming the caches: %w\n%s", err, said)
	}
	return time.Since(began), nil
}
