// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"time"
)

// javaCases are the builds of Java packages, with Maven: a chaincode of one project, one of two modules, and a program of two
// modules that needs little more than Maven itself.
func (b *bench) javaCases() []benchCase {
	return slices.Concat(
		b.javaCasesOf(javaSample, "Java", "Build, Java with Maven", "javakv"),
		b.javaCasesOf(kvModulesSample, "Java chaincode of two modules", "Build, Java with Maven, a chaincode of two modules", "javakvmodules"),
		b.javaCasesOf(modulesSample, "Java modules", "Build, Java with Maven, a small program of two modules", "javamodules"))
}

func (b *bench) javaCasesOf(of sample, name, section, label string) []benchCase {
	add := func(name string, goal asked) *row {
		return b.report.add(row{section: section, name: name, unit: seconds, way: builtIn, asked: goal})
	}
	l := b.language(of, b.sources.plain(of), label)
	first := add("first install, no caches", asked{cost, 1.2})
	firstCPU := add("the same: CPU time", asked{cost, 1.2})
	size := b.report.add(row{section: section, name: "size of its snapshot", unit: megabytes})
	again := b.report.add(row{section: section, name: "same package again", unit: seconds, way: builtIn, beside: first.beside, note: ofFirst})
	changed := add("one line changed", asked{gain, 2.4})
	changedCPU := add("the same: CPU time", asked{})
	cases := []benchCase{
		{name: name + " first", rows: []*row{first, firstCPU, size}, measure: func(ctx context.Context, round int) error {
			if err := l.forget(ctx); err != nil {
				return err
			}
			if err := l.both(ctx, round, "_1.0", first, firstCPU); err != nil {
				return err
			}
			l.round = round + 1
			return b.snapshotSize(ctx, size)
		}},
		l.againCase(name+" same package again", again),
		{name: name + " one line changed", rows: []*row{changed, changedCPU}, measure: func(ctx context.Context, round int) error {
			if err := l.ready(ctx, round); err != nil {
				return err
			}
			return l.both(ctx, round, "_1.1", changed, changedCPU)
		}},
	}
	for i, c := range cases {
		cases[i].measure = func(ctx context.Context, round int) error {
			if err := b.warmJava(ctx); err != nil {
				return err
			}
			return c.measure(ctx, round)
		}
	}
	return cases
}

// both builds new content our way and the built-in's, and measures the time and the CPU time of each.
func (l *language) both(ctx context.Context, round int, version string, wall, cpu *row) error {
	for _, way := range []struct {
		build     func(context.Context, []byte) (time.Duration, error)
		wall, cpu *series
	}{{l.ours, &wall.ours, &cpu.ours}, {l.buildBuiltIn, wall.beside, cpu.beside}} {
		pkg, err := l.new(l.dir, l.name+version, round)
		if err != nil {
			return err
		}
		if version == "_1.0" && way.wall == &wall.ours {
			l.first = pkg
		}
		var took time.Duration
		used, err := l.cpuOf(ctx, func() (err error) { took, err = way.build(ctx, pkg); return err })
		if err != nil {
			return err
		}
		way.wall.took(took)
		way.cpu.add(used)
	}
	return nil
}

// snapshotSize measures what the snapshot adds to the base image.
func (b *bench) snapshotSize(ctx context.Context, r *row) error {
	var all []struct{ ID string }
	named := url.QueryEscape(fmt.Sprintf(`{"reference":[%q]}`, prefix+"/java-snapshot"))
	if err := b.engine.Get(ctx, "/images/json?filters="+named, &all); err != nil {
		return fmt.Errorf("listing snapshots: %w", err)
	}
	for _, image := range all {
		var layers []struct{ Size float64 }
		if err := b.engine.Get(ctx, "/images/"+image.ID+"/history", &layers); err != nil {
			return fmt.Errorf("reading the layers of a snapshot: %w", err)
		}
		r.ours.add(layers[0].Size / 1e6)
	}
	return nil
}
