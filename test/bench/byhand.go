package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/platform"
	"fabric-builder-docker/internal/tlsfiles"
)

// runByHand is the run of somebody with nothing but the docker command: create, cp, start, with the flags that our run
// sets through the API.
func runByHand(ctx context.Context, args []string) error {
	record, err := metadata.ReadRecord(args[0])
	if err != nil {
		return err
	}
	chaincode, err := metadata.ReadChaincode(args[1])
	if err != nil {
		return err
	}
	command, err := platform.Start(record.Type, chaincode.PeerAddress)
	if err != nil {
		return err
	}
	material := tlsfiles.Material{ClientCert: chaincode.ClientCert, ClientKey: chaincode.ClientKey, RootCert: chaincode.RootCert}
	archive, err := material.Archive(record.User.UID, record.User.GID)
	if err != nil {
		return err
	}
	create := []string{"create", "--network=host", "--init", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--no-healthcheck",
		"--memory=2g", "--memory-swap=2g", "--pids-limit=4096", "--log-driver=json-file", "--log-opt=max-size=50m", "--log-opt=max-file=5",
		"--env=CORE_CHAINCODE_ID_NAME=" + chaincode.ID, "--env=CORE_PEER_TLS_ENABLED=true", "--env=CORE_PEER_LOCALMSPID=" + chaincode.MSPID,
		"--env=TINI_KILL_PROCESS_GROUP=1"}
	for _, variable := range tlsfiles.Environment() {
		create = append(create, "--env="+variable)
	}
	id, err := docker(nil, append(append(create, record.Image), command...)...)
	if err != nil {
		return err
	}
	defer docker(nil, "rm", "--force", id)
	if _, err := docker(archive, "cp", "-", id+":/"); err != nil {
		return err
	}
	if _, err := docker(nil, "start", id); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

func docker(stdin []byte, args ...string) (string, error) {
	command := exec.Command("docker", args...)
	command.Stdin = bytes.NewReader(stdin)
	command.Stderr = os.Stderr
	output, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("docker %s: %w", args[0], err)
	}
	return strings.TrimSpace(string(output)), nil
}
