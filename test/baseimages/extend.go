// SPDX-License-Identifier: Apache-2.0

package baseimages

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"
)

// extend builds a stand-in from another: it creates a container, adds the files, runs the script and commits the
// container.
func (m *maker) extend(ctx context.Context, name string, r recipe) (err error) {
	id, err := m.create(ctx, r)
	if err != nil {
		return err
	}
	defer func() {
		fresh, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		defer cancel()
		err = errors.Join(err, m.client.Delete(fresh, "/containers/"+id+"?force=1&v=1"))
	}()
	if r.files != nil {
		if err := m.upload(ctx, id, r.files); err != nil {
			return fmt.Errorf("copying files: %w", err)
		}
	}
	if err := m.run(ctx, id); err != nil {
		return err
	}
	query := url.Values{
		"container": {id}, "repo": {repository + name}, "tag": {tag},
		"changes": m.changes(name, r),
	}
	// podman wants a configuration in the body, and ignores it.
	if err := m.client.Post(ctx, "/commit?"+query.Encode(), struct{}{}, nil); err != nil {
		return fmt.Errorf("committing %s: %w", reference(name), err)
	}
	return nil
}

func (m *maker) create(ctx context.Context, r recipe) (string, error) {
	spec := map[string]any{
		"Image": reference(r.parent),
		"User":  "0:0",
		// On the host's network, because a proxy may listen on its loopback interface.
		"HostConfig": map[string]any{"NetworkMode": "host", "Init": true},
		"Cmd":        []string{"/bin/sh", "-ec", r.script},
	}
	var created struct{ ID string }
	if err := m.client.Post(ctx, "/containers/create", spec, &created); err != nil {
		return "", fmt.Errorf("creating a container of %s: %w", reference(r.parent), err)
	}
	return created.ID, nil
}

func (m *maker) upload(ctx context.Context, id string, files func(*tarball)) error {
	reader, writer := io.Pipe()
	go func() { _ = writer.CloseWithError(pack(writer, files)) }()
	err := m.client.Upload(ctx, id, "/", reader)
	_ = reader.Close()
	return err
}

// run runs a container until it exits. The error shows the end of its output.
func (m *maker) run(ctx context.Context, id string) error {
	if err := m.client.Post(ctx, "/containers/"+id+"/start", nil, nil); err != nil {
		return fmt.Errorf("starting a container: %w", err)
	}
	var ended struct{ StatusCode int }
	if err := m.client.Post(ctx, "/containers/"+id+"/wait", nil, &ended); err != nil {
		return fmt.Errorf("waiting for a container: %w", err)
	}
	if ended.StatusCode == 0 {
		return nil
	}
	said, err := m.client.Read(ctx, "/containers/"+id+"/logs?stdout=1&stderr=1&tail=20")
	if err != nil {
		return fmt.Errorf("reading a container's log: %w", err)
	}
	return fmt.Errorf("running a container: exit status %d:\n%s", ended.StatusCode, strings.TrimSpace(string(unframe(said))))
}

// unframe removes the 8-byte headers from a container's output. A header holds the stream and the length of the piece
// that follows.
func unframe(framed []byte) []byte {
	var plain bytes.Buffer
	for len(framed) >= 8 {
		length := min(int(binary.BigEndian.Uint32(framed[4:8])), len(framed)-8)
		plain.Write(framed[8 : 8+length])
		framed = framed[8+length:]
	}
	return plain.Bytes()
}
