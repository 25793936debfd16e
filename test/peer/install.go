// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

var (
	// ErrNotOurs is returned when detect did not accept the package. Fabric's peer would pass it to its built-in
	// controller.
	ErrNotOurs = errors.New("no external builder claims the package")
	// ErrInstalled is returned for a second install by the same peer.
	ErrInstalled = errors.New("chaincode already successfully installed")
)

// Install installs a package and returns its package ID, also with ErrInstalled and with a build error. When ctx is
// done Install returns, but the build continues and keeps the package's lock.
func (p *Peer) Install(ctx context.Context, raw []byte) (string, error) {
	parsed, err := parse(raw)
	if err != nil {
		return "", err
	}
	return p.installAs(ctx, PackageID(parsed.label, raw), raw)
}

// InstallLegacy installs a package under an ID of the 1.x lifecycle, which contains no hash. Fabric's peer creates such
// a package from its old format, with the type in upper case and the name as label.
func (p *Peer) InstallLegacy(ctx context.Context, name, version string, raw []byte) (string, error) {
	if _, err := parse(raw); err != nil {
		return "", err
	}
	return p.installAs(ctx, name+":"+version, raw)
}

func (p *Peer) installAs(ctx context.Context, packageID string, raw []byte) (string, error) {
	done := make(chan error, 1)
	go func() { done <- p.install(packageID, raw) }()
	select {
	case err := <-done:
		return packageID, err
	case <-ctx.Done():
		return packageID, fmt.Errorf("installing %s: %w", packageID, context.Cause(ctx))
	}
}

func (p *Peer) install(packageID string, raw []byte) error {
	if err := p.save(packageID, raw); err != nil {
		return err
	}
	unlock := p.builds.lock(packageID)
	defer unlock()

	status, known := p.builds.status(packageID)
	if known {
		<-status.done
		if status.err == nil {
			return fmt.Errorf("%w (package ID '%s')", ErrInstalled, packageID)
		}
		status = p.builds.reset(packageID)
	}
	status.finish(p.build(packageID))
	if status.err != nil {
		p.forget(packageID)
		return fmt.Errorf("could not build chaincode: %w", status.err)
	}
	return nil
}

// ensureBuilt builds an installed package, unless this peer has already built it or failed to.
func (p *Peer) ensureBuilt(packageID string) error {
	status, known := p.builds.status(packageID)
	if !known {
		status.finish(p.build(packageID))
	}
	<-status.done
	return status.err
}

// build creates an instance of a package. It uses the directory of an earlier build if there is one, whatever its
// state, but needs the package even then.
func (p *Peer) build(packageID string) error {
	parsed, err := p.load(packageID)
	if err != nil {
		return fmt.Errorf("failed to get chaincode package for external build: %w", err)
	}
	found, err := p.cachedBuild(packageID)
	if err != nil {
		return fmt.Errorf("external builder failed: existing build could not be restored: %w", err)
	}
	if !found {
		if err := p.runBuilder(packageID, parsed); err != nil {
			return fmt.Errorf("external builder failed: %w", err)
		}
	}
	p.mutex.Lock()
	p.instances[packageID] = &instance{packageID: packageID, build: p.Build(packageID)}
	p.mutex.Unlock()
	return nil
}

// runBuilder runs detect, build and release for a package and stores the results. If the copying fails, the directory
// stays, and Fabric's peer takes it for a complete build.
func (p *Peer) runBuilder(packageID string, parsed *pkg) error {
	scratch, err := p.unpack(packageID, parsed)
	if err != nil {
		return fmt.Errorf("could not create build context: %w", err)
	}
	defer os.RemoveAll(scratch.root)

	if err := p.execute(packageID, "detect", scratch.source, scratch.metadata); err != nil {
		return fmt.Errorf("%w: detect of builder '%s': %w", ErrNotOurs, p.opts.BuilderName, err)
	}
	if err := p.execute(packageID, "build", scratch.source, scratch.metadata, scratch.output); err != nil {
		return fmt.Errorf("external builder failed to build: external builder '%s' failed: %w", p.opts.BuilderName, err)
	}
	if err := p.release(packageID, scratch); err != nil {
		return fmt.Errorf("external builder failed to release: builder '%s' release failed: %w", p.opts.BuilderName, err)
	}
	return p.store(packageID, scratch)
}

func (p *Peer) release(packageID string, scratch *scratch) error {
	if _, err := exec.LookPath(p.program("release")); err != nil {
		return nil // Like Fabric's peer, skip a release that is not executable.
	}
	return p.execute(packageID, "release", scratch.output, scratch.release)
}

// scratch holds the directories of one install.
type scratch struct {
	root, source, metadata, output, release string
}

func (p *Peer) unpack(packageID string, parsed *pkg) (*scratch, error) {
	root, err := os.MkdirTemp(p.scratchDir(), "fabric-"+pathOf(packageID))
	if err != nil {
		return nil, fmt.Errorf("creating scratch directory: %w", err)
	}
	s := &scratch{
		root:     root,
		source:   filepath.Join(root, "src"),
		metadata: filepath.Join(root, "metadata"),
		output:   filepath.Join(root, "bld"),
		release:  filepath.Join(root, "release"),
	}
	if err := s.fill(parsed); err != nil {
		_ = os.RemoveAll(root)
		return nil, err
	}
	return s, nil
}

func (s *scratch) fill(parsed *pkg) error {
	for _, dir := range []string{s.source, s.metadata, s.output, s.release} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			return fmt.Errorf("creating scratch directory: %w", err)
		}
	}
	if err := untar(bytes.NewReader(parsed.code), s.source); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(s.metadata, metadataFile), parsed.metadata, 0o700); err != nil {
		return fmt.Errorf("writing %s: %w", metadataFile, err)
	}
	return nil
}
