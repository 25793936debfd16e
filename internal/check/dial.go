// SPDX-License-Identifier: Apache-2.0

package check

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"

	"fabric-builder-docker/internal/cli"
)

// dialOption is the option with which the probe's container calls this program.
const dialOption = "--check-dial"

// Limits of the look-up and of the connection.
const (
	lookupLimit = 10 * time.Second
	dialLimit   = 5 * time.Second
)

// dialled is what dial answers, as JSON on stdout.
type dialled struct {
	Addresses []string `json:"addresses"`
	Lookup    string   `json:"lookup"`  // why the name does not resolve; empty: it does
	Dial      string   `json:"dial"`    // why the connection failed; empty: it did not
	Refused   bool     `json:"refused"` // nobody listens there
	Space     *space   `json:"space"`   // of the container's file system, which is on the engine's disk
}

// dial resolves and dials an address, its argument.
func dial(ctx context.Context, process cli.Process) error {
	if len(process.Args) != 1 {
		return fmt.Errorf("expected one ADDRESS after %s", dialOption)
	}
	var answer dialled
	if found, err := freeSpace("/"); err == nil {
		answer.Space = &found
	}
	answer.reach(ctx, process.Args[0])
	return json.NewEncoder(process.Stdout).Encode(answer)
}

func (d *dialled) reach(ctx context.Context, address string) {
	name, _, err := net.SplitHostPort(address)
	if err != nil {
		d.Lookup = err.Error()
		return
	}
	lookup, cancel := context.WithTimeout(ctx, lookupLimit)
	defer cancel()
	if d.Addresses, err = net.DefaultResolver.LookupHost(lookup, name); err != nil {
		d.Lookup = err.Error()
		return
	}
	connection, err := (&net.Dialer{Timeout: dialLimit}).DialContext(ctx, "tcp", address)
	if err != nil {
		d.Dial, d.Refused = err.Error(), errors.Is(err, syscall.ECONNREFUSED)
		return
	}
	connection.Close()
}
