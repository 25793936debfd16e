// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"fabric-builder-docker/test/peer"
)

// language is a sample chaincode, and the line that its upgrade changes.
type language struct {
	packageType, name, directory string
	file, before, after          string
}

var languages = []language{
	{"golang", "Go", "go", "main.go", `"kv: starting"`, `"kv: starting version 1.1"`},
	{"node", "Node", "node", "lib/kv.js", "no value for key", "still no value for key"},
}

type demo struct {
	language
	samples, builder, scratch string
	verbose                   bool
}

func (d *demo) run(ctx context.Context) error {
	fmt.Printf("\n%s chaincode\n", d.name)
	first, err := d.pack("1.0", filepath.Join(d.samples, d.directory))
	if err != nil {
		return err
	}
	if err := d.onPeer(ctx, "first install", first, d.call); err != nil {
		return err
	}
	if err := d.onPeer(ctx, "the same package on a second peer", first, nil); err != nil {
		return err
	}
	upgrade, err := d.upgrade()
	if err != nil {
		return err
	}
	return d.onPeer(ctx, "an upgrade that changes one line", upgrade, d.call)
}

// onPeer installs a package on a new peer, prints how long each program ran, and then calls then.
func (d *demo) onPeer(ctx context.Context, title string, pkg []byte, then func(context.Context, *peer.Peer, string) error) (err error) {
	dir, err := os.MkdirTemp(d.scratch, "peer")
	if err != nil {
		return err
	}
	journal := &peer.Journal{}
	p, err := peer.Start(ctx, peer.Options{BuilderPath: d.builder, Dir: dir, TLS: true, Log: d.log(journal)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()

	fmt.Printf("  %s\n", title)
	id, err := p.Install(ctx, pkg)
	if err != nil {
		return fmt.Errorf("%w\n%s", err, journal)
	}
	for _, program := range p.Processes() {
		fmt.Printf("    %-28s %s\n", program.Program(), seconds(program.Lived()))
	}
	if then == nil {
		return nil
	}
	if err := then(ctx, p, id); err != nil {
		return fmt.Errorf("%w\n%s", err, journal)
	}
	return nil
}

// call starts the chaincode, writes a value, reads it back, and stops the chaincode.
func (d *demo) call(ctx context.Context, p *peer.Peer, id string) error {
	launched, err := p.Launch(ctx, id)
	if err != nil {
		return err
	}
	fmt.Printf("    %-28s %s\n", "run, until registered", seconds(launched.Registered))
	const key, value = "colour", "blue"
	if _, err := d.invoke(ctx, p, id, "put", key, value); err != nil {
		return err
	}
	got, err := d.invoke(ctx, p, id, "get", key)
	if err != nil {
		return err
	}
	if got != value {
		return fmt.Errorf("put wrote %q, but get returned %q", value, got)
	}
	began := time.Now()
	if err := p.Stop(ctx, id); err != nil {
		return err
	}
	fmt.Printf("    %-28s %s\n", "stop", seconds(time.Since(began)))
	return nil
}

func (d *demo) invoke(ctx context.Context, p *peer.Peer, id string, args ...string) (string, error) {
	began := time.Now()
	response, err := p.Invoke(ctx, id, args...)
	if err != nil {
		return "", err
	}
	if response.Status >= 400 {
		return "", fmt.Errorf("invoking %s: status %d: %s", args[0], response.Status, response.Message)
	}
	answer := ""
	if len(response.Payload) > 0 {
		answer = fmt.Sprintf(" -> %s", response.Payload)
	}
	fmt.Printf("    %-28s %s\n", strings.Join(args, " ")+answer, seconds(time.Since(began)))
	return string(response.Payload), nil
}

func (d *demo) pack(version, codeDir string) ([]byte, error) {
	var pkg bytes.Buffer
	err := peer.Pack(&pkg, peer.Source{Label: "kv_" + version, Path: ".", Type: d.packageType, CodeDir: codeDir})
	return pkg.Bytes(), err
}

// upgrade packs version 1.1, with another label and one changed line of code.
func (d *demo) upgrade() ([]byte, error) {
	dir, err := os.MkdirTemp(d.scratch, "upgrade")
	if err != nil {
		return nil, err
	}
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(d.samples, d.directory))); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, d.file)
	code, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if !bytes.Contains(code, []byte(d.before)) {
		return nil, fmt.Errorf("changing %s: no line contains %s", path, d.before)
	}
	code = bytes.Replace(code, []byte(d.before), []byte(d.after), 1)
	if err := os.WriteFile(path, code, 0o644); err != nil {
		return nil, err
	}
	return d.pack("1.1", dir)
}

func (d *demo) log(journal *peer.Journal) func(peer.Line) {
	if !d.verbose {
		return journal.Log
	}
	return func(line peer.Line) {
		journal.Log(line)
		fmt.Printf("      | %s\n", line)
	}
}

func seconds(d time.Duration) string { return fmt.Sprintf("%8.3f s", d.Seconds()) }
