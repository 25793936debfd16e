// SPDX-License-Identifier: Apache-2.0

package test_test

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/platform"
	"fabric-builder-docker/test/fakeengine"
	"fabric-builder-docker/test/promtext"
)

// counted is a site whose programs are processes that count.
type counted struct {
	*site
	directory string // of the figures
}

func newCounted(t *testing.T, bin string) *counted {
	t.Helper()
	c := &counted{site: newSite(t), directory: t.TempDir()}
	require.NoError(t, os.Mkdir(filepath.Join(c.home, "bin"), 0o755))
	for _, name := range []string{"build", "run"} {
		require.NoError(t, os.Link(filepath.Join(bin, name), filepath.Join(c.home, "bin", name)))
	}
	c.set(t, "")
	return c
}

// set writes config.yaml with what the section builder has besides.
func (c *counted) set(t *testing.T, more string) {
	t.Helper()
	c.configure(t, fmt.Sprintf(", metrics: {directory: %q}", c.directory)+more)
}

// other returns the same site for another build of the same package, with the same figures.
func (c *counted) other(t *testing.T) *counted {
	t.Helper()
	other := *c.site
	other.output = filepath.Join(t.TempDir(), "bld")
	return &counted{site: &other, directory: c.directory}
}

// process is a program that runs.
type process struct {
	*exec.Cmd
	out stderr
}

func (c *counted) start(t *testing.T, name string) *process {
	t.Helper()
	args := []string{filepath.Join(c.scratch, "src"), filepath.Join(c.scratch, "metadata"), c.output}
	if name == "run" {
		args = []string{c.output, c.launches}
	}
	p := &process{Cmd: exec.Command(filepath.Join(c.home, "bin", name), args...)}
	p.Env, p.Stderr = []string{"PATH=" + os.Getenv("PATH")}, &p.out
	require.NoError(t, p.Start())
	t.Cleanup(func() { _ = p.Process.Kill() })
	return p
}

// status waits for the program and returns its exit status.
func (p *process) status(t *testing.T) int {
	t.Helper()
	if err := p.Wait(); err != nil {
		require.ErrorAs(t, err, new(*exec.ExitError))
	}
	return p.ProcessState.ExitCode()
}

func (c *counted) call(t *testing.T, name string, status int) *process {
	t.Helper()
	p := c.start(t, name)
	require.Equal(t, status, p.status(t), p.out.String())
	return p
}

// read returns the counters that are not 0, without what begins all their names.
func (c *counted) read(t *testing.T) map[string]float64 {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(c.directory, "fabric_chaincode_builder.prom"))
	if os.IsNotExist(err) {
		return nil
	}
	require.NoError(t, err)
	all, err := promtext.Parse(string(text))
	require.NoError(t, err)
	values := map[string]float64{}
	for series, value := range all {
		if value != 0 {
			values[strings.TrimPrefix(series, "fabric_chaincode_builder_")] = value
		}
	}
	return values
}

// await waits until a counter has that value: run counts a launch beside it.
func (c *counted) await(t *testing.T, series string, value float64) {
	t.Helper()
	require.Eventually(t, func() bool { return c.read(t)[series] == value }, time.Minute, time.Millisecond, series)
}

// divide returns those of the counters that are whole numbers in these tests, and the seconds.
func divide(values map[string]float64) (numbers, seconds map[string]float64) {
	numbers, seconds = map[string]float64{}, map[string]float64{}
	for series, value := range values {
		if strings.Contains(series, "_seconds_total") {
			seconds[series] = value
		} else {
			numbers[series] = value
		}
	}
	return numbers, seconds
}

// countingPrograms builds build and run.
func countingPrograms(t *testing.T) string {
	t.Helper()
	bin := t.TempDir()
	build := exec.Command("go", "build", "-o", bin, "./cmd/build", "./cmd/run")
	build.Dir, build.Env = "..", append(os.Environ(), "CGO_ENABLED=0")
	output, err := build.CombinedOutput()
	require.NoError(t, err, string(output))
	return bin
}

func TestEachCounterIsCounted(t *testing.T) {
	bin := countingPrograms(t)
	const (
		built  = `builds_total{type="golang",result="built"}`
		failed = `builds_total{type="golang",result="failed"}`
		first  = `launches_total{result="started"}`
	)
	outOfMemory := func(p *fakeengine.Process) int { return p.OutOfMemory() }
	for name, test := range map[string]struct {
		do      func(*testing.T, *counted)
		numbers map[string]float64
		seconds []string // more than 0
	}{
		"a build": {
			func(t *testing.T, c *counted) {
				c.engine.SetProgram(func(p *fakeengine.Process) int { <-time.After(20 * time.Millisecond); return compiles(p) })
				c.call(t, "build", 0)
			},
			map[string]float64{built: 1},
			[]string{`build_seconds_total{phase="preparing"}`, `build_seconds_total{phase="building"}`, `build_seconds_total{phase="making_image"}`},
		},
		"the image is there": {
			func(t *testing.T, c *counted) { c.call(t, "build", 0); c.other(t).call(t, "build", 0) },
			map[string]float64{built: 1, `builds_total{type="golang",result="reused"}`: 1}, nil,
		},
		"another builder makes the image": {
			func(t *testing.T, c *counted) {
				followed := make(chan int, 1)
				c.engine.SetProgram(func(p *fakeengine.Process) int {
					follower := c.other(t).start(t, "build")
					follower.out.await("waiting for it")
					go func() { followed <- follower.status(t) }()
					return compiles(p)
				})
				c.call(t, "build", 0)
				assert.Zero(t, <-followed)
			},
			map[string]float64{built: 1, `builds_total{type="golang",result="shared"}`: 1},
			[]string{`build_seconds_total{phase="waiting_for_other_builder"}`},
		},
		"a build that fails": {
			func(t *testing.T, c *counted) {
				c.engine.SetProgram(func(*fakeengine.Process) int { return 1 })
				c.call(t, "build", 1)
			},
			map[string]float64{failed: 1}, []string{`build_seconds_total{phase="building"}`},
		},
		"a build that runs out of memory": {
			func(t *testing.T, c *counted) { c.engine.SetProgram(outOfMemory); c.call(t, "build", 1) },
			map[string]float64{failed: 1, `oom_kills_total{container="build"}`: 1}, nil,
		},
		"a build that takes too long": {
			func(t *testing.T, c *counted) {
				c.set(t, ", buildTimeout: 5s")
				c.engine.SetProgram(hangs)
				c.call(t, "build", 1)
			},
			map[string]float64{`builds_total{type="golang",result="timed_out"}`: 1}, []string{`build_seconds_total{phase="building"}`},
		},
		"a build that is stopped": {
			func(t *testing.T, c *counted) {
				c.engine.SetProgram(hangs)
				p := c.start(t, "build")
				p.out.await("build: building: ")
				c.engine.AwaitStreams(t, fakeengine.Wait, 1)
				require.NoError(t, p.Process.Signal(syscall.SIGTERM))
				assert.Equal(t, 1, p.status(t), p.out.String())
			},
			map[string]float64{`builds_total{type="golang",result="stopped"}`: 1}, nil,
		},
		"a package without chaincode": {
			func(t *testing.T, c *counted) {
				require.NoError(t, os.RemoveAll(filepath.Join(c.scratch, "src", "src")))
				c.call(t, "build", 1)
			},
			map[string]float64{failed: 1}, nil,
		},
		"no engine": {
			func(t *testing.T, c *counted) {
				c.call(t, "build", 0)
				text, err := os.ReadFile(filepath.Join(c.home, "config.yaml"))
				require.NoError(t, err)
				text = bytes.Replace(text, []byte(c.engine.Host()), []byte("unix:///not/there.sock"), 1)
				require.NoError(t, os.WriteFile(filepath.Join(c.home, "config.yaml"), text, 0o600))
				c.other(t).call(t, "build", 1)
				c.call(t, "run", 1)
			},
			map[string]float64{built: 1, failed: 1, `launches_total{result="failed"}`: 1}, nil,
		},
		"a pull": {
			func(t *testing.T, c *counted) {
				image, _ := c.engine.Image("ccenv:1")
				c.engine.Publish(image)
				c.engine.RemoveImage("ccenv:1")
				c.engine.On(fakeengine.Pull, fakeengine.Before(func() { <-time.After(20 * time.Millisecond) }))
				c.call(t, "build", 0)
			},
			map[string]float64{built: 1, `pulls_total{result="pulled"}`: 1}, []string{`build_seconds_total{phase="pulling"}`},
		},
		"a pull that fails": {
			func(t *testing.T, c *counted) { c.engine.RemoveImage("ccenv:1"); c.call(t, "build", 1) },
			map[string]float64{failed: 1, `pulls_total{result="failed"}`: 1}, nil,
		},
		"a package that names its image": {
			func(t *testing.T, c *counted) {
				name := "example.com/chaincode@sha256:" + strings.Repeat("1", 64)
				c.write(t, "metadata/metadata.json", fmt.Sprintf(`{"type":"k8s","label":%q}`, logLabel))
				c.write(t, "src/image.json", fmt.Sprintf(`{"name":"example.com/chaincode","digest":%q}`, strings.SplitN(name, "@", 2)[1]))
				c.engine.Publish(fakeengine.Image{Name: name, User: "500:500", Layers: []string{"sha256:c"}})
				c.call(t, "build", 0)
				c.other(t).call(t, "build", 0)
			},
			map[string]float64{`builds_total{type="k8s",result="built"}`: 1, `builds_total{type="k8s",result="reused"}`: 1, `pulls_total{result="pulled"}`: 1}, nil,
		},
		"a service": {
			func(t *testing.T, c *counted) {
				c.write(t, "metadata/metadata.json", fmt.Sprintf(`{"type":"ccaas","label":%q}`, logLabel))
				c.write(t, "src/connection.json", `{"address":"chaincode.example.com:9999","dial_timeout":"10s","tls_required":false}`)
				c.call(t, "build", 0)
			},
			map[string]float64{`builds_total{type="ccaas",result="built"}`: 1}, nil,
		},
		"a chaincode that ends": {
			func(t *testing.T, c *counted) {
				c.call(t, "build", 0)
				c.engine.SetProgram(func(*fakeengine.Process) int { return 2 })
				c.call(t, "run", 2)
				c.engine.SetProgram(func(*fakeengine.Process) int { return 77 })
				c.call(t, "run", 77)
			},
			map[string]float64{built: 1, first: 2, `exits_total{cause="ended",status="2"}`: 1, `exits_total{cause="ended",status="other"}`: 1},
			[]string{"launch_seconds_total"},
		},
		"a chaincode that runs out of memory": {
			func(t *testing.T, c *counted) {
				c.call(t, "build", 0)
				c.engine.SetProgram(outOfMemory)
				c.call(t, "run", 137)
			},
			map[string]float64{built: 1, first: 1, `exits_total{cause="ended",status="137"}`: 1, `oom_kills_total{container="chaincode"}`: 1}, nil,
		},
		"a chaincode that is stopped": {
			func(t *testing.T, c *counted) {
				c.call(t, "build", 0)
				c.engine.SetProgram(fakeengine.Serve(143))
				p := c.start(t, "run")
				c.await(t, first, 1) // while it runs
				require.NoError(t, p.Process.Signal(syscall.SIGTERM))
				assert.Equal(t, 143, p.status(t), p.out.String())
			},
			map[string]float64{built: 1, first: 1, `exits_total{cause="stopped",status="143"}`: 1}, nil,
		},
		"a chaincode that a later run replaces": {
			func(t *testing.T, c *counted) {
				c.call(t, "build", 0)
				c.engine.SetProgram(fakeengine.Serve(143))
				p := c.start(t, "run")
				p.out.await("is running")
				c.engine.SetProgram(fakeengine.Serve(0))
				retry := len(c.engine.Calls(fakeengine.Create)) + 2
				c.engine.On(fakeengine.Inspect, fakeengine.Before(func() { c.engine.Await(t, fakeengine.Create, retry) }))
				later := c.start(t, "run") // is there until the earlier one has looked why its container is gone
				later.out.await("is running")
				p.status(t)
				require.NoError(t, later.Process.Signal(syscall.SIGTERM))
				assert.Zero(t, later.status(t))
			},
			map[string]float64{built: 1, first: 2, `exits_total{cause="replaced",status="137"}`: 1, `exits_total{cause="stopped",status="0"}`: 1}, nil,
		},
		"a container that is removed": {
			func(t *testing.T, c *counted) {
				c.call(t, "build", 0)
				c.engine.SetProgram(func(p *fakeengine.Process) int { c.engine.RemoveContainer(p.Container.Name); return 0 })
				c.call(t, "run", 137)
			},
			map[string]float64{built: 1, first: 1, `exits_total{cause="removed",status="137"}`: 1}, nil,
		},
		"a launch that fails": {
			func(t *testing.T, c *counted) {
				c.call(t, "build", 0)
				c.engine.On(fakeengine.Start, fakeengine.Fail(500, "no space left on device"))
				c.call(t, "run", 1)
			},
			map[string]float64{built: 1, `launches_total{result="failed"}`: 1}, nil,
		},
		"a launch that is stopped": {
			func(t *testing.T, c *counted) {
				c.call(t, "build", 0)
				var p *process
				started := make(chan struct{})
				c.engine.On(fakeengine.Attach, func(call *fakeengine.Call) {
					<-started
					assert.NoError(t, p.Process.Signal(syscall.SIGTERM))
					fakeengine.Hang()(call) // until the signal has arrived
				})
				p = c.start(t, "run")
				close(started)
				assert.Equal(t, 143, p.status(t), p.out.String())
			},
			map[string]float64{built: 1, `launches_total{result="stopped"}`: 1}, nil,
		},
		"a launch that a later run replaces": {
			func(t *testing.T, c *counted) {
				c.call(t, "build", 0)
				c.engine.SetProgram(fakeengine.Serve(0))
				var later *process
				c.engine.On(fakeengine.Create, fakeengine.Once(fakeengine.Before(func() {
					later = c.start(t, "run")
					later.out.await("is running")
				})))
				c.call(t, "run", 0)
				require.NoError(t, later.Process.Signal(syscall.SIGTERM))
				assert.Zero(t, later.status(t))
			},
			map[string]float64{built: 1, first: 1, `launches_total{result="replaced"}`: 1, `exits_total{cause="stopped",status="0"}`: 1}, nil,
		},
		"an image that is gone": {
			func(t *testing.T, c *counted) {
				c.call(t, "build", 0)
				for _, image := range c.engine.Images() {
					if strings.Contains(image, "/golang:") {
						c.engine.RemoveImage(image)
					}
				}
				c.engine.SetProgram(func(p *fakeengine.Process) int {
					if strings.Contains(p.Container.Name, "build") {
						p.Files.Add(platform.OutputDir+"/chaincode", tar.Header{Typeflag: tar.TypeReg, Mode: 0o755}, "binary")
					}
					return 0
				})
				c.call(t, "run", 0)
			},
			map[string]float64{built: 2, "rebuilds_total": 1, first: 1, `exits_total{cause="ended",status="0"}`: 1}, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCounted(t, bin)
			test.do(t, c)
			numbers, seconds := divide(c.read(t))
			assert.Equal(t, test.numbers, numbers)
			for _, series := range test.seconds {
				assert.Positive(t, seconds[series], series)
			}
		})
	}
}

// A build and a launch go on, in one line more.
func TestFiguresThatCannotBeWrittenAreOneWarning(t *testing.T) {
	bin := countingPrograms(t)
	for name, spoil := range map[string]func(*testing.T, *counted){
		"a missing directory": func(t *testing.T, c *counted) { require.NoError(t, os.Remove(c.directory)) },
		"somebody else's file": func(t *testing.T, c *counted) {
			require.NoError(t, os.WriteFile(filepath.Join(c.directory, "fabric_chaincode_builder.prom"), []byte("node_load1 1\n"), 0o600))
		},
		"a lock that is held": func(t *testing.T, c *counted) {
			holder, err := os.Open(c.directory)
			require.NoError(t, err)
			t.Cleanup(func() { holder.Close() })
			require.NoError(t, syscall.Flock(int(holder.Fd()), syscall.LOCK_EX))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCounted(t, bin)
			spoil(t, c)
			const warning = "cannot write the figures for Prometheus, see builder.metrics.directory: "
			out := c.call(t, "build", 0).out.String()
			assert.Equal(t, 1, strings.Count(out, warning), out)
			assert.Contains(t, out, "label="+logLabel, "the warning, too, says whose it is")
			c.engine.SetProgram(func(*fakeengine.Process) int { return 3 })
			out = c.call(t, "run", 3).out.String()
			assert.Equal(t, 1, strings.Count(out, warning), out)
			lines := strings.Split(strings.TrimSpace(out), "\n")
			assert.Contains(t, lines[len(lines)-1], "the chaincode has ended", "the last line still says how it ended")
		})
	}
}

// The table in the docs names each counter and its labels.
func TestTheDocsNameEachCounter(t *testing.T) {
	docs, err := os.ReadFile("../docs/operations.md")
	require.NoError(t, err)
	c := newCounted(t, countingPrograms(t))
	c.call(t, "build", 0)
	text, err := os.ReadFile(filepath.Join(c.directory, "fabric_chaincode_builder.prom"))
	require.NoError(t, err)
	values, err := promtext.Parse(string(text))
	require.NoError(t, err)
	for series := range values {
		name, labels, _ := strings.Cut(strings.TrimPrefix(series, "fabric_chaincode_builder_"), "{")
		var row string
		for line := range strings.Lines(string(docs)) {
			if strings.HasPrefix(line, "| `"+name+"` |") {
				row = line
			}
		}
		require.NotEmpty(t, row, name)
		for label := range strings.SplitSeq(strings.TrimSuffix(labels, "}"), ",") {
			key, value, found := strings.Cut(label, "=")
			if !found {
				continue
			}
			var word string
			require.NoError(t, json.Unmarshal([]byte(value), &word))
			assert.Contains(t, row, "`"+key+"`")
			switch key {
			case "type":
			case "status":
				assert.Contains(t, row, word)
			default:
				assert.Contains(t, row, "`"+word+"`")
			}
		}
	}
}
