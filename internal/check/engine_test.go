// SPDX-License-Identifier: Apache-2.0

package check

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"io/fs"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/test/fakeengine"
)

func TestNothingIsWrong(t *testing.T) {
	for name, options := range map[string][]fakeengine.Option{
		"docker 20.10": {fakeengine.API("1.41", "1.12")}, "docker 29": {fakeengine.API("1.55", "1.40")}, "podman": {fakeengine.Podman()},
	} {
		for _, runs := range []bool{false, true} {
			t.Run(fmt.Sprint(name, " run ", runs), func(t *testing.T) {
				engine := fakeengine.New(t, options...)
				i := newInstallation(t, engine)
				i.probing, i.runs = true, runs
				lines, healthy := i.check()
				assert.True(t, healthy, lines)
				assert.NotContains(t, lines, "FAIL")
				assert.Contains(t, lines, "ok    engine: ")
				assert.Contains(t, lines, "ok    network: a chaincode gets network fabric, as vm.docker.hostConfig.NetworkMode in "+filepath.Join(i.home, "config.yaml")+" says")
				assert.Contains(t, lines, "peer0.example.com resolves to 172.18.0.2 and takes connections at port 7052")
				assert.Empty(t, engine.Containers(), "nothing is left")
				assert.Empty(t, engine.Volumes())
			})
		}
	}
}

func TestTheSocketIsMissing(t *testing.T) {
	i := newInstallation(t, nil)
	i.set("vm", "endpoint", "unix:///no/such.sock")
	lines := i.finds("engine", "no container engine answers at unix:///no/such.sock: the socket does not exist", "start the engine", "mount the socket")
	assert.Contains(t, lines, "note  images: not checked")
}

// Tests may run as root, who can open any socket. TestCheckWithoutPermission in test/e2e opens a real one as another user.
func TestNoPermissionForTheSocket(t *testing.T) {
	remedy := (&checker{}).remedyForEngine(fmt.Errorf("dialling: %w", fs.ErrPermission))
	assert.Contains(t, remedy, "give the peer's user the socket's group")
}

func TestNothingListensAtTheTCPPort(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	require.NoError(t, listener.Close())
	i := newInstallation(t, nil)
	i.set("vm", "endpoint", "tcp://"+address)
	i.finds("engine", "no container engine answers at tcp://"+address, "connection refused", "correct the endpoint")
}

func TestTheEnginesCertificateIsOfAnotherAuthority(t *testing.T) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(ca, otherAuthority(t), 0o644))
	i := newInstallation(t, nil)
	i.set("vm", "endpoint", strings.Replace(server.URL, "https://", "tcp://", 1))
	i.set("vm", "docker", map[string]any{"tls": map[string]any{"enabled": true, "ca": map[string]any{"file": ca}}})
	i.finds("engine", "certificate signed by unknown authority", "set vm.docker.tls.ca.file to the authority that has issued the engine's certificate (now \""+ca+"\")")
}

func otherAuthority(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func TestTheAPIIsTooOld(t *testing.T) {
	for _, newest := range []string{"1.23", "1.40"} {
		newInstallation(t, fakeengine.New(t, fakeengine.API(newest, "1.12"))).finds("engine", "API "+newest+" is too old: upgrade the engine")
	}
}

// An engine of the future may have dropped all versions of the API that this program speaks.
func TestTheAPIIsTooNew(t *testing.T) {
	newInstallation(t, fakeengine.New(t, fakeengine.API("1.99", "1.90"))).finds("engine", "Minimum supported API version is 1.90", "a newer builder")
}

func TestAProxyRefusesCommit(t *testing.T) {
	engine := fakeengine.New(t)
	engine.On(fakeengine.Commit, fakeengine.Answer(http.StatusForbidden, "Forbidden"))
	engine.On(fakeengine.DiskUsage, fakeengine.Answer(http.StatusForbidden, "Forbidden"))
	lines := newInstallation(t, engine).finds("calls", "a proxy in front of the engine, or a plugin of the engine, refuses POST /commit", "allow it there; docs/peer-image.md lists all calls")
	assert.Contains(t, lines, "note  calls: a proxy in front of the engine, or a plugin of the engine, refuses GET /system/df, needed by build --list")
}

func TestPodmanHasNoInit(t *testing.T) {
	engine := fakeengine.New(t, fakeengine.Podman(), fakeengine.NoInit())
	newInstallation(t, engine).finds("init", "podman cannot create a container with an init", "catatonit", "install catatonit on the engine's machine, or set builder.security.init to false")
	assert.Empty(t, engine.Containers())

	without := newInstallation(t, engine)
	without.set("builder", "security", map[string]any{"init": false})
	lines, healthy := without.check()
	assert.True(t, healthy, lines)
}

func TestDockerHasNoInit(t *testing.T) {
	engine := fakeengine.New(t, fakeengine.NoInit())
	i := newInstallation(t, engine)
	i.probing = true
	i.finds("probe", `exec: "docker-init": executable file not found`, "set builder.security.init to false")
	assert.Empty(t, engine.Containers())
}

func TestTheEnginesDiskIsFull(t *testing.T) {
	i := newInstallation(t, fakeengine.New(t))
	i.free.Free = 1e6
	i.finds("disk", "the engine's disk is full: 1 MB of 100 GB are free in /var/lib/docker", "build --prune")
	i.free = space{Free: 50e9, Total: 100e9, Inodes: 1000, Left: 1}
	i.finds("disk", "the engine's disk can hold no more files: 1 of 1000 inodes are free")
}

// Where the engine's directory is not seen, only a container tells.
func TestTheDiskOfAnEngineElsewhereIsFull(t *testing.T) {
	engine := fakeengine.New(t)
	engine.On(fakeengine.Info, fakeengine.Answer(http.StatusOK, `{"DockerRootDir": ""}`))
	i := newInstallation(t, engine)
	lines, healthy := i.check()
	assert.True(t, healthy, lines)
	assert.Contains(t, lines, "note  disk: unknown")
	i.probing, i.container.Space = true, &space{Free: 1e6, Total: 100e9}
	i.finds("disk", "the engine's disk is full: 1 MB of 100 GB are free in a container on the engine")
}
