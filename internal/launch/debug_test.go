// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/tlsfiles"
	"fabric-builder-docker/test/fakeengine"
)

// debugging returns config.yaml with one override.
func debugging(debug string) string {
	return "vm: {docker: {hostConfig: {NetworkMode: bridge}}}\nbuilder: {overrides: [{label: other, debug: {ports: [1]}}, {label: \"basic_*\", debug: {" + debug + "}}]}"
}

// debugWarnings returns the lines that say that debugging is on.
func (r *runner) debugWarnings() (lines []string) {
	for line := range strings.Lines(r.output.String()) {
		if strings.Contains(line, "debugging is on") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

func TestDebuggingIsOffByDefault(t *testing.T) {
	r := newRunner(t)
	r.settings = "builder: {overrides: [{label: other, debug: {ports: [9229], keep: true, command: [x], logLevel: debug}}]}"
	_, err := r.run(t.Context(), t)
	require.NoError(t, err)
	assert.Empty(t, r.debugWarnings())
	assert.Empty(t, r.engine.Containers())
	body := string(r.engine.Calls(fakeengine.Create)[0].Body)
	assert.NotContains(t, body, "9229")
	assert.NotContains(t, body, metadata.LabelKeep)
}

// Every launch says so, in one line that names the override.
func TestEveryLaunchSaysThatDebuggingIsOn(t *testing.T) {
	for name, test := range map[string]struct{ debug, want string }{
		"ports":     {"ports: [9229, 9230:9229]", `ports=["9229", "9230:9229"]`},
		"command":   {"command: [node, --inspect]", `command=["node", "--inspect"]`},
		"log level": {"logLevel: debug", "log_level=debug"},
		"keep":      {"keep: true", "keep=true"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRunner(t)
			r.settings = debugging(test.debug)
			for n := 1; n <= 2; n++ {
				r.run(t.Context(), t)
				assert.Len(t, r.debugWarnings(), n)
			}
			assert.Equal(t, `[WARN]  run: debugging is on for this chaincode: chaincode_id=basic_1.0:abc set_by=["builder.overrides[1]"] `+test.want, r.debugWarnings()[0])
		})
	}
}

func TestPublishedPorts(t *testing.T) {
	for name, test := range map[string]struct{ ports, address, hostPort, log string }{
		"a number":               {"[9229]", "127.0.0.1", "9229", "ports=[127.0.0.1:9229->9229]"},
		"a port of the host":     {`["1234:9229"]`, "127.0.0.1", "1234", "ports=[127.0.0.1:1234->9229]"},
		"an address":             {`["192.0.2.1:1234:9229"]`, "192.0.2.1", "1234", "ports=[192.0.2.1:1234->9229]"},
		"all addresses":          {`["0.0.0.0:1234:9229"]`, "0.0.0.0", "1234", "ports=[0.0.0.0:1234->9229]"},
		"IPv6":                   {`["[::1]:1234:9229"]`, "::1", "1234", "ports=[[::1]:1234->9229]"},
		"of the engine's choice": {`["127.0.0.1::9229"]`, "127.0.0.1", "", "ports=[127.0.0.1:49153->9229]"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRunner(t)
			r.settings = debugging("ports: " + test.ports)
			r.engine.SetProgram(fakeengine.Serve(0))
			stop, _ := r.start(t)
			r.awaitRunning(t)
			assert.Contains(t, r.output.String(), test.log)
			stop()
			var body struct {
				ExposedPorts map[string]struct{}
				HostConfig   struct {
					PortBindings map[string][]struct {
						HostIP   string `json:"HostIp"`
						HostPort string
					}
				}
			}
			require.NoError(t, json.Unmarshal(r.engine.Calls(fakeengine.Create)[0].Body, &body))
			assert.Equal(t, map[string]struct{}{"9229/tcp": {}}, body.ExposedPorts)
			bindings := body.HostConfig.PortBindings["9229/tcp"]
			require.Len(t, bindings, 1)
			assert.Equal(t, test.address, bindings[0].HostIP)
			assert.Equal(t, test.hostPort, bindings[0].HostPort)
		})
	}
}

func TestPortsInOtherNetworkModes(t *testing.T) {
	for mode, want := range map[string]string{
		"host":          "not published: the chaincode uses the network of the engine's machine",
		"none":          `cannot publish the ports in debug.ports of builder.overrides[0]: the chaincode's network mode is "none" (set network there`,
		"container:abc": `the chaincode's network mode is "container:abc"`,
	} {
		t.Run(mode, func(t *testing.T) {
			r := newRunner(t)
			r.settings = `builder: {overrides: [{label: "*", network: "` + mode + `", debug: {ports: [9229]}}]}`
			_, err := r.run(t.Context(), t)
			if mode == "host" {
				require.NoError(t, err)
				assert.Contains(t, r.output.String(), want)
				assert.NotContains(t, string(r.engine.Calls(fakeengine.Create)[0].Body), "9229")
				return
			}
			require.ErrorContains(t, err, want)
			assert.Empty(t, r.engine.Calls(fakeengine.Create))
		})
	}
}

func TestAPortThatIsInUse(t *testing.T) {
	r := newRunner(t)
	r.settings = debugging("ports: [9229], keep: true")
	r.engine.SetProgram(fakeengine.Serve(0))
	stop, _ := r.start(t)
	r.awaitRunning(t)
	other := r.another()
	other.chaincode.ID = "basic_2.0:abc"
	_, err := other.run(t.Context(), t)
	require.ErrorContains(t, err, "port is already allocated")
	require.ErrorContains(t, err, "each port in debug.ports of builder.overrides[1] must be free on the engine's machine")
	assert.Len(t, r.engine.Containers(), 1, "what has never run is not kept")
	stop()
}

// The TLS files still arrive, with and without a shell, and the image's entrypoint does not run.
func TestAnotherCommandStillGetsItsTLSFiles(t *testing.T) {
	for name, byInput := range map[string]bool{"by input": true, "by archive": false} {
		for tls, withTLS := range map[string]bool{"TLS": true, "no TLS": false} {
			t.Run(name+", "+tls, func(t *testing.T) {
				r := newRunner(t)
				r.record.Entrypoint = []string{"/chaincode"}
				if withTLS {
					r.withTLS()
				}
				if byInput {
					r.byInput()
				}
				r.settings = debugging("command: [dlv, exec, /chaincode]")
				var container fakeengine.Container
				r.engine.SetProgram(func(p *fakeengine.Process) int { container = p.Container; return 0 })
				_, err := r.run(t.Context(), t)
				require.NoError(t, err)
				want := []string{"dlv"}
				if byInput && withTLS {
					want = tlsfiles.WrapCommand(tlsfiles.Dir, tlsfiles.KeyOfUser, want)
				}
				assert.Equal(t, want, container.Entrypoint)
				assert.Equal(t, []string{"exec", "/chaincode"}, container.Command)
				assert.Contains(t, container.Env, "CORE_PEER_ADDRESS="+r.chaincode.PeerAddress)
				assert.Len(t, uploads(r), map[bool]int{true: 1, false: 0}[withTLS && !byInput])
			})
		}
	}
}

func TestMoreLog(t *testing.T) {
	r := newRunner(t)
	r.settings = debugging("logLevel: debug")
	var container fakeengine.Container
	r.engine.SetProgram(func(p *fakeengine.Process) int { container = p.Container; return 0 })
	_, err := r.run(t.Context(), t)
	require.NoError(t, err)
	assert.Subset(t, container.Env, []string{"CORE_CHAINCODE_LOGGING_LEVEL=debug", "CORE_CHAINCODE_LOGGING_SHIM=debug"})
}

// A container stays after its end, whatever its status, and the exit status of run is the same.
func TestAKeptContainerIsRemovedByTheNextRun(t *testing.T) {
	for flavour, options := range flavours {
		t.Run(flavour, func(t *testing.T) {
			r := newRunner(t, options...)
			r.settings = debugging("keep: true")
			r.engine.SetProgram(prints("last words\n", 3))
			status, _ := r.run(t.Context(), t)
			assert.Equal(t, 3, status)
			r.assertLastLine(t, "[ERROR]", "the chaincode has ended", "exit_status=3", "kept_container="+r.name())
			kept := r.engine.Containers()
			require.Len(t, kept, 1)
			assert.Equal(t, 3, kept[0].ExitCode)
			assert.Equal(t, "true", kept[0].Labels[metadata.LabelKeep])

			next := r.another()
			next.settings = ""
			next.engine.SetProgram(prints("", 0))
			_, err := next.run(t.Context(), t)
			require.NoError(t, err)
			assert.Contains(t, next.output.String(), "removing an older container of this chaincode")
			next.assertNothingLeft(t)
		})
	}
}

// The peer's signal stops the chaincode; its container stays, and run is done before the peer kills it.
func TestASignalStopsAndKeeps(t *testing.T) {
	for flavour, options := range flavours {
		for name, program := range map[string]fakeengine.Program{
			"it ends":            fakeengine.Serve(2),
			"it ignores SIGTERM": func(p *fakeengine.Process) int { <-p.Killed; return 0 },
		} {
			t.Run(flavour+", "+name, func(t *testing.T) {
				t.Parallel()
				r := newRunner(t, options...)
				r.settings = debugging("keep: true")
				r.engine.SetProgram(program)
				stop, _ := r.start(t)
				r.awaitRunning(t)
				status, _ := stop()
				assert.Contains(t, map[string][]int{"it ends": {2}, "it ignores SIGTERM": {137, 143}}[name], status) // 143 if the engine is slow
				r.assertLastLine(t, "[INFO]", "the chaincode was stopped", "kept_container="+r.name())
				require.Len(t, r.engine.Containers(), 1)
				assert.NotEqual(t, "running", r.engine.Containers()[0].Status)
			})
		}
	}
}

// A container that could not be stopped must not go on running without a run.
func TestAContainerThatCannotBeStoppedIsNotKept(t *testing.T) {
	r := newRunner(t)
	r.settings = debugging("keep: true")
	r.engine.SetProgram(func(p *fakeengine.Process) int { <-p.Killed; return 0 })
	r.engine.On(fakeengine.Stop, fakeengine.Fail(500, "broken"))
	stop, _ := r.start(t)
	r.awaitRunning(t)
	stop()
	r.assertNothingLeft(t)
	assert.NotContains(t, r.lastLine(), "kept_container")
}

func TestAContainerThatNeverRanIsNotKept(t *testing.T) {
	r := newRunner(t)
	r.settings = debugging("keep: true")
	ctx, cancel := context.WithCancelCause(t.Context())
	r.engine.On(fakeengine.Start, fakeengine.Before(func() { cancel(sigterm) }))
	r.engine.On(fakeengine.Start, fakeengine.Hang())
	status, _ := r.run(ctx, t)
	assert.Equal(t, 143, status)
	r.assertNothingLeft(t)
}

// A later run of the same chaincode takes a container over: it is that run's to remove.
func TestAContainerThatIsTakenOverIsNotKept(t *testing.T) {
	r := newRunner(t)
	r.settings = debugging("keep: true")
	r.engine.SetProgram(fakeengine.Serve(0))
	_, ended := r.start(t)
	r.awaitRunning(t)
	later := r.another()
	stop, _ := later.start(t)
	later.awaitRunning(t)
	<-ended
	require.Len(t, r.engine.Containers(), 1)
	assert.NotContains(t, r.lastLine(), "kept_container")
	stop()
	require.Len(t, r.engine.Containers(), 1)
	assert.Contains(t, later.lastLine(), "kept_container")
}
