// SPDX-License-Identifier: Apache-2.0

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

// policyFile is the program that Debian's maintainer scripts run before they start a service. Exit status 101 forbids
// it.
const policyFile = "/usr/sbin/policy-rc.d"

// installed reports whether the machine has everything an engine needs: the daemon, the init for containers, and
// iptables for the bridge network.
func installed() bool {
	for _, command := range []string{"dockerd", "docker-init", "iptables"} {
		if LookPath(command) == "" {
			return false
		}
	}
	return true
}

// checkInstallable returns an error that says what to do if this machine cannot install an engine.
func checkInstallable() error {
	const hint = "start one or set DOCKER_HOST (on Debian as root an engine is installed automatically; elsewhere install dockerd, docker-init and iptables)"
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

// install installs the engine's packages without starting their services, because the tests start a daemon themselves.
func install(ctx context.Context, p paths, log io.Writer, also []string) error {
	if err := os.MkdirAll(p.engine, 0o755); err != nil {
		return fmt.Errorf("creating the engine's directory: %w", err)
	}
	restore, err := forbidServices()
	if err != nil {
		return err
	}
	defer restore()
	return AptInstall(ctx, p.aptLog(), log, append([]string{"docker.io", "iptables", "tini"}, also...)...)
}

// InstallPrograms installs the missing programs from the Debian packages of the same names. Where it cannot install
// them it logs that and returns nil, and what needs them will fail.
func InstallPrograms(ctx context.Context, opts Options, names ...string) error {
	missing := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return LookPath(name) != "" })
	if len(missing) == 0 {
		return nil
	}
	what, log := strings.Join(missing, " "), writer(opts.Log)
	if LookPath("apt-get") == "" || !debian() || os.Geteuid() != 0 {
		fmt.Fprintf(log, "continuing without %s: it is installed automatically only on Debian as root\n", what)
		return nil
	}
	p, err := newPaths(opts.WorkDir)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(p.engine, 0o755); err != nil {
		return fmt.Errorf("creating the engine's directory: %w", err)
	}
	return Timed(log, "installing "+what, func() error { return AptInstall(ctx, p.aptLog(), log, missing...) })
}

// forbidServices keeps packages from starting their services until restore is called. If the machine already has a
// policy, it is left in place.
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

// AptInstall installs Debian packages without their recommendations. apt's output goes to logFile, and an error shows
// its end. A package source that cannot be reached is ignored if the packages come from another.
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
	// Without force-unsafe-io, most of the time goes into syncing files. A mirror may reset a connection, hence the
	// retries.
	options := []string{"-q", "-o", "DPkg::Lock::Timeout=120", "-o", "Dpkg::Options::=--force-unsafe-io", "-o", "Acquire::Retries=3"}
	return Command{Name: "apt-get", Args: append(options, args...), LogFile: logFile}.Run(ctx)
}
