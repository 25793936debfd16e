package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// policyFile is what Debian's maintainer scripts ask before they start a
// service: 101 means no.
const policyFile = "/usr/sbin/policy-rc.d"

// installed tells whether all is there that an engine takes: the daemon, the
// init that containers are started with, and what the bridge network needs.
func installed() bool {
	for _, command := range []string{"dockerd", "docker-init", "iptables"} {
		if LookPath(command) == "" {
			return false
		}
	}
	return true
}

// checkInstallable says in one line what to do where nothing can be installed.
func checkInstallable() error {
	const hint = "start one or set DOCKER_HOST to it (on Debian as root it is installed by itself; else install dockerd, docker-init and iptables)"
	if LookPath("apt-get") == "" || !debian() {
		return errors.New("finding an engine: none is reachable and this is not Debian: " + hint)
	}
	if os.Geteuid() != 0 {
		return errors.New("finding an engine: none is reachable and this is not root: " + hint)
	}
	return nil
}

func debian() bool {
	_, err := os.Stat("/etc/debian_version")
	return err == nil
}

// install installs the packages without letting their own service start: the
// engine for the tests must not be anybody else's.
func install(ctx context.Context, p paths, log io.Writer, also []string) error {
	if err := os.MkdirAll(p.engine, 0o755); err != nil {
		return fmt.Errorf("making the engine's directory: %w", err)
	}
	restore, err := forbidServices()
	if err != nil {
		return err
	}
	defer restore()
	return AptInstall(ctx, p.aptLog(), log, append([]string{"docker.io", "iptables", "tini"}, also...)...)
}

// InstallPrograms installs the Debian packages of programs that the machine
// lacks, each named as its program. Where nothing can be installed it says
// so, and whoever needs them will fail.
func InstallPrograms(ctx context.Context, opts Options, names ...string) error {
	missing := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return LookPath(name) != "" })
	if len(missing) == 0 {
		return nil
	}
	what, log := strings.Join(missing, " "), writer(opts.Log)
	if LookPath("apt-get") == "" || !debian() || os.Geteuid() != 0 {
		fmt.Fprintf(log, "continuing without %s: only on Debian as root it is installed by itself\n", what)
		return nil
	}
	p, err := newPaths(opts.WorkDir)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(p.engine, 0o755); err != nil {
		return fmt.Errorf("making the engine's directory: %w", err)
	}
	return Timed(log, "installing "+what, func() error { return AptInstall(ctx, p.aptLog(), log, missing...) })
}

// forbidServices keeps packages from starting their services until restore is
// called. A machine with a policy of its own keeps it.
func forbidServices() (restore func(), err error) {
	file, err := os.OpenFile(policyFile, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if errors.Is(err, os.ErrExist) {
		return func() {}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("keeping services from starting: %w", err)
	}
	defer file.Close()
	if _, err := file.WriteString("#!/bin/sh\nexit 101\n"); err != nil {
		_ = os.Remove(policyFile)
		return nil, fmt.Errorf("keeping services from starting: %w", err)
	}
	return func() { _ = os.Remove(policyFile) }, nil
}

// AptInstall installs Debian packages without recommendations. What apt says
// goes to logFile, whose end an error shows. One source that cannot be
// reached does not matter as long as the packages come from another.
func AptInstall(ctx context.Context, logFile string, log io.Writer, packages ...string) error {
	if err := apt(ctx, logFile, "update"); err != nil {
		fmt.Fprintf(log, "continuing with the known package lists: %s\n", firstLine(err))
	}
	args := append([]string{"install", "--yes", "--no-install-recommends"}, packages...)
	if err := apt(ctx, logFile, args...); err != nil {
		return fmt.Errorf("installing %s: %w", strings.Join(packages, " "), err)
	}
	return nil
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

func apt(ctx context.Context, logFile string, args ...string) error {
	// Syncing every file of a package that can be installed again is what
	// takes most of the time. A mirror may reset a connection.
	options := []string{"-q", "-o", "DPkg::Lock::Timeout=120", "-o", "Dpkg::Options::=--force-unsafe-io", "-o", "Acquire::Retries=3"}
	return Command{Name: "apt-get", Args: append(options, args...), LogFile: logFile}.Run(ctx)
}
