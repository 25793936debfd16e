// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"time"

	"fabric-builder-docker/test/peer"
)

// secondPeerCase installs a package on a second peer after another one has built it.
func (l *language) secondPeerCase(build, all *row) benchCase {
	return benchCase{name: "Go second peer", rows: []*row{build, all}, measure: func(ctx context.Context, round int) error {
		if err := l.ready(ctx, round); err != nil {
			return err
		}
		for range 3 {
			if err := l.installElsewhere(ctx, build, all); err != nil {
				return err
			}
		}
		return nil
	}}
}

func (l *language) installElsewhere(ctx context.Context, build, all *row) (err error) {
	dir, err := os.MkdirTemp(l.scratch, "peer")
	if err != nil {
		return err
	}
	journal := &peer.Journal{}
	p, err := peer.Start(ctx, peer.Options{BuilderPath: l.builder, Dir: dir, TLS: true, Log: journal.Log, Propagate: []string{"GOPROXY=" + goProxy()}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close(), os.RemoveAll(dir)) }()
	began := time.Now()
	if _, err := p.Install(ctx, l.first); err != nil {
		return fmt.Errorf("%w\n%s", err, journal)
	}
	all.ours.took(time.Since(began))
	for _, process := range p.Processes() {
		if process.Program() == "build" {
			build.ours.took(process.Lived())
		}
	}
	return nil
}

// twoPeersCase compares two peers that build the same new content at the same moment with one alone, and counts the
// builds.
func (l *language) twoPeersCase(name, section string, goal asked) benchCase {
	both := l.report.add(row{section: section, name: "two peers at the same moment, one line changed: both done", unit: seconds, way: "one alone", asked: goal})
	builds := l.report.add(row{section: section, name: "two peers at the same moment: builds", unit: count, asked: asked{value, 1}})
	return benchCase{name: name, rows: []*row{both, builds}, measure: func(ctx context.Context, round int) error {
		if err := l.ready(ctx, round); err != nil {
			return err
		}
		for i := range 3 { // they are quick, and close to each other
			if err := l.twoPeers(ctx, fmt.Sprintf("kv_1.%d%d", round+3, i), round, both, builds); err != nil {
				return err
			}
		}
		return nil
	}}
}

func (l *language) twoPeers(ctx context.Context, label string, round int, both, builds *row) error {
	pkg, err := l.new(l.dir, label, round)
	if err != nil {
		return err
	}
	took, err := l.ours(ctx, pkg)
	if err != nil {
		return err
	}
	both.beside.took(took)
	if pkg, err = l.new(l.dir, label, round); err != nil {
		return err
	}
	since := time.Now()
	if took, err = l.oursAtOnce(ctx, pkg, pkg); err != nil {
		return err
	}
	both.ours.took(took)
	made, err := l.builds(ctx, since, time.Now())
	builds.ours.add(float64(made))
	return err
}

// builds counts the builds in a period by the engine's events: builds started or images created, whichever are more. A
// build on a dependency snapshot starts no container.
func (b *bench) builds(ctx context.Context, since, until time.Time) (int, error) {
	query := url.Values{
		"since": {moment(since)}, "until": {moment(until)},
		"filters": {`{"type":["container"],"event":["start","commit"]}`},
	}
	raw, err := b.engine.Read(ctx, "/events?"+query.Encode())
	if err != nil {
		return 0, fmt.Errorf("reading the engine's events: %w", err)
	}
	return countBuilds(raw)
}

func moment(t time.Time) string { return fmt.Sprintf("%d.%09d", t.Unix(), t.Nanosecond()) }

func countBuilds(events []byte) (int, error) {
	started, committed := 0, 0
	for decoder := json.NewDecoder(bytes.NewReader(events)); ; {
		var event struct {
			Action string
			Actor  struct{ Attributes map[string]string }
		}
		if err := decoder.Decode(&event); errors.Is(err, io.EOF) {
			return max(started, committed), nil
		} else if err != nil {
			return 0, fmt.Errorf("reading the engine's events: %w", err)
		}
		name := event.Actor.Attributes["name"]
		switch {
		case event.Action == "start" && strings.HasPrefix(name, prefix+"-build-"):
			started++
		case event.Action == "commit" && strings.HasPrefix(name, prefix+"-"):
			committed++
		}
	}
}
