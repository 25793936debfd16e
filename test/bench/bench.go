// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"fabric-builder-docker/test/engine"
	"fabric-builder-docker/test/ours"
)

// prefix is the prefix of the name of everything that the benchmark creates on the engine, so that it does not affect
// other images and caches.
const prefix = ours.BenchPrefix

// label marks what the other ways create, with the way as its value.
const label = prefix

// images holds the base images.
type images struct{ ccenv, baseos, nodeenv, javaenv string }

// bench holds what all cases share.
type bench struct {
	opts    options
	host    string
	engine  *engine.Client
	images  images
	scratch string
	builder string // as chaincode.externalBuilders names it: bin/ and config.yaml
	salt    string // of this run: it makes new content new
	made    int    // packages with new content
	strict  bool   // the engine takes the built-in's swappiness and OOM settings
	report  report
	sources sources
	builtin *builtin
	closers []func() error
	warmed  string            // the Java image that both ways use; empty until it is needed
	kept    map[string]string // language -> image that was built the built-in's way
}

func newBench(ctx context.Context, opts options) (*bench, error) {
	b := &bench{opts: opts, salt: strings.ToLower(rand.Text()[:10]), kept: map[string]string{}}
	for name, value := range map[string]*string{
		"DOCKER_HOST": &b.host, "FBD_TEST_CCENV": &b.images.ccenv, "FBD_TEST_BASEOS": &b.images.baseos,
		"FBD_TEST_NODEENV": &b.images.nodeenv, "FBD_TEST_JAVAENV": &b.images.javaenv,
	} {
		if *value = os.Getenv(name); *value == "" {
			return nil, fmt.Errorf("reading the environment: %s is not set; \"make bench\" brings an engine and sets it", name)
		}
	}
	var err error
	if b.engine, err = engine.NewClient(b.host); err != nil {
		return nil, err
	}
	if b.scratch, err = os.MkdirTemp("", "bench"); err != nil {
		return nil, err
	}
	if err := b.prepare(ctx); err != nil {
		return nil, errors.Join(err, b.close(ctx))
	}
	return b, nil
}

// prepare removes what an earlier benchmark left on the engine.
func (b *bench) prepare(ctx context.Context) error {
	if err := b.clean(ctx); err != nil {
		return err
	}
	b.sources = sources{dir: filepath.Join(b.scratch, "sources")}
	b.builtin = &builtin{engine: b.engine, host: b.host, images: b.images, proxy: goProxy()}
	b.strict = b.takesOldSettings(ctx)
	err := os.CopyFS(b.programs(), os.DirFS("bin"))
	if err != nil {
		return fmt.Errorf("copying the programs: %w", err)
	}
	b.builder, err = b.newBuilder("ours", prefix, b.host, nil)
	return err
}

// cleanupTimeout bounds the cleanup, which also happens after a signal.
const cleanupTimeout = 5 * time.Minute

func (b *bench) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
	defer cancel()
	var errs []error
	for i := len(b.closers) - 1; i >= 0; i-- {
		errs = append(errs, b.closers[i]())
	}
	return errors.Join(append(errs, b.clean(ctx), os.RemoveAll(b.scratch))...)
}

// goProxy returns where modules come from, as for the built-in controller: the peer's GOPROXY, or the public proxy.
func goProxy() string {
	if proxy := os.Getenv("GOPROXY"); proxy != "" {
		return proxy
	}
	return "https://proxy.golang.org"
}

// takesOldSettings reports whether the engine accepts the settings that the built-in always sends. Some engines refuse
// them.
func (b *bench) takesOldSettings(ctx context.Context) bool {
	_, err := b.runIn(ctx, b.images.baseos, "true", map[string]any{"MemorySwappiness": 0, "OomKillDisable": false})
	return err == nil
}
