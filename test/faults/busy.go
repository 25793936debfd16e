// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
)

// keepBusy runs one process for each CPU that does nothing else, until stop is called.
func keepBusy(ctx context.Context) (stop func() error, err error) {
	var spinning []*exec.Cmd
	stop = func() error {
		var errs []error
		for _, spinner := range spinning {
			errs = append(errs, spinner.Process.Kill())
			_ = spinner.Wait() // killed
		}
		return errors.Join(errs...)
	}
	for range runtime.NumCPU() {
		spinner := exec.CommandContext(ctx, "/bin/sh", "-c", "while :; do :; done")
		if err := spinner.Start(); err != nil {
			return nil, errors.Join(fmt.Errorf("keeping the CPUs busy: %w", err), stop())
		}
		spinning = append(spinning, spinner)
	}
	return stop, nil
}
