// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"fabric-builder-docker/internal/tlsfiles"
)

// sameLimits are the flags for the limits that our run sets through the API.
var sameLimits = []string{"--network=host", "--init", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--no-healthcheck",
	"--memory=2g", "--memory-swap=2g", "--pids-limit=4096", "--log-driver=json-file", "--log-opt=max-size=50m", "--log-opt=max-file=5"}

// runByHand starts a chaincode with the docker command: create, cp, start.
func runByHand(ctx context.Context, l standInLaunch) (func() error, error) {
	command, err := l.command()
	if err != nil {
		return nil, err
	}
	archive, err := l.tlsArchive()
	if err != nil {
		return nil, err
	}
	args := append([]string{"create", "--label=" + label + "=run"}, sameLimits...)
	for _, variable := range []string{"CORE_CHAINCODE_ID_NAME=" + l.chaincode.ID, "CORE_PEER_TLS_ENABLED=true",
		"CORE_PEER_LOCALMSPID=" + l.chaincode.MSPID, "TINI_KILL_PROCESS_GROUP=1"} {
		args = append(args, "--env="+variable)
	}
	for _, variable := range tlsfiles.Environment() {
		args = append(args, "--env="+variable)
	}
	id, err := runDocker(ctx, nil, append(append(args, l.image), command...)...)
	if err != nil {
		return nil, err
	}
	remove := func() error {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		_, err := runDocker(ctx, nil, "rm", "--force", id)
		return err
	}
	if _, err := runDocker(ctx, archive, "cp", "-", id+":/"); err != nil { // for all to read: no user is looked up
		return remove, err
	}
	_, err = runDocker(ctx, nil, "start", id)
	return remove, err
}

// runDocker runs the docker command, which reads DOCKER_HOST itself.
func runDocker(ctx context.Context, stdin io.Reader, args ...string) (string, error) {
	command := exec.CommandContext(ctx, "docker", args...)
	command.Stdin = stdin
	command.Stderr = os.Stderr
	output, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("running docker %s: %w", args[0], err)
	}
	return strings.TrimSpace(string(output)), nil
}
