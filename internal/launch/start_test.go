// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/test/fakeengine"
)

func TestAnOlderContainerIsRemovedFirst(t *testing.T) {
	tests := map[string]struct {
		began   string
		running bool
	}{
		"running":               {began(time.Hour), true},
		"never started":         {began(time.Hour), false},
		"without a label":       {"", true},
		"with an invalid label": {"yesterday", true},
		"from the future":       {began(-time.Hour), true}, // the clock was set back
	}
	for flavour, options := range flavours {
		for name, test := range tests {
			t.Run(flavour+" "+name, func(t *testing.T) {
				r := newRunner(t, options...)
				r.engine.SetProgram(fakeengine.Serve(0))
				client, old := r.leave(t, test.began)
				if test.running {
					require.NoError(t, client.Start(t.Context(), old))
				}
				left := -1
				r.engine.SetProgram(func(*fakeengine.Process) int { left = len(r.engine.Containers()); return 0 })
				_, err := r.run(t.Context(), t)
				require.NoError(t, err)
				assert.Equal(t, 1, left, "the older one is removed before the new one starts")
				assert.Contains(t, r.output.String(), "removing an older container")
				r.assertNothingLeft(t)
			})
		}
	}
}

func TestTheLaterRunWins(t *testing.T) {
	for flavour, options := range flavours {
		t.Run(flavour, func(t *testing.T) {
			first := newRunner(t, options...)
			second := first.another()
			first.engine.SetProgram(fakeengine.Serve(0))
			_, firstEnded := first.start(t)
			first.awaitRunning(t)
			stopSecond, _ := second.start(t)
			assert.Equal(t, 137, <-firstEnded, "the status of its container, which was killed")
			first.assertLastLine(t, "[INFO]")
			assert.NotContains(t, first.output.String(), "[ERROR]")
			second.awaitRunning(t)
			container, ok := first.engine.Container(first.name())
			require.True(t, ok)
			assert.NotEqual(t, "exited", container.Status, "the first run must not touch the winner's container")
			status, err := stopSecond()
			assert.Zero(t, status, "%v", err)
			first.assertNothingLeft(t)
		})
	}
}

func TestARunThatFindsALaterOneExitsQuietly(t *testing.T) {
	r := newRunner(t)
	r.engine.On(fakeengine.Create, fakeengine.Once(fakeengine.Before(func() { r.leave(t, began(0)) })))
	status, err := r.run(t.Context(), t)
	require.NoError(t, err)
	assert.Zero(t, status)
	r.assertLastLine(t, "[INFO]", "a later run of this chaincode has already started")
	assert.Len(t, r.engine.Containers(), 1, "the later run's")
	assert.Empty(t, r.engine.Calls(fakeengine.Remove, fakeengine.Start))
}

// The name of a chaincode's container changes with the peer's settings.
func TestContainersOfOtherNamesAreFoundByTheirLabels(t *testing.T) {
	for flavour, options := range flavours {
		t.Run(flavour, func(t *testing.T) {
			r := newRunner(t, options...)
			l := r.launchOn(r.connect(t))
			leave := func(name string, began string, change func(labels map[string]string)) {
				t.Helper()
				labels := l.labels()
				labels[metadata.LabelBegan] = began
				change(labels)
				_, _, err := l.engine.CreateOrInspect(t.Context(), docker.Spec{Name: name, Image: imageName, Command: []string{"old"}, Labels: labels})
				require.NoError(t, err)
			}
			leave("older-0123456789abcdef", began(time.Hour), func(map[string]string) {})
			leave("future-0123456789abcdef", began(-time.Hour), func(map[string]string) {})
			leave("committed-from-one", began(time.Hour), func(map[string]string) {}) // an image keeps the labels, and so does its container
			others := []string{metadata.LabelKind, metadata.LabelChaincodeID, metadata.LabelMSPID, metadata.LabelPeerAddress, metadata.LabelInstallToken}
			for i, label := range others {
				leave(fmt.Sprint("other-012345678901234", i), began(time.Hour), func(labels map[string]string) { labels[label] = "another" })
			}
			var left []string
			r.engine.SetProgram(func(*fakeengine.Process) int {
				for _, container := range r.engine.Containers() {
					left = append(left, container.Name)
				}
				return 0
			})
			_, err := r.run(t.Context(), t)
			require.NoError(t, err)
			assert.ElementsMatch(t, []string{r.name(), "committed-from-one", "other-0123456789012340", "other-0123456789012341", "other-0123456789012342",
				"other-0123456789012343", "other-0123456789012344"}, left)
			assert.Len(t, r.engine.Calls(fakeengine.List), 1)

			r.engine.On(fakeengine.List, fakeengine.Once(fakeengine.Before(func() { leave("later-0123456789abcdef", began(0), func(map[string]string) {}) })))
			status, err := r.run(t.Context(), t)
			require.NoError(t, err)
			assert.Zero(t, status)
			r.assertLastLine(t, "a later run of this chaincode has already started")
			_, ok := r.engine.Container("later-0123456789abcdef")
			assert.True(t, ok)
			_, ok = r.engine.Container(r.name())
			assert.False(t, ok, "it removes its own")
		})
	}
}

// Containers of the version before this one were called MSPID-PEER_HOST-CHAINCODE_ID-HASH.
func TestAContainerWithTheNameOfTheLastVersionIsReplaced(t *testing.T) {
	for flavour, options := range flavours {
		for _, running := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, running: %v", flavour, running), func(t *testing.T) {
				r := newRunner(t, options...)
				client := r.connect(t)
				labels := r.launchOn(client).labels()
				labels[metadata.LabelBegan] = began(time.Hour)
				name := "Org1MSP-" + strings.TrimPrefix(r.name(), "dev-")
				require.NotEqual(t, r.name(), name)
				old, _, err := client.CreateOrInspect(t.Context(), docker.Spec{Name: name, Image: imageName, Command: []string{"old"}, Labels: labels})
				require.NoError(t, err)
				if running {
					r.engine.SetProgram(fakeengine.Serve(0))
					require.NoError(t, client.Start(t.Context(), old))
				}
				var beside []string
				r.engine.SetProgram(func(*fakeengine.Process) int {
					for _, container := range r.engine.Containers() {
						beside = append(beside, container.Name)
					}
					return 0
				})
				_, err = r.run(t.Context(), t)
				require.NoError(t, err)
				assert.Equal(t, []string{r.name()}, beside, "the older one is removed before the new one starts")
				r.assertNothingLeft(t)
			})
		}
	}
}

func TestAListThatFailsDoesNotStopTheStart(t *testing.T) {
	r := newRunner(t)
	r.engine.On(fakeengine.List, fakeengine.Fail(http.StatusInternalServerError, "no"))
	_, err := r.run(t.Context(), t)
	require.NoError(t, err)
	assert.Contains(t, r.output.String(), "[WARN]  run: cannot look for older containers")
}

func TestAnotherPeersContainerIsLeftAlone(t *testing.T) {
	r := newRunner(t)
	other := r.another()
	other.record.InstallToken = "another"
	other.leave(t, began(time.Hour))
	_, err := r.run(t.Context(), t)
	require.NoError(t, err)
	assert.Len(t, r.engine.Containers(), 1)
}

// routesToStart returns the calls between create and start, and the start.
func routesToStart(byInput bool) []fakeengine.Route {
	routes := []fakeengine.Route{fakeengine.Attach, fakeengine.Wait, fakeengine.Start}
	if byInput {
		return routes
	}
	return append(routes, fakeengine.Upload)
}

func TestAContainerPrunedBeforeItsStartIsCreatedAgain(t *testing.T) {
	for flavour, options := range flavours {
		for _, byInput := range []bool{true, false} {
			for _, route := range routesToStart(byInput) {
				t.Run(fmt.Sprintf("%s %s, TLS by input: %v", flavour, route, byInput), func(t *testing.T) {
					r := newRunner(t, options...).withTLS()
					r.record.TLSByInput = byInput
					r.engine.SetProgram(prints("hello\n", 0))
					r.engine.On(route, fakeengine.Once(fakeengine.Before(r.engine.Prune)))
					_, err := r.run(t.Context(), t)
					require.NoError(t, err)
					assert.Equal(t, "hello\n", r.printed())
					assert.Len(t, r.engine.Calls(fakeengine.Create), 2)
					r.assertNothingLeft(t)
				})
			}
		}
	}
}

func TestRunGivesUpOnAnEngineThatPrunesAllTheTime(t *testing.T) {
	r := newRunner(t)
	r.engine.On(fakeengine.Start, fakeengine.Before(r.engine.Prune))
	status, err := r.run(t.Context(), t)
	assert.Equal(t, 1, status)
	assert.ErrorContains(t, err, "No such container")
	assert.Len(t, r.engine.Calls(fakeengine.Create), 1+maxRecreated)
}

func TestAMissingImageWithoutSourceSaysWhatToDo(t *testing.T) {
	for flavour, options := range flavours {
		t.Run(flavour, func(t *testing.T) {
			r := newRunner(t, options...)
			r.engine.RemoveImage(imageName)
			status, err := r.run(t.Context(), t)
			assert.Equal(t, 1, status)
			assert.ErrorContains(t, err, "is gone from the engine")
			assert.ErrorContains(t, err, "the source was not saved")
			assert.ErrorContains(t, err, "restart the peer")
			assert.Len(t, r.engine.Calls(fakeengine.Create), 1)
		})
	}
}

func TestAFailedStartLeavesNoContainer(t *testing.T) {
	for name, status := range map[string]int{"docker": http.StatusBadRequest, "podman": http.StatusInternalServerError} {
		t.Run(name, func(t *testing.T) {
			r := newRunner(t)
			r.engine.On(fakeengine.Start, fakeengine.Fail(status, `exec: "chaincode": executable file not found in $PATH`))
			status, err := r.run(t.Context(), t)
			assert.Equal(t, 1, status)
			assert.ErrorContains(t, err, "starting the chaincode: ")
			assert.ErrorContains(t, err, "executable file not found")
			assert.Len(t, r.engine.Calls(fakeengine.Create), 1)
			r.assertNothingLeft(t)
		})
	}
}

// After the start time-out the peer gives up, and its next attempt must not find a container of this one.
func TestAnEngineThatHangsDoesNotHoldTheStartUp(t *testing.T) {
	for _, byInput := range []bool{true, false} {
		for _, route := range routesToStart(byInput) {
			t.Run(fmt.Sprintf("%s, TLS by input: %v", route, byInput), func(t *testing.T) {
				t.Parallel()
				r := newRunner(t).withTLS()
				r.record.TLSByInput = byInput
				r.engine.On(route, fakeengine.Hang())
				process := r.process(t)
				process.Environ = append(process.Environ, "CORE_CHAINCODE_STARTUPTIMEOUT=1s")
				err := Run(t.Context(), process)
				assert.ErrorContains(t, err, "not started within 1s (see chaincode.startuptimeout)")
				r.assertNothingLeft(t)
			})
		}
	}
}

// The context of the start-up ends as soon as the container has started.
func TestASessionOutlivesTheStartUp(t *testing.T) {
	r := newRunner(t)
	over := make(chan struct{})
	r.engine.SetProgram(func(p *fakeengine.Process) int {
		<-over
		p.Stdout.Write([]byte("still here\n"))
		return 3
	})
	client := r.connect(t)
	l := r.launchOn(client)
	id, _, err := client.CreateOrInspect(t.Context(), docker.Spec{Name: l.containerName(), Image: imageName, Command: []string{"chaincode"}})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	s, err := l.open(ctx, id, nil)
	require.NoError(t, err)
	require.NoError(t, client.Start(t.Context(), id))
	cancel()
	close(over)
	e, err := l.awaitEnd(t.Context(), s)
	require.NoError(t, err)
	assert.Equal(t, 3, e.status)
	assert.Equal(t, "still here\n", r.printed())
	assert.NotContains(t, r.output.String(), "reconnecting")
	r.assertNothingLeft(t)
}
