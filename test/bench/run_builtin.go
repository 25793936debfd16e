// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"time"

	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/tlsfiles"
	"fabric-builder-docker/test/engine"
)

// runAsBuiltIn starts a chaincode like the peer's built-in controller.
func runAsBuiltIn(ctx context.Context, l standInLaunch) (func() error, error) {
	client, err := engine.NewClient(os.Getenv("DOCKER_HOST"))
	if err != nil {
		return nil, err
	}
	name := metadata.RunNameOf(prefix, "builtin", l.chaincode, l.record.InstallToken)
	if err := removeOld(ctx, client, name); err != nil {
		return nil, err
	}
	if err := create(ctx, client, name, l, l.hostConfig()); err != nil {
		return nil, err
	}
	remove := removal(client, name)
	archive, err := l.tlsArchive()
	if err != nil {
		return remove, err
	}
	if err := client.Upload(ctx, name, "/", archive); err != nil {
		return remove, fmt.Errorf("uploading the TLS files: %w", err)
	}
	return remove, client.Post(ctx, "/containers/"+name+"/start", nil, nil)
}

// runBare starts a chaincode with the fewest calls: create and start, without TLS.
func runBare(ctx context.Context, l standInLaunch) (func() error, error) {
	client, err := engine.NewClient(os.Getenv("DOCKER_HOST"))
	if err != nil {
		return nil, err
	}
	name := metadata.RunNameOf(prefix, "bare", l.chaincode, l.record.InstallToken)
	if err := create(ctx, client, name, l, map[string]any{"NetworkMode": "host"}); err != nil {
		return nil, err
	}
	return removal(client, name), client.Post(ctx, "/containers/"+name+"/start", nil, nil)
}

// removeOld stops, kills and removes a container that does not exist, as the built-in does before every start.
func removeOld(ctx context.Context, client *engine.Client, name string) error {
	for _, call := range []func() error{
		func() error { return client.Post(ctx, "/containers/"+name+"/stop?t=0", nil, nil) },
		func() error { return client.Post(ctx, "/containers/"+name+"/kill", nil, nil) },
		func() error { return client.Delete(ctx, "/containers/"+name+"?force=1") },
	} {
		// Killing a container that is not running is a conflict.
		var answer *engine.Error
		if err := call(); err != nil && !engine.NotFound(err) && !(errors.As(err, &answer) && answer.Status == http.StatusConflict) {
			return fmt.Errorf("removing an older container: %w", err)
		}
	}
	return nil
}

func create(ctx context.Context, client *engine.Client, name string, l standInLaunch, host map[string]any) error {
	command, err := l.command()
	if err != nil {
		return err
	}
	err = client.Post(ctx, "/containers/create?"+url.Values{"name": {name}}.Encode(), map[string]any{
		"Image": l.image, "Cmd": command, "Env": l.environment(), "HostConfig": host, "Labels": map[string]string{label: "run"},
	}, &struct{}{})
	if err != nil {
		return fmt.Errorf("creating a container: %w", err)
	}
	return nil
}

func removal(client *engine.Client, name string) func() error {
	return func() error {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		return client.Delete(ctx, "/containers/"+name+"?force=1&v=1")
	}
}

// hostConfig returns the host config of the default core.yaml.
func (l standInLaunch) hostConfig() map[string]any {
	host := map[string]any{
		"NetworkMode": "host",
		"Memory":      2 << 30,
		"LogConfig":   map[string]any{"Type": "json-file", "Config": map[string]string{"max-size": "50m", "max-file": "5"}},
	}
	if l.strict {
		host["MemorySwappiness"], host["OomKillDisable"] = 0, false
	}
	return host
}

// command returns the command that the built-in controller starts.
func (l standInLaunch) command() ([]string, error) {
	address := l.chaincode.PeerAddress
	switch l.record.Type {
	case "golang":
		return []string{"chaincode", "-peer.address=" + address}, nil
	case "node":
		return []string{"/bin/sh", "-c", fmt.Sprintf("set -e\nif [ -x /chaincode/start.sh ]; then\n/chaincode/start.sh --peer.address %s\nelse\ncd /usr/local/src\nnpm start -- --peer.address %s\nfi", address, address)}, nil
	case "java":
		return []string{"/root/chaincode-java/start", "--peerAddress", address}, nil
	}
	return nil, fmt.Errorf("starting a chaincode: nobody knows how to start a %q", l.record.Type)
}

func (l standInLaunch) environment() []string {
	variables := []string{
		"CORE_CHAINCODE_ID_NAME=" + l.chaincode.ID, "CORE_PEER_LOCALMSPID=" + l.chaincode.MSPID,
		"CORE_CHAINCODE_LOGGING_LEVEL=info", "CORE_CHAINCODE_LOGGING_SHIM=warn",
		fmt.Sprintf("CORE_PEER_TLS_ENABLED=%v", l.chaincode.TLS()),
	}
	if l.chaincode.TLS() {
		variables = append(variables, tlsfiles.Environment()...)
	}
	return variables
}

// material is the content of the launch's chaincode.json.
func (l standInLaunch) material() tlsfiles.Material {
	return tlsfiles.Material{ClientCert: l.chaincode.ClientCert, ClientKey: l.chaincode.ClientKey, RootCert: l.chaincode.RootCert}
}

// tlsArchive returns the TLS files as the built-in controller uploads them: gzipped, owned by root, with mode 0100644 and
// no directories.
func (l standInLaunch) tlsArchive() (io.Reader, error) {
	files, err := l.material().Archive(0, 0, tlsfiles.KeyOfUser)
	if err != nil {
		return nil, err
	}
	var upload bytes.Buffer
	zipped := gzip.NewWriter(&upload)
	archive := tar.NewWriter(zipped)
	for reader := tar.NewReader(bytes.NewReader(files)); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return &upload, errors.Join(archive.Close(), zipped.Close())
		}
		if err != nil {
			return nil, fmt.Errorf("packing the TLS files: %w", err)
		}
		if header.Typeflag != tar.TypeReg {
			continue
		}
		content, err := io.ReadAll(reader)
		if err != nil {
			return nil, fmt.Errorf("packing the TLS files: %w", err)
		}
		header.Mode, header.ModTime = 0o100644, time.Now()
		if err := errors.Join(archive.WriteHeader(header), written(archive, content)); err != nil {
			return nil, fmt.Errorf("packing the TLS files: %w", err)
		}
	}
}

func written(w io.Writer, content []byte) error {
	_, err := w.Write(content)
	return err
}
