// SPDX-License-Identifier: Apache-2.0

package baseimages

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"fabric-builder-docker/test/engine"
)

const (
	// repository is the prefix of every stand-in's name, which no image of Fabric has.
	repository = "fabric-builder-docker-test/"
	tag        = "standin"
	// label holds a stand-in's fingerprint.
	label = "fabric-builder-docker-test.recipe"
)

func reference(recipe string) string { return repository + recipe + ":" + tag }

// maker builds stand-ins.
type maker struct {
	client *engine.Client
	opts   Options
	system system
}

// image is the part of an engine's image inspect response that is used here.
type image struct {
	ID     string `json:"Id"`
	Config struct{ Labels map[string]string }
}

// inspect returns nil if the engine has no such image.
func inspect(ctx context.Context, client *engine.Client, ref string) (*image, error) {
	var found image
	err := client.Get(ctx, "/images/"+ref+"/json", &found)
	if engine.NotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("inspecting %s: %w", ref, err)
	}
	return &found, nil
}

// current reports whether the engine has a stand-in with the current fingerprint.
func (m *maker) current(ctx context.Context, name string) (bool, error) {
	found, err := inspect(ctx, m.client, reference(name))
	if err != nil || found == nil {
		return false, err
	}
	return found.Config.Labels[label] == fingerprint(m.recipes(), name), nil
}

// make builds a stand-in unless it is current, after the one that it is based on.
func (m *maker) make(ctx context.Context, name string) error {
	if current, err := m.current(ctx, name); err != nil || current {
		return err
	}
	if err := m.system.check(); err != nil {
		return err
	}
	outdated, err := inspect(ctx, m.client, reference(name))
	if err != nil {
		return err
	}
	r := m.recipes()[name]
	step := func() error { return m.extend(ctx, name, r) }
	if r.parent == "" {
		step = func() error { return m.bootstrap(ctx, name, r) }
	} else if err := m.make(ctx, r.parent); err != nil {
		return err
	}
	if err := engine.Timed(m.opts.Log, "making "+reference(name), step); err != nil {
		return err
	}
	if outdated != nil {
		// If it is still in use it stays, without a name.
		_ = m.client.Delete(ctx, "/images/"+outdated.ID)
	}
	return nil
}

// bootstrap installs Debian's minimal system and imports it as an image.
func (m *maker) bootstrap(ctx context.Context, name string, r recipe) error {
	dir := filepath.Join(m.opts.WorkDir, "images")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("creating a directory for images: %w", err)
	}
	log := filepath.Join(dir, "debootstrap.log")
	if err := installTools(ctx, m.opts, log); err != nil {
		return err
	}
	m.system.caSum = bundleSum() // The tools may have installed them.
	root, err := filepath.Abs(filepath.Join(dir, "root"))
	if err != nil {
		return fmt.Errorf("resolving the directory for images: %w", err)
	}
	if err := engine.RemoveTree(root); err != nil {
		return err
	}
	defer func() { _ = engine.RemoveTree(root) }()
	if err := m.debootstrap(ctx, root, log); err != nil {
		return err
	}
	return m.importTree(ctx, root, name, r)
}

func (m *maker) importTree(ctx context.Context, root, name string, r recipe) error {
	tree, wait, err := treeAsTar(ctx, root)
	if err != nil {
		return err
	}
	query := url.Values{
		"fromSrc": {"-"}, "repo": {reference(name)}, // podman ignores a tag of its own
		"changes": m.changes(name, r),
	}
	err = m.client.Stream(ctx, "/images/create?"+query.Encode(), tree, nil)
	_ = tree.Close() // Ends tar if the engine stopped reading.
	if failed := wait(); err == nil {
		err = failed
	}
	if err != nil {
		return fmt.Errorf("importing %s: %w", reference(name), err)
	}
	return nil
}

// changes returns the instructions for an image's configuration.
func (m *maker) changes(name string, r recipe) []string {
	return append([]string{
		"LABEL " + label + "=" + fingerprint(m.recipes(), name),
		`CMD ["/bin/bash"]`, // Otherwise it would be the recipe's script.
	}, r.changes...)
}
