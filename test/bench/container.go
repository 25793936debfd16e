// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// container creates a container with the benchmark's label, by which clean finds it.
func (b *bench) container(ctx context.Context, image, script string, host map[string]any) (string, error) {
	var created struct{ ID string }
	err := b.engine.Post(ctx, "/containers/create", map[string]any{
		"Image": image, "User": "0:0", "Cmd": []string{"/bin/sh", "-ec", script},
		"Labels": map[string]string{label: "tool"}, "HostConfig": host,
	}, &created)
	if err != nil {
		return "", fmt.Errorf("creating a container of %s: %w", image, err)
	}
	return created.ID, nil
}

// runIn runs a script in an image, and returns what it prints.
func (b *bench) runIn(ctx context.Context, image, script string, host map[string]any) (said string, err error) {
	id, err := b.container(ctx, image, script, host)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, b.remove(ctx, id)) }()
	return b.runToEnd(ctx, id)
}

func (b *bench) runToEnd(ctx context.Context, id string) (string, error) {
	if err := b.engine.Post(ctx, "/containers/"+id+"/start", nil, nil); err != nil {
		return "", fmt.Errorf("starting a container: %w", err)
	}
	var ended struct{ StatusCode int }
	if err := b.engine.Post(ctx, "/containers/"+id+"/wait", nil, &ended); err != nil {
		return "", fmt.Errorf("waiting for a container: %w", err)
	}
	framed, err := b.engine.Read(ctx, "/containers/"+id+"/logs?stdout=1&stderr=1")
	if err != nil {
		return "", fmt.Errorf("reading what a container said: %w", err)
	}
	said := strings.TrimSpace(string(unframe(framed)))
	if ended.StatusCode != 0 {
		return said, fmt.Errorf("running a container: exit status %d: %s", ended.StatusCode, said)
	}
	return said, nil
}

func (b *bench) remove(ctx context.Context, id string) error {
	return b.engine.Delete(context.WithoutCancel(ctx), "/containers/"+id+"?"+url.Values{"force": {"1"}, "v": {"1"}}.Encode())
}

// unframe removes the 8-byte headers from a container's output.
func unframe(framed []byte) []byte {
	var plain []byte
	for len(framed) >= 8 {
		length := min(int(binary.BigEndian.Uint32(framed[4:8])), len(framed)-8)
		plain = append(plain, framed[8:8+length]...)
		framed = framed[8+length:]
	}
	return plain
}
