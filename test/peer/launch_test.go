// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	wait = time.Minute
	tick = 5 * time.Millisecond
)

func TestLaunchReportsTheEndOfRunBeforeReady(t *testing.T) {
	tests := map[string]struct{ run, want string }{
		"status 3": {"exit 3", "chaincode registration failed: failed to wait on container exit: builder 'fake' run failed: exit status 3"},
		"status 0": {"exit 0", "chaincode registration failed: container exited with 0"},
		"a signal": {"kill -9 $$", "chaincode registration failed: failed to wait on container exit: builder 'fake' run failed: signal: killed"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			peer := start(t, scripts{"run": test.run})
			id := peer.install(t, "kv")

			launched, err := peer.Launch(t.Context(), id)

			assert.EqualError(t, err, test.want)
			assert.True(t, launched.Run.Ended())
			assert.Empty(t, leftovers(t, peer), "the run directory is gone")

			_, err = peer.Invoke(t.Context(), id, "get")
			assert.EqualError(t, err, "could not launch chaincode "+id+": "+test.want)
			assert.Len(t, peer.Runs(id), 2, "the transaction called run again")
		})
	}
}

func TestLaunchCannotExecuteRun(t *testing.T) {
	peer := start(t, nil)
	id := peer.install(t, "kv")
	require.NoError(t, os.Remove(filepath.Join(peer.options.BuilderPath, "bin", "run")))
	_, err := peer.Launch(t.Context(), id)
	assert.ErrorContains(t, err, "error starting container: error starting container: could not execute run: builder 'fake' run failed to start")
}

func TestLaunchWritesChaincodeJSON(t *testing.T) {
	peer := start(t, scripts{"run": `ls -l $2 >&2; ls $1 >&2; cat $2/chaincode.json >&2; exit 1`, "build": "echo > $3/record"})
	id := peer.install(t, "kv")
	_, err := peer.Launch(t.Context(), id)
	require.Error(t, err)
	lines := texts(peer.journal)
	require.Len(t, lines, 4)
	assert.True(t, strings.HasPrefix(lines[1], "-rw-------"), lines[1])
	assert.Equal(t, "record", lines[2])
	assert.Equal(t, `{"chaincode_id":"`+id+`","peer_address":"`+peer.Address()+
		`","client_cert":"","client_key":"","root_cert":"","mspid":"FabricBuilderTestMSP"}`, lines[3])
}

func TestLaunchMakesNewCertificatesEachTime(t *testing.T) {
	peer := start(t, scripts{"run": waits}, withTLS, func(o *Options) { o.StartupTimeout = 100 * time.Millisecond })
	id := peer.install(t, "kv")
	first, result := peer.launch(t, id)
	require.ErrorIs(t, <-result, ErrStartupTimeout)
	second, _ := peer.launch(t, id)

	assert.NotEqual(t, first.ClientCert, second.ClientCert)
	assert.Equal(t, peer.RootCert(), first.RootCert)
	assert.Equal(t, first.RootCert, second.RootCert)

	block, rest := pem.Decode([]byte(first.ClientKey))
	assert.Empty(t, rest)
	assert.Equal(t, "EC PRIVATE KEY", block.Type)
	_, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	assert.NoError(t, err)

	block, _ = pem.Decode([]byte(first.ClientCert))
	cert, err := x509.ParseCertificate(block.Bytes)
	require.NoError(t, err)
	assert.WithinDuration(t, time.Now().Add(24*time.Hour), cert.NotAfter, time.Minute)
	assert.Equal(t, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, cert.ExtKeyUsage)
}

func TestEachPeerHasItsOwnAuthority(t *testing.T) {
	assert.NotEqual(t, start(t, nil, withTLS).RootCert(), start(t, nil, withTLS).RootCert())
	assert.Empty(t, start(t, nil).RootCert())
}

// A timeout only deregisters the chaincode, and the second run overwrites the handle.
func TestAStartupTimeoutLeavesRunAliveAndWithoutAHandle(t *testing.T) {
	peer := start(t, scripts{"run": waits}, func(o *Options) { o.StartupTimeout = 100 * time.Millisecond })
	id := peer.install(t, "kv")
	for range 2 {
		_, result := peer.launch(t, id)
		err := <-result
		require.ErrorIs(t, err, ErrStartupTimeout)
		assert.EqualError(t, err, "timeout expired while starting chaincode "+id+" for transaction")
	}

	runs := peer.Runs(id)
	require.Len(t, runs, 2)
	require.NoError(t, peer.Stop(t.Context(), id))
	assert.False(t, runs[0].Ended(), "nobody can stop the first run")
	assert.True(t, runs[1].Ended())
}

func TestALaunchInProgressIsJoined(t *testing.T) {
	peer := start(t, scripts{"run": waits})
	id := peer.install(t, "kv")
	config, first := peer.launch(t, id)
	second := make(chan error, 1)
	go func() {
		_, err := peer.Launch(context.Background(), id)
		second <- err
	}()
	c := connect(t, config)
	c.register(id)
	c.welcomed()
	assert.NoError(t, <-first)
	assert.NoError(t, <-second)
	assert.Len(t, peer.Runs(id), 1)
}

func TestTheContextBoundsTheWaitingAndNotTheLaunch(t *testing.T) {
	peer := start(t, scripts{"run": waits})
	id := peer.install(t, "kv")
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		_, _ = peer.journal.Wait(soon(t), "dir")
		cancel()
	}()
	_, err := peer.Launch(ctx, id)
	require.ErrorIs(t, err, context.Canceled)
	run := peer.Runs(id)[0]
	assert.False(t, run.Ended())

	c := connect(t, configOf(t, run))
	c.register(id)
	c.welcomed()
	launched, err := peer.Launch(t.Context(), id)
	require.NoError(t, err)
	assert.Same(t, run, launched.Run)
}

// Only the caller that began a launch gets its error unchanged.
func TestACallerThatJoinedGetsADifferentError(t *testing.T) {
	peer := start(t, scripts{"run": waits}, func(o *Options) { o.StartupTimeout = 50 * time.Millisecond })
	id := peer.install(t, "kv")
	// This is two calls of Launch, step by step. The second joins before the first times out.
	l, known := peer.registry.launching(id)
	require.False(t, known)
	_, joined := peer.registry.launching(id)
	require.True(t, joined)
	go peer.startup(id, l)
	go peer.settle(id, l)
	<-l.settled
	_, first := l.report(known)
	_, second := l.report(joined)

	text := "timeout expired while starting chaincode " + id + " for transaction"
	assert.EqualError(t, first, text)
	assert.EqualError(t, second, "chaincode registration failed: "+text)
}

func TestAServersRunIsNotCalled(t *testing.T) {
	peer := start(t, scripts{"release": `mkdir -p $2/chaincode/server; echo '{"address":"cc:9999"}' > $2/chaincode/server/connection.json`})
	id := peer.install(t, "kv")
	_, err := peer.Launch(t.Context(), id)
	assert.ErrorIs(t, err, ErrServer)
	assert.Empty(t, peer.Runs(id))
}

func TestAnUnknownPackageCannotBeLaunched(t *testing.T) {
	peer := start(t, nil)
	_, err := peer.Launch(t.Context(), "kv:123")
	assert.ErrorContains(t, err, "error building chaincode: error building image: failed to get chaincode package for external build")
}

// Fabric's peer reads the package before it looks for the build.
func TestABuildNeedsItsPackage(t *testing.T) {
	peer := start(t, nil)
	id := peer.install(t, "kv")
	require.NoError(t, os.Remove(peer.packageFile(id)))
	next := restart(t, peer.options, peer.journal)
	_, err := next.Launch(t.Context(), id)
	assert.ErrorContains(t, err, "failed to get chaincode package for external build")
}

func TestProgramsSeeAPrunedEnvironment(t *testing.T) {
	tests := map[string]struct {
		environ, propagate, want []string
	}{
		"the four names": {
			environ: []string{"HOME=/h", "PATH=/bin:/usr/bin", "LD_LIBRARY_PATH=/l", "LIBPATH=/i", "TMPDIR=/t", "DOCKER_HOST=d", "CORE_PEER_ID=p"},
			want:    []string{"LD_LIBRARY_PATH=/l", "LIBPATH=/i", "PATH=/bin:/usr/bin", "TMPDIR=/t"},
		},
		"and those that are listed": {
			environ:   []string{"PATH=/bin", "HOME=/h"},
			propagate: []string{"HOME", "UNSET", "DOCKER_HOST=tcp://x"},
			want:      []string{"HOME=/h", "DOCKER_HOST=tcp://x", "PATH=/bin"},
		},
		"listed ones are not doubled": {
			environ:   []string{"PATH=/bin"},
			propagate: []string{"PATH=/usr/bin"},
			want:      []string{"PATH=/usr/bin"},
		},
		"everything when none is set": {
			environ: []string{"HOME=/h", "SECRET=s"},
			want:    []string{"HOME=/h", "SECRET=s"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			peer := start(t, scripts{"detect": "/usr/bin/env >&2"}, func(o *Options) {
				o.Environ, o.Propagate = test.environ, test.propagate
			})
			peer.install(t, "kv")
			assert.Equal(t, test.want, peer.Processes()[0].Env())
			assert.Subset(t, texts(peer.journal), test.want)
		})
	}
}

func TestTheAddressHasTheAdvertisedHost(t *testing.T) {
	peer := start(t, nil, func(o *Options) { o.Listen, o.Host = "0.0.0.0:0", "peer0.org1.example.com" })
	host, port, err := net.SplitHostPort(peer.Address())
	require.NoError(t, err)
	assert.Equal(t, "peer0.org1.example.com", host)
	assert.NotEqual(t, "0", port)

	_, err = Start(t.Context(), Options{BuilderPath: "x", Dir: t.TempDir(), Listen: "0.0.0.0:0"})
	assert.ErrorContains(t, err, "Host is required")
	_, err = Start(t.Context(), Options{})
	assert.ErrorContains(t, err, "BuilderPath and Dir are required")
}
