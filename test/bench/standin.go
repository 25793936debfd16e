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

// The variables that say how a stand-in for run works.
const (
	wayVariable    = "FBD_BENCH_WAY"
	imageVariable  = "FBD_BENCH_IMAGE"
	strictVariable = "FBD_BENCH_STRICT"
)

// beganFile is where a stand-in notes when its calls began, in RUN_METADATA_DIR. What is before that, its own exec and
// the reading of its arguments, is not counted: the built-in is part of the peer, and a person has a shell.
const beganFile = "began"

// ways are the stand-ins for run. Each returns how to remove what it has started.
var ways = map[string]func(ctx context.Context, l standInLaunch) (remove func() error, err error){
	"builtin": runAsBuiltIn,
	"byhand":  runByHand,
	"bare":    runBare,
}

// standInLaunch is what a stand-in knows.
type standInLaunch struct {
	record    metadata.Record
	chaincode metadata.Chaincode
	image     string
	strict    bool // the engine takes swappiness and OOM settings
}

// standIn plays run: it starts the chaincode some other way, and removes it when the peer says stop.
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

// beganAt is what a stand-in has noted.
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
