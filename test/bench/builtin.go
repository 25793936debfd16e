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
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"fabric-builder-docker/test/engine"
)

// builtin builds like the peer's built-in Docker controller, call by call. The controller has no cache and is part of
// the peer, so its work is done in this process.
type builtin struct {
	engine *engine.Client
	host   string
	images images
	proxy  string
	built  atomic.Int64
}

// recipe describes how the built-in controller builds a language.
type recipe struct {
	builder, runtime string
	command, target  string
	environment      []string
}

// goScript is the built-in controller's build script for Go packages with src/go.mod. %s is the path of metadata.json.
const goScript = `set -e
go version
cd /chaincode/input/src
mode=readonly
if [ -d vendor ]; then mode=vendor; fi
GO111MODULE=on go build -v -mod=$mode -ldflags "-linkmode external -extldflags '-static'" -o /chaincode/output/chaincode %s
`

const nodeScript = `set -e
if [ -x /chaincode/build.sh ]; then
	/chaincode/build.sh
else
	cp -R /chaincode/input/src/. /chaincode/output && cd /chaincode/output && npm install --production
fi
`

func (b *builtin) recipe(c chaincode) (recipe, error) {
	switch c.about.Type {
	case "golang":
		return recipe{b.images.ccenv, b.images.baseos, fmt.Sprintf(goScript, c.about.Path), "/usr/local/bin", []string{"GOPROXY=" + b.proxy}}, nil
	case "node":
		return recipe{b.images.nodeenv, b.images.nodeenv, nodeScript, "/usr/local/src", nil}, nil
	case "java":
		return recipe{b.images.javaenv, b.images.javaenv, "./build.sh", "/root/chaincode-java/chaincode", nil}, nil
	}
	return recipe{}, fmt.Errorf("building the built-in's way: it knows no %q", c.about.Type)
}

// build builds an image and returns its name, which is new each time, as it is for each peer and package.
func (b *builtin) build(ctx context.Context, pkg []byte) (image string, took time.Duration, err error) {
	c, err := open(pkg)
	if err != nil {
		return "", 0, err
	}
	r, err := b.recipe(c)
	if err != nil {
		return "", 0, err
	}
	image = fmt.Sprintf("%s-builtin-%s-%d-%d", prefix, c.about.Type, time.Now().UnixNano(), b.built.Add(1))
	began := time.Now()
	err = b.make(ctx, r, c, image)
	took = time.Since(began)
	if err != nil {
		return "", 0, fmt.Errorf("building the built-in's way: %w", err)
	}
	var found struct{ ID string }
	if err := b.engine.Get(ctx, "/images/"+image+"/json", &found); err != nil {
		return "", 0, fmt.Errorf("building the built-in's way: inspecting the image: %w", err)
	}
	return image, took, nil
}

// make posts an image build and writes its context while the build container works, as the peer does.
func (b *builtin) make(ctx context.Context, r recipe, c chaincode, image string) error {
	reader, writer := io.Pipe()
	built := make(chan error, 1)
	go func() {
		err := b.writeContext(ctx, writer, r, c)
		writer.CloseWithError(err)
		built <- err
	}()
	// nocache: the engine must not reuse a step of an earlier round. rm=0: current peers leave the containers of the
	// steps behind.
	query := url.Values{"version": {"1"}, "t": {image}, "rm": {"0"}, "nocache": {"1"}}
	err := b.engine.Stream(ctx, "/build?"+query.Encode(), reader, nil)
	reader.Close()
	if buildErr := <-built; buildErr != nil && !errors.Is(buildErr, io.ErrClosedPipe) {
		return buildErr
	}
	return err
}

func (b *builtin) writeContext(ctx context.Context, w io.Writer, r recipe, c chaincode) error {
	zipped := gzip.NewWriter(w)
	archive := tar.NewWriter(zipped)
	dockerfile := fmt.Sprintf("FROM %s\nADD binpackage.tar %s\nLABEL org.hyperledger.fabric.chaincode.type=%q org.hyperledger.fabric.version=\"3.1\" %s=\"builtin\"\nENV CORE_CHAINCODE_BUILDLEVEL=3.1",
		r.runtime, r.target, strings.ToUpper(c.about.Type), label)
	if err := writeEntry(archive, "Dockerfile", []byte(dockerfile)); err != nil {
		return err
	}
	output, err := b.compile(ctx, r, c.code)
	if err != nil {
		return err
	}
	if err := writeEntry(archive, "binpackage.tar", output); err != nil {
		return err
	}
	return errors.Join(archive.Close(), zipped.Close())
}

func writeEntry(archive *tar.Writer, name string, content []byte) error {
	header := &tar.Header{Name: name, Mode: 0o100644, Size: int64(len(content))}
	if err := archive.WriteHeader(header); err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	if _, err := archive.Write(content); err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	return nil
}

// compile runs the build container and returns its output, which the peer holds in memory. It removes the container before it
// returns: peers from 1.4 to 3.1.5 do so before they go on with the image.
func (b *builtin) compile(ctx context.Context, r recipe, code []byte) (output []byte, err error) {
	if err := b.engine.Get(ctx, "/images/"+r.builder+"/json", &struct{}{}); err != nil {
		return nil, fmt.Errorf("inspecting the builder image: %w", err)
	}
	var created struct{ ID string }
	err = b.engine.Post(ctx, "/containers/create", map[string]any{
		"Image": r.builder, "Cmd": []string{"/bin/sh", "-c", r.command}, "Env": r.environment,
		"AttachStdout": true, "AttachStderr": true, "Labels": map[string]string{label: "builtin"},
	}, &created)
	if err != nil {
		return nil, fmt.Errorf("creating the build container: %w", err)
	}
	defer func() {
		err = errors.Join(err, b.engine.Delete(context.WithoutCancel(ctx), "/containers/"+created.ID+"?force=1"))
	}()
	if err := b.engine.Upload(ctx, created.ID, "/chaincode/input", bytes.NewReader(code)); err != nil {
		return nil, fmt.Errorf("uploading the package: %w", err)
	}
	attached, err := attach(ctx, b.host, created.ID)
	if err != nil {
		return nil, err
	}
	defer attached.close()
	if err := b.engine.Post(ctx, "/containers/"+created.ID+"/start", nil, nil); err != nil {
		return nil, fmt.Errorf("starting the build container: %w", err)
	}
	var ended struct{ StatusCode int }
	if err := b.engine.Post(ctx, "/containers/"+created.ID+"/wait", nil, &ended); err != nil {
		return nil, fmt.Errorf("waiting for the build container: %w", err)
	}
	said := attached.drain()
	if ended.StatusCode != 0 {
		return nil, fmt.Errorf("running the build container: exit status %d:\n%s", ended.StatusCode, unframe(said))
	}
	output, err = b.engine.Read(ctx, "/containers/"+created.ID+"/archive?"+url.Values{"path": {"/chaincode/output/."}}.Encode())
	if err != nil {
		return nil, fmt.Errorf("downloading the build's output: %w", err)
	}
	return output, nil
}
