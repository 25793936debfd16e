// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"math/rand/v2"
)

// launchCases are the ways to start a chaincode, with TLS except for the barest.
func (b *bench) launchCases() []benchCase {
	return []benchCase{
		b.launchCase("Go launch", goSample, 15, asked{cost, 1}, true),
		b.launchCase("Node launch", nodeSample, 5, asked{gain, 1.6}, false),
		b.launchCase("Java launch", javaSample, 2, asked{}, false),
	}
}

// launchCase launches several times per round, each way in turn.
func (b *bench) launchCase(name string, of sample, times int, goal asked, more bool) benchCase {
	const section = "Launch, until REGISTERED"
	first := b.report.add(row{section: section, name: name, unit: seconds, way: builtIn, asked: goal})
	rows := []*row{first}
	wanted := map[string]*series{"": &first.ours, "builtin": first.beside}
	order := []string{"", "builtin"}
	if more {
		byHand := b.report.add(row{section: section, name: name + ", beside the docker command", unit: seconds,
			way: "docker create, cp, start", asked: asked{cost, 1.2}})
		bare := b.report.add(row{section: section, name: name + ", beside the least there is", unit: seconds,
			way: "create and start alone, no TLS", asked: asked{of: cost}})
		rows = append(rows, byHand, bare)
		wanted["byhand"], wanted["bare"] = byHand.beside, bare.beside
		order = append(order, "byhand", "bare")
	}
	var contenders []*contender
	return benchCase{name: name, rows: rows, measure: func(ctx context.Context, _ int) (err error) {
		if contenders == nil {
			if contenders, err = b.contenders(ctx, of, order, wanted); err != nil {
				return err
			}
		}
		for range times {
			// In any order: the engine may still be busy with the end of the one before, and none always follows the same.
			for _, k := range rand.Perm(len(contenders)) {
				if err := contenders[k].launch(ctx); err != nil {
					return err
				}
			}
		}
		for _, r := range rows[1:] { // the same launches of ours beside something else
			r.ours = first.ours
		}
		return nil
	}}
}

// contenders sets up all ways and launches each once, because the first launch of an image finds nothing in the page
// cache.
func (b *bench) contenders(ctx context.Context, of sample, order []string, wanted map[string]*series) ([]*contender, error) {
	if of == javaSample {
		if err := b.warmJava(ctx); err != nil {
			return nil, err
		}
	}
	pkg, err := b.sources.pack(of, b.sources.plain(of), "kv_1.0", "")
	if err != nil {
		return nil, err
	}
	var all []*contender
	for _, way := range order {
		image := "" // ours
		if way == "builtin" {
			if image, err = b.image(ctx, of); err != nil {
				return nil, err
			}
		}
		c, err := b.contender(ctx, of.dir+"-run-"+way, way, image, pkg, &series{})
		if err != nil {
			return nil, err
		}
		if err := c.launch(ctx); err != nil {
			return nil, err
		}
		c.figures = wanted[way]
		all = append(all, c)
	}
	return all, nil
}
