// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"fabric-builder-docker/internal/metadata"
)

// The variables that configure a stand-in for run.
const (
	wayVariable    = "FBD_BENCH_WAY"
	imageVariable  = "FBD_BENCH_IMAGE"
	strictVariable = "FBD_BENCH_STRICT"
)

// beganFile is the file in RUN_METADATA_DIR in which a stand-in records when its calls began. What comes before that, its
// exec and reading its arguments, is not counted: the built-in is part of the peer, and the docker command is started
// from a shell.
const beganFile = "began"

// ways holds the stand-ins for run. Each returns a function that removes what it has started.
var ways = map[string]func(ctx context.Context, l standInLaunch) (remove func() error, err error){
	"builtin": runAsBuiltIn,
	"byhand":  runByHand,
	"bare":    runBare,
}

// standInLaunch holds a stand-in's input.
type standInLaunch struct {
	record    metadata.Record
	chaincode metadata.Chaincode
	image     string
	strict    bool // the engine takes swappiness and OOM settings
}

// standIn acts as run: it starts the chaincode another way, and removes it when the peer stops it.
func standIn(ctx context.Context, args []string) error {
	if len(args) != 2 {
		return errors.New("reading the arguments: expected OUTPUT_DIR and RUN_METADATA_DIR")
	}
	way, known := ways[os.Getenv(wayVariable)]
	if !known {
		return fmt.Errorf("reading the environment: %s=%q names no way", wayVariable, os.Getenv(wayVariable))
	}
	l := standInLaunch{image: os.Getenv(imageVariable), strict: os.Getenv(strictVariable) == "true"}
	var err error
	if l.record, err = metadata.ReadRecord(args[0]); err != nil {
		return err
	}
	if l.chaincode, err = metadata.ReadChaincode(args[1]); err != nil {
		return err
	}
	if l.image == "" {
		l.image = l.record.Image
	}
	began := strconv.FormatInt(time.Now().UnixNano(), 10)
	if err := os.WriteFile(filepath.Join(args[1], beganFile), []byte(began), 0o600); err != nil {
		return fmt.Errorf("noting the beginning: %w", err)
	}
	remove, err := way(ctx, l)
	if err == nil {
		<-ctx.Done()
	}
	if remove != nil {
		err = errors.Join(err, remove())
	}
	return err
}

// beganAt returns the time that a stand-in recorded.
func beganAt(runMetadataDir string) (time.Time, error) {
	text, err := os.ReadFile(filepath.Join(runMetadataDir, beganFile))
	if err != nil {
		return time.Time{}, fmt.Errorf("reading when a stand-in began: %w", err)
	}
	nanoseconds, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("reading when a stand-in began: %w", err)
	}
	return time.Unix(0, nanoseconds), nil
}
