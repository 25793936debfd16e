// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"runtime"
)

// The base images. They have no label of the builder, which prunes here are limited to.
const (
	imageRepository = "fabric-builder-docker-test-faults-base/"
	goImage         = imageRepository + "go:1"
	nodeImage       = imageRepository + "node:1"
)

// loadImages makes the base images. They differ in their user alone.
func (s *stage) loadImages(ctx context.Context) error {
	content, err := layer()
	if err != nil {
		return err
	}
	for name, user := range map[string]string{goImage: "chaincode", nodeImage: ""} {
		archive, err := imageArchive(name, user, content)
		if err != nil {
			return fmt.Errorf("making base image %s: %w", name, err)
		}
		if err := s.engine.Stream(ctx, "/images/load?quiet=1", bytes.NewReader(archive), nil); err != nil {
			return fmt.Errorf("loading base image %s: %w", name, err)
		}
	}
	return nil
}

// imageArchive returns an image in the form of docker save, which every engine loads. An import would do on Docker, but
// podman's ignores the tag.
func imageArchive(name, user string, layer []byte) ([]byte, error) {
	sum := sha256.Sum256(layer)
	config, err := json.Marshal(map[string]any{
		"architecture": runtime.GOARCH, "os": "linux",
		"config": map[string]any{"User": user, "Env": []string{"PATH=/usr/local/bin:/bin"}, "Cmd": []string{"/bin/sh"}},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + hex.EncodeToString(sum[:])}},
	})
	if err != nil {
		return nil, err
	}
	manifest, err := json.Marshal([]map[string]any{{"Config": "config.json", "RepoTags": []string{name}, "Layers": []string{"layer.tar"}}})
	if err != nil {
		return nil, err
	}
	var archive bytes.Buffer
	w := &layerWriter{out: tar.NewWriter(&archive)}
	w.file("config.json", 0o644, config)
	w.file("layer.tar", 0o644, layer)
	w.file("manifest.json", 0o644, manifest)
	if w.err != nil {
		return nil, w.err
	}
	return archive.Bytes(), w.out.Close()
}
