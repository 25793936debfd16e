// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// containerCPU lists where control groups of version 1 and 2 keep the CPU time of containers.
var containerCPU = []string{
	"/sys/fs/cgroup/cpuacct/docker/*/cpuacct.usage",
	"/sys/fs/cgroup/docker/*/cpu.stat",
	"/sys/fs/cgroup/system.slice/docker-*.scope/cpu.stat",
}

// cpuOf returns the CPU seconds of everything that works while f runs: this process and its children, the engine with what
// it starts itself, and the containers of the builds. What others let the engine do meanwhile counts, too.
func (b *bench) cpuOf(ctx context.Context, f func() error) (seconds float64, err error) {
	dockerd, err := b.engineProcess(ctx)
	if err != nil {
		return 0, err
	}
	before, engineBefore := ownCPU(), processCPU(dockerd)
	containers := b.watchContainers(ctx)
	err = f()
	used := containers.stop()
	return ownCPU() - before + processCPU(dockerd) - engineBefore + used, err
}

// containerWatch reads the CPU time of new containers until they are gone, since their control groups vanish with them.
type containerWatch struct {
	*bench
	others map[string]bool // containers that are not those of the builds
	last   map[string]float64
	ended  chan struct{}
	group  sync.WaitGroup
}

func (b *bench) watchContainers(ctx context.Context) *containerWatch {
	w := &containerWatch{bench: b, others: map[string]bool{}, last: map[string]float64{}, ended: make(chan struct{})}
	for name := range readContainers() {
		w.others[name] = true
	}
	w.group.Go(func() {
		ticks := time.NewTicker(40 * time.Millisecond)
		defer ticks.Stop()
		for {
			for name, used := range readContainers() {
				if w.isOfBuild(ctx, name) {
					w.last[name] = used
				}
			}
			select {
			case <-w.ended:
				return
			case <-ticks.C:
			}
		}
	})
	return w
}

var containerID = regexp.MustCompile(`[0-9a-f]{64}`)

// isOfBuild reports whether a control group is that of a container of a build, ours or the built-in's.
func (w *containerWatch) isOfBuild(ctx context.Context, name string) bool {
	if _, known := w.last[name]; known || w.others[name] {
		return known
	}
	var found struct {
		Name   string
		Config struct{ Labels map[string]string }
	}
	err := w.engine.Get(ctx, "/containers/"+containerID.FindString(name)+"/json", &found)
	if err == nil && !strings.HasPrefix(found.Name, "/"+prefix) && found.Config.Labels[label] == "" {
		w.others[name] = true
	}
	return err == nil && !w.others[name]
}

func (w *containerWatch) stop() (seconds float64) {
	close(w.ended)
	w.group.Wait()
	for _, used := range w.last {
		seconds += used
	}
	return seconds
}

// readContainers returns the CPU seconds of all containers by their control group.
func readContainers() map[string]float64 {
	found := map[string]float64{}
	for _, pattern := range containerCPU {
		names, _ := filepath.Glob(pattern)
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				continue
			}
			divisor, value := 1e9, strings.TrimSpace(string(text))
			if rest, ok := strings.CutPrefix(value, "usage_usec "); ok {
				divisor = 1e6
				value, _, _ = strings.Cut(rest, "\n")
			}
			if used, err := strconv.ParseFloat(value, 64); err == nil {
				found[name] = used / divisor
			}
		}
	}
	return found
}

// ownCPU returns the CPU seconds of this process and of its children that have ended.
func ownCPU() (seconds float64) {
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var usage syscall.Rusage
		if syscall.Getrusage(who, &usage) == nil {
			seconds += time.Duration(usage.Utime.Nano() + usage.Stime.Nano()).Seconds()
		}
	}
	return seconds
}

// processCPU returns the CPU seconds of a process and of its children that have ended.
func processCPU(pid int32) (seconds float64) {
	const ticks = 100 // per second, on Linux
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	for i := 11; i < 15 && i < len(fields); i++ { // utime, stime, cutime, cstime
		n, _ := strconv.Atoi(fields[i])
		seconds += float64(n) / ticks
	}
	return seconds
}

// engineProcess returns the ID of the engine's process, which listens on the socket.
func (b *bench) engineProcess(ctx context.Context) (int32, error) {
	connection, err := (&net.Dialer{}).DialContext(ctx, "unix", strings.TrimPrefix(b.host, "unix://"))
	if err != nil {
		return 0, fmt.Errorf("finding the engine's process: %w", err)
	}
	defer connection.Close()
	raw, err := connection.(*net.UnixConn).SyscallConn()
	if err != nil {
		return 0, fmt.Errorf("finding the engine's process: %w", err)
	}
	var peer *syscall.Ucred
	var optionErr error
	err = raw.Control(func(fd uintptr) {
		peer, optionErr = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	})
	if err = errors.Join(err, optionErr); err != nil {
		return 0, fmt.Errorf("finding the engine's process: %w", err)
	}
	return peer.Pid, nil
}
