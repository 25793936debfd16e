// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"fabric-builder-docker/test/ours"
	"fabric-builder-docker/test/peer"
)

func pack(args []string, stderr io.Writer) error {
	flags := newFlags("pack", stderr)
	var source peer.Source
	flags.StringVar(&source.Label, "label", "", "the package's label")
	flags.StringVar(&source.Type, "type", "golang", "golang, node or java")
	flags.StringVar(&source.Path, "path", "", "path in metadata.json")
	flags.StringVar(&source.CodeDir, "code", ".", "directory with the code")
	flags.StringVar(&source.MetaInf, "meta-inf", "", "directory that becomes META-INF (default META-INF in -code)")
	file, err := parseOne(flags, args)
	if err != nil {
		return err
	}
	out, err := os.Create(file)
	if err != nil {
		return fmt.Errorf("creating package: %w", err)
	}
	if err := peer.Pack(out, source); err != nil {
		return errors.Join(err, out.Close(), os.Remove(file))
	}
	if err := out.Close(); err != nil {
		return fmt.Errorf("writing package: %w", err)
	}
	return nil
}

func install(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := newFlags("install", stderr)
	options := peerFlags(flags, stderr)
	file, err := parseOne(flags, args)
	if err != nil {
		return err
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("reading package: %w", err)
	}
	return withPeer(ctx, *options, func(p *peer.Peer) error {
		id, err := p.Install(ctx, raw)
		if err != nil {
			return err
		}
		fmt.Fprintln(stdout, id)
		return nil
	})
}

func invoke(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := newFlags("invoke", stderr)
	options := peerFlags(flags, stderr)
	id := flags.String("id", "", "package ID (default the only one installed)")
	if err := flags.Parse(args); err != nil {
		return err
	}
	return withPeer(ctx, *options, func(p *peer.Peer) error {
		packageID, err := choose(p, *id)
		if err != nil {
			return err
		}
		launched, err := p.Launch(ctx, packageID)
		if err != nil {
			return err
		}
		fmt.Fprintf(stderr, "testpeer: registered after %v, ready after %v\n", launched.Registered, launched.Ready)
		response, err := p.Invoke(ctx, packageID, flags.Args()...)
		if err != nil {
			return err
		}
		if response.Status != 200 {
			return fmt.Errorf("invoking: status %d: %s", response.Status, response.Message)
		}
		fmt.Fprintf(stdout, "%s\n", response.Payload)
		return p.StopAll(ctx)
	})
}

// choose returns id if it is not empty, and otherwise the ID of the only installed package.
func choose(p *peer.Peer, id string) (string, error) {
	if id != "" {
		return id, nil
	}
	ids, err := p.Installed()
	if err != nil {
		return "", err
	}
	if len(ids) != 1 {
		return "", fmt.Errorf("choosing package: %d packages are installed (set -id)", len(ids))
	}
	return ids[0], nil
}

func withPeer(ctx context.Context, options peer.Options, do func(*peer.Peer) error) error {
	p, err := peer.Start(ctx, options)
	if err != nil {
		return err
	}
	return errors.Join(do(p), p.Close())
}

func newFlags(command string, stderr io.Writer) *flag.FlagSet {
	flags := flag.NewFlagSet("testpeer "+command, flag.ContinueOnError)
	flags.SetOutput(stderr)
	return flags
}

func parseOne(flags *flag.FlagSet, args []string) (string, error) {
	if err := flags.Parse(args); err != nil {
		return "", err
	}
	if flags.NArg() != 1 {
		return "", fmt.Errorf("reading arguments: expected one file, got %d", flags.NArg())
	}
	return flags.Arg(0), nil
}

// peerFlags defines the flags of the commands that start a peer.
func peerFlags(flags *flag.FlagSet, stderr io.Writer) *peer.Options {
	options := &peer.Options{Log: func(line peer.Line) { fmt.Fprintln(stderr, line) }}
	flags.StringVar(&options.BuilderPath, "builder", "", "directory that contains bin/detect, bin/build, bin/release and bin/run")
	flags.StringVar(&options.BuilderName, "name", "docker", "the builder's name")
	flags.StringVar(&options.Dir, "dir", "", "the peer's file system path")
	flags.BoolVar(&options.TLS, "tls", false, "use mutual TLS")
	flags.StringVar(&options.MSPID, "mspid", ours.MSPID, "the peer's MSP ID")
	flags.StringVar(&options.Listen, "listen", "127.0.0.1:0", "the chaincode address")
	flags.StringVar(&options.Host, "host", "", "name that chaincodes dial (default the host of -listen)")
	flags.DurationVar(&options.StartupTimeout, "startup-timeout", 0, "how long a launch may take (default 5m)")
	flags.Func("propagate", "a variable to propagate, NAME or NAME=VALUE; may be repeated", func(entry string) error {
		options.Propagate = append(options.Propagate, entry)
		return nil
	})
	flags.BoolFunc("settings", "take builder, addresses and file system path from core.yaml and CORE_ variables, as Fabric's peer does", func(string) error {
		settings, err := peer.FromSettings(os.Environ())
		settings.MSPID, settings.Log = options.MSPID, options.Log
		*options = settings
		return err
	})
	return options
}
