package main

import "context"

// javaCases are the builds of Java packages, with Maven.
func (b *bench) javaCases() []benchCase {
	const section = "Build, Java with Maven"
	add := func(name string, goal asked) *row {
		return b.report.add(row{section: section, name: name, unit: seconds, way: builtIn, asked: goal})
	}
	l := b.language(javaSample, b.sources.plain(javaSample), "javakv")
	first := add("first install, no caches", asked{})
	again := b.report.add(row{section: section, name: "same package again", unit: seconds, way: builtIn, beside: first.beside, note: ofFirst})
	cases := []benchCase{
		l.firstCase("Java first", first),
		l.againCase("Java same package again", again),
		l.newCase("Java one line changed", "javakv_1.1", add("one line changed", asked{gain, 2.5}), as(l.dir)),
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
