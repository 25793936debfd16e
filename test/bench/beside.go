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

// besides builds a package the built-in's way and returns how long it took. The first image of each language is kept
// for launches; the others go.
func (b *bench) besides(ctx context.Context, pkg []byte) (time.Duration, error) {
	image, took, err := b.builtin.build(ctx, pkg)
	return took, errors.Join(err, b.settle(ctx, image))
}

// besidesAtOnce builds packages side by side and returns how long it took until the last one was done.
func (b *bench) besidesAtOnce(ctx context.Context, pkgs ...[]byte) (time.Duration, error) {
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

// settle removes what the built-in controller leaves behind, when none of its builds is under way: the containers of
// the image builds' steps, and the images.
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

// keep says whether an image is kept for the launches: the first one of its language is.
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

// image is one that was built the built-in's way.
func (b *bench) image(ctx context.Context, of sample) (string, error) {
	if image := b.kept[of.packageType]; image != "" {
		return image, nil
	}
	pkg, err := b.sources.pack(of, b.sources.plain(of), "kv_1.0", "")
	if err != nil {
		return "", err
	}
	if _, err := b.besides(ctx, pkg); err != nil {
		return "", err
	}
	return b.kept[of.packageType], nil
}
