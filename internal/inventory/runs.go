// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/metadata"
)

// Run is the container of a chaincode.
type Run struct {
	Package   string    `json:"package"` // the package id, or NAME:VERSION
	MSPID     string    `json:"mspid"`
	Peer      string    `json:"peer"`  // the address at which the chaincode connects to it
	Since     time.Time `json:"since"` // when its run began
	State     string    `json:"state"`
	Memory    *uint64   `json:"memory,omitempty"` // in bytes; nil: not known
	CPU       *float64  `json:"cpu,omitempty"`    // 1 is one CPU; nil: not known
	Networks  []string  `json:"networks,omitempty"`
	Image     string    `json:"image"`
	Container string    `json:"container"`
	Left      string    `json:"left,omitempty"` // why no run seems to look after it
}

// RunEngine lists the calls that Runs needs.
type RunEngine interface {
	List(ctx context.Context, labels map[string]string) ([]docker.Container, error)
	Stats(ctx context.Context, id string) (docker.Stats, error)
}

// maxMeasured limits how many containers are measured at once, which takes an engine a second each.
const maxMeasured = 32

// Runs returns the chaincodes on an engine.
func Runs(ctx context.Context, engine RunEngine) ([]Run, error) {
	found, err := engine.List(ctx, map[string]string{metadata.LabelKind: metadata.KindChaincode})
	if err != nil {
		return nil, err
	}
	found = slices.DeleteFunc(found, func(c docker.Container) bool {
		return !IsRun(c) || !metadata.IsContainerName(metadata.KindChaincode, c.Name)
	})
	runs := make([]Run, len(found))
	var measured sync.WaitGroup
	places := make(chan struct{}, maxMeasured)
	for i, c := range found {
		runs[i] = runOf(c)
		if c.Status != "running" {
			continue
		}
		places <- struct{}{}
		measured.Go(func() {
			defer func() { <-places }()
			if stats, err := engine.Stats(ctx, c.ID); err == nil { // otherwise it has ended, or the engine cannot tell
				runs[i].Memory, runs[i].CPU = &stats.Memory, &stats.CPU
			}
		})
	}
	measured.Wait()
	slices.SortFunc(runs, func(a, b Run) int {
		return cmp.Or(cmp.Compare(a.Package, b.Package), cmp.Compare(a.Peer, b.Peer), cmp.Compare(a.Container, b.Container))
	})
	return runs, ctx.Err()
}

func runOf(c docker.Container) Run {
	run := Run{
		Package: c.Labels[metadata.LabelChaincodeID], MSPID: c.Labels[metadata.LabelMSPID], Peer: c.Labels[metadata.LabelPeerAddress],
		Since: c.Created, State: c.Status, Networks: c.Networks, Image: c.Image, Container: c.Name,
	}
	if began, err := time.Parse(time.RFC3339Nano, c.Labels[metadata.LabelBegan]); err == nil {
		run.Since = began
	}
	switch {
	case metadata.IsReplacedName(c.Name):
		run.Left = "a later run has replaced it"
	case c.Status == "created":
		run.Left = "it was never started, unless it is starting now"
	case !c.IsRunning() && c.Labels[metadata.LabelKeep] != "":
		run.Left = "kept for debugging; the next run of this chaincode removes it"
	case !c.IsRunning():
		run.Left = "it has ended; a run removes its container at once"
	}
	return run
}

// RunTable returns the rows of a table of chaincodes.
func RunTable(runs []Run, now time.Time) [][]string {
	rows := [][]string{{"PACKAGE", "MSP", "PEER", "SINCE", "STATE", "MEMORY", "CPU", "NETWORKS", "IMAGE", "CONTAINER"}}
	for _, run := range runs {
		memory, cpu, state := "", "", run.State
		if run.Memory != nil {
			memory, cpu = Size(int64(*run.Memory)), fmt.Sprintf("%.1f%%", 100**run.CPU)
		}
		if run.Left != "" {
			state += " (left: " + run.Left + ")"
		}
		rows = append(rows, []string{run.Package, run.MSPID, run.Peer, Age(now.Sub(run.Since)), state, memory, cpu,
			strings.Join(run.Networks, " "), run.Image, run.Container})
	}
	return rows
}
