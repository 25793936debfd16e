// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"fmt"
	"os"
	"path/filepath"
)

// packageFile returns the path of an installed package.
func (p *Peer) packageFile(packageID string) string {
	return filepath.Join(p.packagesDir(), pathOf(packageID)+".tar.gz")
}

// idFile returns the path of the file with the package ID, which cannot be derived from a file name.
func (p *Peer) idFile(packageID string) string {
	return filepath.Join(p.packagesDir(), pathOf(packageID)+".id")
}

func (p *Peer) save(packageID string, raw []byte) error {
	if err := os.WriteFile(p.packageFile(packageID), raw, 0o600); err != nil {
		return fmt.Errorf("saving package: %w", err)
	}
	if err := os.WriteFile(p.idFile(packageID), []byte(packageID), 0o600); err != nil {
		return fmt.Errorf("saving package: %w", err)
	}
	return nil
}

func (p *Peer) load(packageID string) (*pkg, error) {
	raw, err := os.ReadFile(p.packageFile(packageID))
	if err != nil {
		return nil, fmt.Errorf("reading package: %w", err)
	}
	return parse(raw)
}

func (p *Peer) forget(packageID string) {
	_ = os.Remove(p.idFile(packageID))
	_ = os.Remove(p.packageFile(packageID))
}

// Installed returns the IDs of the packages installed by this peer, or by an earlier one on the same directory.
func (p *Peer) Installed() ([]string, error) {
	files, err := filepath.Glob(filepath.Join(p.packagesDir(), "*.id"))
	if err != nil {
		return nil, fmt.Errorf("listing packages: %w", err)
	}
	ids := make([]string, len(files))
	for i, file := range files {
		id, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("listing packages: %w", err)
		}
		ids[i] = string(id)
	}
	return ids, nil
}
