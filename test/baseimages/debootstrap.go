// SPDX-License-Identifier: Apache-2.0

package baseimages

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"fabric-builder-docker/test/engine"
)

// debootstrap installs Debian's minimal system below root, and adds the machine's certificates.
func (m *maker) debootstrap(ctx context.Context, root, log string) error {
	args := []string{"--variant=minbase", m.system.codename, root}
	if uri := mirror(ctx, m.system.codename); uri != "" {
		args = append(args, uri)
	}
	if err := (engine.Command{Name: "debootstrap", Args: args, LogFile: log}).Run(ctx); err != nil {
		return err
	}
	bundle, err := os.ReadFile(caBundle)
	if err != nil {
		return fmt.Errorf("reading the machine's certificates: %w", err)
	}
	target := filepath.Join(root, caBundle)
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return fmt.Errorf("adding the machine's certificates: %w", err)
	}
	if err := os.WriteFile(target, bundle, 0o644); err != nil {
		return fmt.Errorf("adding the machine's certificates: %w", err)
	}
	return nil
}

// omitted lists what the image does not need: what an engine mounts, and what makes it large.
var omitted = []string{
	"./dev/*", "./proc/*", "./sys/*", "./run/*", "./tmp/*",
	"./var/cache/apt/*", "./var/lib/apt/lists/*", "./var/log/*.log", "./var/log/apt/*",
	"./usr/share/doc/*", "./usr/share/man/*", "./usr/share/info/*", "./usr/share/locale/*",
}

// treeAsTar streams a directory as a tar. After the last byte, wait returns tar's error.
func treeAsTar(ctx context.Context, root string) (stream io.ReadCloser, wait func() error, err error) {
	args := []string{"--numeric-owner", "--directory", root, "--create"}
	for _, pattern := range omitted {
		args = append(args, "--exclude="+pattern)
	}
	cmd := exec.CommandContext(ctx, "tar", append(args, ".")...)
	var said bytes.Buffer
	cmd.Stderr = &said
	stream, err = cmd.StdoutPipe()
	if err != nil {
		return nil, nil, fmt.Errorf("packing %s: %w", root, err)
	}
	if err := cmd.Start(); err != nil {
		return nil, nil, fmt.Errorf("packing %s: %w", root, err)
	}
	wait = func() error {
		if err := cmd.Wait(); err != nil {
			return fmt.Errorf("packing %s: %w: %s", root, err, strings.TrimSpace(said.String()))
		}
		return nil
	}
	return stream, wait, nil
}
