// SPDX-License-Identifier: Apache-2.0

package check

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"time"

	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/network"
)

// probePath is where the probe's container has this program.
const probePath = "/fabric-builder-docker-check"

// probeLimit limits how long the probe's container runs.
const probeLimit = 30 * time.Second

// maxAnswer limits what is read of the container's output.
const maxAnswer = 64 << 10

// probe lets this program reach for the peer in a container that has an image, a network and an init as a chaincode's.
func (c *checker) probe(ctx context.Context) {
	image := c.anyImage(ctx)
	switch {
	case c.address == "":
		c.fail("probe", "the peer's address is not known here", "add it: --probe HOST:PORT")
		return
	case image.ID == "":
		c.fail("probe", "there is no base image on the engine to make a container of", "pull one (build --warm does), or load it")
		return
	case machineOf(c.about.Platform) != "linux/"+runtime.GOARCH && c.about.Platform != "":
		c.note("probe", "not made: this program is for %s, and the engine's machine is %s", runtime.GOARCH, c.about.Platform)
		return
	}
	spec := c.probeSpec(image)
	var answer dialled
	err := c.withContainer(ctx, spec, func(id string) (err error) {
		answer, err = c.dialIn(ctx, id, spec)
		return err
	})
	switch {
	case gone(ctx, err):
	case err != nil:
		c.fail("probe", "running a container of "+image.Name+": "+network.Explain(ctx, c.engine, spec, err).Error(), c.remedyForProbe())
	default:
		c.showProbe(image, answer)
	}
}

func (c *checker) probeSpec(image docker.Image) docker.Spec {
	spec, from := c.spec(image), c.settings.VM.Docker.HostConfig
	spec.Entrypoint, spec.Command = []string{probePath}, []string{dialOption, c.address}
	spec.ExtraHosts = from.ExtraHosts
	spec.DNS = docker.DNS{NameServers: from.Dns, SearchDomains: from.DnsSearch}
	spec.Init = c.settings.Builder.Security.Init
	c.networks.ApplyTo(&spec)
	return spec
}

func (c *checker) remedyForProbe() string {
	remedy := "no chaincode would start either: see the reason"
	if c.settings.Builder.Security.Init {
		remedy += "; if the engine has no init (docker-init, tini), set builder.security.init to false"
	}
	return remedy
}

// dialIn uploads this program to a container, starts it, and returns its answer.
func (c *checker) dialIn(ctx context.Context, id string, spec docker.Spec) (answer dialled, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, probeLimit, fmt.Errorf("the container has not ended within %v", probeLimit))
	defer cancel()
	for _, name := range spec.Networks {
		if err := c.engine.Connect(ctx, id, name, nil); err != nil {
			return answer, err
		}
	}
	if err := c.uploadProgram(ctx, id); err != nil {
		return answer, err
	}
	stdout, stderr, code, err := c.runToEnd(ctx, id)
	if err != nil {
		return answer, err
	}
	if json.Unmarshal(stdout, &answer) != nil {
		return answer, fmt.Errorf("the program in it has ended with exit status %d: %s", code, strings.TrimSpace(string(stderr)))
	}
	return answer, nil
}

func (c *checker) uploadProgram(ctx context.Context, id string) error {
	content, err := os.ReadFile(c.place.executable)
	if err != nil {
		return fmt.Errorf("reading this program: %w", err)
	}
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	header := &tar.Header{Typeflag: tar.TypeReg, Name: strings.TrimPrefix(probePath, "/"), Mode: 0o755, Size: int64(len(content))}
	if err := w.WriteHeader(header); err != nil {
		return err
	}
	if _, err := w.Write(content); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return c.engine.Upload(ctx, id, "/", &archive)
}

// runToEnd starts a container, and returns what it prints and its exit status.
func (c *checker) runToEnd(ctx context.Context, id string) (stdout, stderr []byte, code int, err error) {
	output, err := c.engine.Attach(ctx, id, nil)
	if err != nil {
		return nil, nil, 0, err
	}
	defer output.Close()
	defer context.AfterFunc(ctx, output.Close)()
	exits, err := c.engine.Wait(ctx, id)
	if err != nil {
		return nil, nil, 0, err
	}
	if err := c.engine.Start(ctx, id); err != nil {
		return nil, nil, 0, err
	}
	var out, errs bytes.Buffer
	copyErr := output.Copy(&limited{w: &out}, &limited{w: &errs}) // until the container ends
	select {
	case exit := <-exits:
		return out.Bytes(), errs.Bytes(), exit.Code, errors.Join(exit.Err, copyErr)
	case <-ctx.Done():
		return nil, nil, 0, context.Cause(ctx)
	}
}

// limited drops what exceeds maxAnswer.
type limited struct {
	w    io.Writer
	took int
}

func (l *limited) Write(p []byte) (int, error) {
	kept := p[:min(len(p), maxAnswer-l.took)]
	l.took += len(kept)
	if _, err := l.w.Write(kept); err != nil {
		return 0, err
	}
	return len(p), nil
}

// showProbe reports what the container has found.
func (c *checker) showProbe(image docker.Image, answer dialled) {
	if answer.Space != nil && !c.diskSeen {
		c.showSpace("a container on the engine", *answer.Space)
	}
	name, port, _ := net.SplitHostPort(c.address)
	where := fmt.Sprintf("in a container of %s on %s", image.Name, nameOf(c.networks))
	resolved := strings.Join(answer.Addresses, ", ")
	switch {
	case answer.Lookup != "":
		c.fail("probe", fmt.Sprintf("%s, %s does not resolve: %s", where, name, answer.Lookup),
			"set peer.chaincodeAddress to a name of the peer in that network, "+modeSetting+" to a network that has the name, or vm.docker.hostConfig.ExtraHosts to NAME:ADDRESS")
	case answer.Refused:
		c.fail("probe", fmt.Sprintf("%s, nobody listens at port %s of %s (%s)", where, port, name, resolved),
			"start the peer, and let peer.chaincodeListenAddress hold that port and an address that the network reaches (0.0.0.0:"+port+")")
	case answer.Dial != "":
		c.fail("probe", fmt.Sprintf("%s, %s (%s) is not reached: %s", where, c.address, resolved, answer.Dial),
			"look for a firewall in between, and whether that is the peer's address in that network")
	default:
		c.ok("probe", "%s, %s resolves to %s and takes connections at port %s", where, name, resolved, port)
	}
}
