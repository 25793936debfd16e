// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/cli"
	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/loglines"
	"fabric-builder-docker/test/fakeengine"
)

// lines returns numbered lines, so that a lost or repeated one shows.
func lines(from, to int) string {
	var text strings.Builder
	for i := from; i < to; i++ {
		fmt.Fprintf(&text, "line %d of the chaincode\n", i)
	}
	return text.String()
}

func TestOutputResumesAfterACutWithoutLosingOrRepeatingBytes(t *testing.T) {
	for place, after := range map[string]int{
		"inside a frame": 8 + 1000, "between two frames": 8 + len(lines(0, 100)), "inside a header": 3, "before the first byte": 0,
	} {
		t.Run(place, func(t *testing.T) {
			t.Parallel()
			r := newRunner(t)
			r.engine.On(fakeengine.Attach, fakeengine.Cut(after))
			r.engine.SetProgram(func(p *fakeengine.Process) int {
				p.Stdout.Write([]byte(lines(0, 100)))
				p.Stdout.Write([]byte(lines(100, 200)))
				r.engine.Await(t, fakeengine.Logs, 1)
				p.Stdout.Write([]byte(lines(200, 300)))
				return 3
			})
			status, _ := r.run(t.Context(), t)
			assert.Equal(t, 3, status)
			assert.Equal(t, lines(0, 300), r.printed())
			r.assertLastLine(t, "the chaincode has ended", "exit_status=3")
			r.assertNothingLeft(t)
		})
	}
}

// The container exits before run can reconnect.
func TestOutputBetweenACutAndTheExitIsNotLost(t *testing.T) {
	for _, after := range []int{8 + 1000, 8 + len(lines(0, 100))} {
		t.Run(fmt.Sprint(after), func(t *testing.T) {
			t.Parallel()
			r := newRunner(t)
			r.engine.On(fakeengine.Attach, fakeengine.Cut(after))
			noticed := make(chan struct{})
			r.engine.SetProgram(func(p *fakeengine.Process) int {
				p.Stdout.Write([]byte(lines(0, 100)))
				select {
				case <-p.Killed:
				case <-noticed:
				}
				p.Stdout.Write([]byte(lines(100, 200)))
				return 0
			})
			client := r.connect(t)
			l := r.launchOn(client)
			id, _, err := client.CreateOrInspect(t.Context(), docker.Spec{Name: l.containerName(), Image: imageName, Command: []string{"chaincode"}})
			require.NoError(t, err)
			s, err := l.open(t.Context(), id, nil)
			require.NoError(t, err)
			require.NoError(t, client.Start(t.Context(), id))
			for range s.copied { // ends with the cut
			}
			<-time.After(2 * usualExitLag) // so that the exit is late enough for run to catch up
			close(noticed)
			_, err = l.awaitEnd(t.Context(), s)
			require.NoError(t, err)
			require.NoError(t, s.flush())
			assert.Equal(t, lines(0, 200), r.printed())
		})
	}
}

func TestALostWaitIsResumed(t *testing.T) {
	for flavour, options := range flavours {
		t.Run(flavour, func(t *testing.T) {
			t.Parallel()
			r := newRunner(t, options...)
			r.engine.SetProgram(func(p *fakeengine.Process) int {
				p.Stdout.Write([]byte(lines(0, 10)))
				r.engine.Disconnect(fakeengine.Wait)
				r.engine.Await(t, fakeengine.Wait, 2)
				p.Stdout.Write([]byte(lines(10, 20)))
				return 3
			})
			status, _ := r.run(t.Context(), t)
			assert.Equal(t, 3, status)
			assert.Equal(t, lines(0, 20), r.printed())
			assert.Contains(t, r.output.String(), "reconnected to the container")
			r.assertNothingLeft(t)
		})
	}
}

// With live restore, containers keep running while the engine restarts.
func TestRunWaitsForAnEngineThatRestarts(t *testing.T) {
	r := newRunner(t)
	r.engine.SetProgram(func(p *fakeengine.Process) int {
		p.Stdout.Write([]byte(lines(0, 10)))
		r.engine.On(fakeengine.Wait, fakeengine.Once(fakeengine.Drop()))
		r.engine.On(fakeengine.Logs, fakeengine.Once(fakeengine.Fail(http.StatusServiceUnavailable, "starting")))
		r.engine.Disconnect(fakeengine.Wait, fakeengine.Attach)
		p.Stdout.Write([]byte(lines(10, 20)))
		r.engine.Await(t, fakeengine.Wait, 2) // run has noticed
		return 3                              // while it is disconnected
	})
	status, _ := r.run(t.Context(), t)
	assert.Equal(t, 3, status)
	assert.Equal(t, lines(0, 20), r.printed())
	r.assertNothingLeft(t)
}

func TestAContainerRemovedWhileDisconnectedEndsTheRun(t *testing.T) {
	r := newRunner(t)
	r.engine.SetProgram(func(p *fakeengine.Process) int {
		r.engine.On(fakeengine.Wait, fakeengine.Before(func() { r.engine.RemoveContainer(p.Container.Name) }))
		r.engine.Disconnect(fakeengine.Wait, fakeengine.Attach)
		return p.Serve(0)
	})
	status, _ := r.run(t.Context(), t)
	assert.Equal(t, 1, status)
	r.assertLastLine(t, "[INFO]", "was removed")
	r.assertNothingLeft(t)
}

func TestASignalWhileDisconnectedRemovesTheContainer(t *testing.T) {
	r := newRunner(t)
	stopping := make(chan struct{})
	r.engine.SetProgram(func(p *fakeengine.Process) int {
		r.engine.On(fakeengine.Wait, fakeengine.Fail(http.StatusServiceUnavailable, "starting"))
		r.engine.Disconnect(fakeengine.Wait, fakeengine.Attach)
		r.engine.Await(t, fakeengine.Wait, 2)
		close(stopping)
		return p.Serve(0)
	})
	stop, _ := r.start(t)
	<-stopping
	stop()
	r.assertLastLine(t, "stopped")
	r.assertNothingLeft(t)
}

// randomLines returns lines of which many are equal, some are longer than a piece of the log, and some are empty.
func randomLines(random *rand.Rand, serial *int) string {
	var text strings.Builder
	for range 1 + random.IntN(20) {
		switch random.IntN(16) {
		case 0:
			fmt.Fprintf(&text, "%d %s", *serial, strings.Repeat("long ", random.IntN(10_000)))
		case 1, 2, 3:
			fmt.Fprintf(&text, "line %d", *serial)
		case 4:
		default:
			text.WriteString("the same line")
		}
		*serial++
		text.WriteString("\n")
	}
	return text.String()
}

// Whatever is cut, and whenever, and however often the engine rotates its log meanwhile.
func TestNoLineIsLostOrDoubledAtCuts(t *testing.T) {
	for flavour, options := range flavours {
		for _, seed := range []uint64{1, 2, 1795733325749371068, uint64(time.Now().UnixNano())} {
			t.Run(flavour, func(t *testing.T) {
				t.Parallel()
				t.Logf("seed %d", seed)
				random := rand.New(rand.NewPCG(seed, 0))
				r := newRunner(t, options...)
				var stdout, stderr strings.Builder
				r.engine.SetProgram(func(p *fakeengine.Process) int {
					serial := 0
					for range 150 {
						text, errs := randomLines(random, &serial), fmt.Sprintf("error %d\n", serial/100)
						stdout.WriteString(text)
						stderr.WriteString(errs)
						p.Stdout.Write([]byte(text))
						p.Stderr.Write([]byte(errs))
						switch random.IntN(30) {
						case 0:
							r.engine.Disconnect(fakeengine.Wait, fakeengine.Attach, fakeengine.Logs)
						case 1:
							r.engine.Disconnect(fakeengine.Logs)
						case 2:
							r.engine.On(fakeengine.Logs, fakeengine.Once(fakeengine.Cut(random.IntN(20_000))))
						case 3:
							r.engine.Rotate(p.Container.Name, 2000)
						}
						<-time.After(time.Duration(random.IntN(20)) * time.Millisecond)
					}
					return 3
				})
				status, _ := r.run(t.Context(), t)
				assert.Equal(t, 3, status)
				var gotStdout, gotStderr strings.Builder
				for line := range strings.Lines(r.printed()) {
					if strings.HasPrefix(line, "error ") {
						gotStderr.WriteString(line)
					} else {
						gotStdout.WriteString(line)
					}
				}
				assertSame(t, stdout.String(), gotStdout.String())
				assertSame(t, stderr.String(), gotStderr.String())
				assert.NotContains(t, r.output.String(), "[WARN]  run: lines")
				r.assertNothingLeft(t)
			})
		}
	}
}

// assertSame compares what was printed with what came to stderr, where long lines are split, and shows the first difference.
func assertSame(t *testing.T, want, got string) {
	t.Helper()
	const prefix = "basic_1.0:abc | "
	var split bytes.Buffer
	w := loglines.NewWriter(&split, prefix)
	w.Write([]byte(want))
	want = strings.ReplaceAll(split.String(), prefix, "")
	same := 0
	for same < min(len(want), len(got)) && want[same] == got[same] {
		same++
	}
	if want != got {
		t.Errorf("after %d of %d bytes: expected %.100q, got %.100q", same, len(want), want[same:], got[same:])
	}
}

func TestMissingLinesAreReported(t *testing.T) {
	for flavour, options := range flavours {
		t.Run(flavour, func(t *testing.T) {
			t.Parallel()
			r := newRunner(t, options...)
			r.engine.SetProgram(func(p *fakeengine.Process) int {
				p.Stdout.Write([]byte(lines(0, 10)))
				r.awaitPrinted(t, lines(0, 10))
				r.engine.On(fakeengine.Wait, fakeengine.Before(func() {
					p.Stdout.Write([]byte(lines(10, 100)))
					r.engine.Rotate(p.Container.Name, 5)
				}))
				r.engine.Disconnect(fakeengine.Wait, fakeengine.Attach)
				r.awaitPrinted(t, "line 99 of the chaincode\n")
				p.Stdout.Write([]byte(lines(100, 200)))
				r.engine.Rotate(p.Container.Name, 5)
				return 0
			})
			status, _ := r.run(t.Context(), t)
			assert.Equal(t, 0, status)
			assert.Equal(t, lines(0, 10)+lines(95, 100)+lines(195, 200), r.printed())
			assert.Contains(t, r.output.String(), "[WARN]  run: lines of the chaincode's output ")
			assert.Contains(t, r.output.String(), "vm.docker.hostConfig.LogConfig")
			r.assertNothingLeft(t)
		})
	}
}

// The log is read from before the last output, by the engine's clock.
func TestOutputResumesOnAnEngineWithAnotherClock(t *testing.T) {
	for _, skew := range []time.Duration{time.Hour, -time.Hour, 300 * time.Millisecond} {
		t.Run(skew.String(), func(t *testing.T) {
			t.Parallel()
			r := newRunner(t)
			r.engine.SetSkew(skew)
			r.engine.SetProgram(func(p *fakeengine.Process) int {
				p.Stdout.Write([]byte(strings.Repeat("the same line\n", 100)))
				r.awaitPrinted(t, strings.Repeat("the same line\n", 100))
				r.engine.Disconnect(fakeengine.Wait, fakeengine.Attach)
				p.Stdout.Write([]byte("the same line\nanother line\n"))
				r.engine.Await(t, fakeengine.Wait, 2) // otherwise it looks like a normal end
				return 0
			})
			r.run(t.Context(), t)
			assert.Equal(t, strings.Repeat("the same line\n", 101)+"another line\n", r.printed())
			assert.NotContains(t, r.output.String(), "missing")
		})
	}
}

func TestAnUnfinishedLineResumesAfterACut(t *testing.T) {
	r := newRunner(t)
	r.engine.SetProgram(func(p *fakeengine.Process) int {
		p.Stdout.Write([]byte("one\ntw"))
		r.awaitPrinted(t, "one\n")
		r.engine.Disconnect(fakeengine.Wait, fakeengine.Attach)
		r.engine.Await(t, fakeengine.Logs, 2)
		p.Stdout.Write([]byte("o\nthree\n"))
		return 0
	})
	r.run(t.Context(), t)
	assert.Equal(t, "one\ntwo\nthree\n", r.printed())
}

func TestOutputGoesOnIfTheLogCannotBeRead(t *testing.T) {
	for reason, answer := range map[string]fakeengine.Fault{
		"configured logging driver does not support reading": fakeengine.Fail(http.StatusNotImplemented, "configured logging driver does not support reading"),
		"a proxy in front of the engine":                     fakeengine.Answer(http.StatusMethodNotAllowed, "Method Not Allowed"),
	} {
		t.Run(reason, func(t *testing.T) {
			r := newRunner(t)
			r.engine.On(fakeengine.Logs, answer)
			r.engine.SetProgram(func(p *fakeengine.Process) int {
				p.Stdout.Write([]byte(lines(0, 10)))
				r.awaitPrinted(t, lines(0, 10))
				r.engine.Disconnect(fakeengine.Wait, fakeengine.Attach)
				p.Stdout.Write([]byte("lost\n"))
				r.engine.Await(t, fakeengine.Attach, 2)
				for !strings.HasSuffix(r.printed(), "here\n") { // until the engine has attached the client
					p.Stdout.Write([]byte("here\n"))
					<-time.After(time.Millisecond)
				}
				return 3
			})
			status, _ := r.run(t.Context(), t)
			assert.Equal(t, 3, status)
			assert.True(t, strings.HasPrefix(r.printed(), lines(0, 10)+"here\n"))
			assert.Contains(t, r.output.String(), "[WARN]  run: what the chaincode has printed since is lost")
			assert.Contains(t, r.output.String(), reason)
			r.assertNothingLeft(t)
		})
	}
}

// With output turned off, nothing reads the log.
func TestOutputThatIsTurnedOffIsNotReadFromTheLog(t *testing.T) {
	r := newRunner(t)
	r.engine.SetProgram(func(p *fakeengine.Process) int {
		p.Stdout.Write([]byte(lines(0, 10)))
		r.engine.Disconnect(fakeengine.Wait, fakeengine.Attach)
		r.engine.Await(t, fakeengine.Wait, 2)
		return 3
	})
	process := r.process(t)
	process.Environ = append(process.Environ, "CORE_VM_DOCKER_ATTACHSTDOUT=false")
	assert.Equal(t, cli.Status(3), Run(t.Context(), process))
	assert.Empty(t, r.printed())
	assert.Empty(t, r.engine.Calls(fakeengine.Logs))
	r.assertNothingLeft(t)
}

// awaitPrinted waits until text is the end of what was printed.
func (r *runner) awaitPrinted(t *testing.T, text string) {
	t.Helper()
	require.Eventually(t, func() bool { return strings.HasSuffix(r.printed(), text) }, time.Minute, time.Millisecond)
}
