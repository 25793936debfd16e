// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"
)

// buildBuiltIn builds a package the built-in's way and returns how long it took. It keeps the first image of each language
// for launches and removes the others.
func (b *bench) buildBuiltIn(ctx context.Context, pkg []byte) (time.Duration, error) {
	image, took, err := b.builtin.build(ctx, pkg)
	return took, errors.Join(err, b.settle(ctx, image))
}

// builtInAtOnce builds packages in parallel and returns how long it took until the last one was done.
func (b *bench) builtInAtOnce(ctx context.Context, pkgs ...[]byte) (time.Duration, error) {
	names, errs := make([]string, len(pkgs)), make([]error, len(pkgs))
	var group sync.WaitGroup
	began := time.Now()
	for i, pkg := range pkgs {
		group.Go(func() { names[i], _, errs[i] = b.builtin.build(ctx, pkg) })
	}
	group.Wait()
	took := time.Since(began)
	return took, errors.Join(errors.Join(errs...), b.settle(ctx, names...))
}

// settle removes what the built-in controller leaves behind: the containers of the image builds' steps, and the images.
// None of its builds may be running.
func (b *bench) settle(ctx context.Context, made ...string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	var left []listed
	filters := url.QueryEscape(fmt.Sprintf(`{"label":[%q],"status":["created"]}`, label+"=builtin"))
	if err := b.engine.Get(ctx, "/containers/json?all=1&filters="+filters, &left); err != nil {
		return fmt.Errorf("listing what the image build has left: %w", err)
	}
	var errs []error
	for _, c := range left {
		errs = append(errs, b.remove(ctx, c.ID))
	}
	for _, image := range made {
		if image != "" && !b.keep(image) {
			errs = append(errs, b.engine.Delete(ctx, "/images/"+image+"?force=1"))
		}
	}
	return errors.Join(errs...)
}

// keep reports whether an image is the first of its language, which is kept for the launches.
func (b *bench) keep(image string) bool {
	language := languageOf(image)
	if b.kept[language] == "" {
		b.kept[language] = image
	}
	return b.kept[language] == image
}

func languageOf(image string) string {
	language, _, _ := strings.Cut(strings.TrimPrefix(image, prefix+"-builtin-"), "-")
	return language
}

// image returns an image that was built the built-in's way.
func (b *bench) image(ctx context.Context, of sample) (string, error) {
	if image := b.kept[of.packageType]; image != "" {
		return image, nil
	}
	pkg, err := b.sources.pack(of, b.sources.plain(of), "kv_1.0", "")
	if err != nil {
		return "", err
	}
	if _, err := b.buildBuiltIn(ctx, pkg); err != nil {
		return "", err
	}
	return b.kept[of.packageType], nil
}
