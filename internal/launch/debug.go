// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/network"
)

// announceDebugging says in every launch, in one line, which debugging the operator has turned on for this chaincode, and which
// override has. It returns an error if the chaincode's network has no ports to publish.
func (l *launch) announceDebugging(networks network.Networks) error {
	d := l.settings.Debugging
	if len(d.By) == 0 {
		return nil
	}
	fields := []any{"set_by", d.By}
	switch mode := networks.Mode(); {
	case len(d.Ports) == 0:
	case mode == network.Host:
		fields = append(fields, "ports", "not published: the chaincode uses the network of the engine's machine, and is reachable there wherever it listens")
	case mode == "none" || strings.Contains(mode, ":"):
		return fmt.Errorf("cannot publish the ports in debug.ports of %s: the chaincode's network mode is %q (set network there to the name of a network)",
			strings.Join(d.By, ", "), mode)
	default:
		fields = append(fields, "ports", d.Ports)
	}
	if len(d.Command) > 0 {
		fields = append(fields, "command", d.Command)
	}
	if d.LogLevel != "" {
		fields = append(fields, "log_level", d.LogLevel)
	}
	if d.Keep {
		fields = append(fields, "keep", true)
	}
	l.log.Warn("debugging is on for this chaincode", fields...)
	return nil
}

// applyDebugging adds to a container what the operator has turned on. The command takes the place of the image's entrypoint as
// well: of some images, that is the chaincode itself.
func (l *launch) applyDebugging(spec *docker.Spec) {
	d := l.settings.Debugging
	if len(d.Command) > 0 {
		spec.Entrypoint, spec.Command = d.Command[:1], d.Command[1:]
	}
	if spec.NetworkMode != network.Host { // announceDebugging has said so
		for _, p := range d.PublishedPorts() {
			spec.Ports = append(spec.Ports, docker.Port(p))
		}
	}
	if d.Keep {
		spec.Labels[metadata.LabelKeep] = "true"
	}
}

// explainPorts names the setting if a container that publishes ports could not be started: a port may be in use.
func (l *launch) explainPorts(ctx context.Context, spec docker.Spec, err error) error {
	if len(spec.Ports) == 0 || errors.Is(err, errTakenOver) || ctx.Err() != nil {
		return err
	}
	return fmt.Errorf("%w (each port in debug.ports of %s must be free on the engine's machine; ADDRESS::PORT lets the engine choose one)",
		err, strings.Join(l.settings.Debugging.By, ", "))
}

// publishedPorts returns, as fields for the log, the ports that the engine has published.
func (l *launch) publishedPorts(ctx context.Context, id string, spec docker.Spec) []any {
	if len(spec.Ports) == 0 {
		return nil
	}
	container, err := l.engine.Inspect(ctx, id)
	if err != nil {
		return nil // it may have ended and be gone by now
	}
	return []any{"ports", container.Ports}
}

// keeps reports whether a container that a signal has stopped stays for a look. One that may still run does not.
func (l *launch) keeps(ctx context.Context, id string) bool {
	if !l.settings.Debugging.Keep {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, l.timeLeft()/2) // the rest is for the removal
	defer cancel()
	container, err := l.engine.Inspect(ctx, id)
	return err == nil && l.isKept(container)
}

// isKept reports whether a container that has ended stays for a look. One that a later run has renamed does not: that run
// removes it.
func (l *launch) isKept(container docker.Container) bool {
	return l.settings.Debugging.Keep && !container.IsRunning() && container.Status != "created" && container.Name == l.containerName()
}
