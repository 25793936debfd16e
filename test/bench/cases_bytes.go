// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"path/filepath"

	"fabric-builder-docker/test/engine"
)

// bytesCases count the bytes between builder and engine, in both directions, for a build with one changed line. These
// builds are not timed, because the relay takes time.
func (b *bench) bytesCases() []benchCase {
	return []benchCase{
		b.bytesCase("Go bytes", "Go, one line changed", goSample, as(b.sources.plain(goSample))),
		b.bytesCase("Go vendored bytes", "Go, vendored, one line changed", goSample, b.sources.goVendored),
		b.bytesCase("Node bytes", "Node, one line changed", nodeSample, as(b.sources.plain(nodeSample))),
		b.bytesCase("Java bytes", "Java with Maven, one line changed", javaSample, as(b.sources.plain(javaSample))),
	}
}

func (b *bench) bytesCase(name, title string, of sample, source func(context.Context) (string, error)) benchCase {
	r := b.report.add(row{section: "Bytes between builder and engine", name: title, unit: megabytes, way: builtIn})
	return benchCase{name: name, once: true, rows: []*row{r}, measure: func(ctx context.Context, round int) error {
		if of == javaSample {
			if err := b.warmJava(ctx); err != nil {
				return err
			}
		}
		dir, err := source(ctx)
		if err != nil {
			return err
		}
		l := b.language(of, dir, "bytes")
		if err := l.warmUp(ctx, round); err != nil {
			return err
		}
		return l.countBoth(ctx, name, round, r)
	}}
}

// warmUp builds an earlier version, with the caches as they are.
func (l *language) warmUp(ctx context.Context, round int) error {
	pkg, err := l.new(l.dir, l.name+"_1.0", round)
	if err != nil {
		return err
	}
	_, err = l.ours(ctx, pkg)
	return err
}

func (l *language) countBoth(ctx context.Context, name string, round int, r *row) error {
	ours, err := l.counted(ctx, name+" ours", func(host string) error {
		builder, err := l.newBuilder(name+" relayed", prefix, host, nil)
		if err != nil {
			return err
		}
		pkg, err := l.new(l.dir, l.name+"_1.1", round)
		if err == nil {
			_, err = l.oursWith(ctx, builder, pkg)
		}
		return err
	})
	if err != nil {
		return err
	}
	theirs, err := l.counted(ctx, name+" built-in", func(host string) error { return l.relayedBuiltIn(ctx, host, round) })
	if err != nil {
		return err
	}
	r.ours.add(ours)
	r.beside.add(theirs)
	return nil
}

func (l *language) relayedBuiltIn(ctx context.Context, host string, round int) error {
	client, err := engine.NewClient(host)
	if err != nil {
		return err
	}
	pkg, err := l.new(l.dir, l.name+"_1.1", round)
	if err != nil {
		return err
	}
	relayed := &builtin{engine: client, host: host, images: l.builtin.images, proxy: l.builtin.proxy}
	image, _, err := relayed.build(ctx, pkg)
	if err != nil {
		return err
	}
	return l.settle(ctx, image)
}

// counted returns how many megabytes pass through a relay while do runs.
func (b *bench) counted(ctx context.Context, name string, do func(host string) error) (float64, error) {
	socket := filepath.Join(b.scratch, fmt.Sprintf("relay-%x", len(b.closers)+len(name)))
	r, err := startRelay(ctx, socket, b.host)
	if err != nil {
		return 0, err
	}
	err = do("unix://" + socket)
	if closeErr := r.close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return 0, fmt.Errorf("counting bytes (%s): %w", name, err)
	}
	return r.total() / 1e6, nil
}
