// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/config"
	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/test/fakeengine"
)

func TestRunExitsWithTheChaincodesStatus(t *testing.T) {
	tests := map[string]struct {
		program fakeengine.Program
		status  int
		last    []string
	}{
		"well":            {prints("bye\n", 0), 0, []string{"[INFO]", "the chaincode has ended", "exit_status=0"}},
		"with a status":   {prints("bye\n", 3), 3, []string{"[ERROR]", "the chaincode has ended", "exit_status=3"}},
		"unfinished line": {prints("bye", 1), 1, []string{"the chaincode has ended", "exit_status=1"}},
	}
	for flavour, options := range flavours {
		for name, test := range tests {
			t.Run(flavour+" "+name, func(t *testing.T) {
				r := newRunner(t, options...)
				r.engine.SetProgram(test.program)
				status, _ := r.run(t.Context(), t)
				assert.Equal(t, test.status, status)
				assert.Equal(t, "bye\n", r.printed(), "all of it, although it exited at once")
				r.assertLastLine(t, append(test.last, "basic_1.0:abc")...)
				r.assertNothingLeft(t)
			})
		}
	}
}

func TestRunReportsThatTheChaincodeRanOutOfMemory(t *testing.T) {
	r := newRunner(t)
	r.engine.SetProgram(func(p *fakeengine.Process) int { return p.OutOfMemory() })
	status, _ := r.run(t.Context(), t)
	assert.Equal(t, 137, status)
	r.assertLastLine(t, "[ERROR]", "ran out of memory", "vm.docker.hostConfig.Memory", "exit_status=137")
	r.assertNothingLeft(t)
}

func TestRunForwardsBothStreams(t *testing.T) {
	r := newRunner(t)
	r.engine.SetProgram(func(p *fakeengine.Process) int {
		for range 100 {
			p.Stdout.Write([]byte("to stdout\n"))
			p.Stderr.Write([]byte("to stderr\n"))
		}
		return 0
	})
	_, err := r.run(t.Context(), t)
	require.NoError(t, err)
	assert.Equal(t, 100, strings.Count(r.printed(), "to stdout\n"))
	assert.Equal(t, 100, strings.Count(r.printed(), "to stderr\n"))
}

// Nothing else reports how the chaincode ended.
func TestAFailedRemovalDoesNotHideTheExitStatus(t *testing.T) {
	r := newRunner(t)
	r.engine.SetProgram(prints("", 4))
	r.engine.On(fakeengine.Remove, fakeengine.Fail(http.StatusInternalServerError, "device or resource busy"))
	status, _ := r.run(t.Context(), t)
	assert.Equal(t, 4, status)
	assert.Contains(t, r.output.String(), "device or resource busy")
	r.assertLastLine(t, "the chaincode has ended", "exit_status=4")
}

func TestARemovalIsRetriedAfterALostConnection(t *testing.T) {
	r := newRunner(t)
	r.engine.SetProgram(prints("", 4))
	r.engine.On(fakeengine.Remove, fakeengine.Once(fakeengine.Drop()))
	status, _ := r.run(t.Context(), t)
	assert.Equal(t, 4, status)
	r.assertLastLine(t, "the chaincode has ended", "exit_status=4")
	r.assertNothingLeft(t)
}

func TestARemovalByAnOperatorEndsTheRun(t *testing.T) {
	r := newRunner(t)
	r.engine.SetProgram(func(p *fakeengine.Process) int {
		r.engine.RemoveContainer(p.Container.Name)
		return 0
	})
	status, _ := r.run(t.Context(), t)
	assert.Equal(t, 137, status)
	r.assertLastLine(t, "[INFO]", "was removed")
}

func TestTheContainerIsAsTheBuiltInHasIt(t *testing.T) {
	r := newRunner(t)
	var got fakeengine.Container
	r.engine.SetProgram(func(p *fakeengine.Process) int { got = p.Container; return 0 })
	_, err := r.run(t.Context(), t)
	require.NoError(t, err)
	assert.Equal(t, r.name(), got.Name)
	assert.Equal(t, imageName, got.Image)
	assert.Equal(t, []string{"chaincode", "-peer.address=peer0.org1.example.com:7052"}, got.Command)
	assert.Equal(t, "host", got.Network, "the engine is on this host")
	assert.Equal(t, metadata.KindChaincode, got.Labels[metadata.LabelKind])
	assert.Equal(t, "basic_1.0:abc", got.Labels[metadata.LabelChaincodeID])
	assert.Equal(t, []string{
		"CORE_CHAINCODE_ID_NAME=basic_1.0:abc", "CORE_CHAINCODE_LOGGING_LEVEL=info", "CORE_CHAINCODE_LOGGING_SHIM=warn",
		"CORE_CHAINCODE_LOGGING_FORMAT=" + config.Defaults().Chaincode.Logging.Format,
		"CORE_PEER_ADDRESS=peer0.org1.example.com:7052", "CORE_PEER_LOCALMSPID=Org1MSP", "CORE_PEER_TLS_ENABLED=false", "TINI_KILL_PROCESS_GROUP=1",
	}, got.Env, "no TLS variables, not even empty ones")
	assert.Empty(t, r.engine.Calls(fakeengine.Upload))
}

func TestTLSFilesBelongToTheChaincodesUser(t *testing.T) {
	r := newRunner(t).withTLS()
	const dir = "/etc/hyperledger/fabric/"
	files := map[string]fakeengine.File{}
	var environment []string
	r.engine.SetProgram(func(p *fakeengine.Process) int {
		for _, name := range p.Files.Names(dir) {
			files[strings.TrimPrefix(name, dir)], _ = p.Files.Get(name)
		}
		environment = p.Container.Env
		return 0
	})
	_, err := r.run(t.Context(), t)
	require.NoError(t, err)
	require.Len(t, files, 5)
	for name, mode := range map[string]int64{
		"client.crt": 0o444, "client.key": 0o400, "client_pem.crt": 0o444, "client_pem.key": 0o400, "peer.crt": 0o444,
	} {
		header := files[name].Header
		assert.Equal(t, mode, header.Mode, name)
		assert.Equal(t, []int{500, 501}, []int{header.Uid, header.Gid}, name)
	}
	assert.Equal(t, r.chaincode.ClientKey, string(files["client_pem.key"].Content))
	assert.Equal(t, r.chaincode.RootCert, string(files["peer.crt"].Content))
	assert.Contains(t, environment, "CORE_PEER_TLS_ENABLED=true")
	assert.Contains(t, environment, "CORE_TLS_CLIENT_KEY_PATH="+dir+"client.key")
	assert.NotContains(t, r.output.String(), "PRIVATE")
}

// Some engines have removed the container by the time at which the older run looks. It is told apart from a removal by hand by
// the later run's container.
func TestWhoHasRemovedTheContainer(t *testing.T) {
	for name, later := range map[string]bool{"a later run of this chaincode has taken over": true, "was removed, by a later run or by hand": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRunner(t)
			r.engine.SetProgram(fakeengine.Serve(0))
			_, ended := r.start(t)
			r.awaitRunning(t)
			client := r.connect(t)
			r.engine.On(fakeengine.Inspect, fakeengine.Once(fakeengine.After(func() {
				if later {
					spec := docker.Spec{Name: r.name(), Image: imageName, Command: []string{"chaincode"}, Labels: r.launchOn(client).labels()}
					_, _, err := client.CreateOrInspect(t.Context(), spec)
					assert.NoError(t, err)
				}
			})))
			r.engine.RemoveContainer(r.name())
			<-ended
			r.assertLastLine(t, "[INFO]", name)
		})
	}
}
