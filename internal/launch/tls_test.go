// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"archive/tar"
	"context"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/tlsfiles"
	"fabric-builder-docker/test/fakeengine"
)

const tlsDir = "/etc/hyperledger/fabric"

// byInput makes the image one with a shell, which takes its TLS files on the standard input.
func (r *runner) byInput() *runner {
	r.record.TLSByInput, r.record.User = true, nil
	return r
}

func (r *runner) material() tlsfiles.Material {
	return tlsfiles.Material{ClientCert: r.chaincode.ClientCert, ClientKey: r.chaincode.ClientKey, RootCert: r.chaincode.RootCert}
}

// createRequest is the part of a create call that these tests check.
type createRequest struct {
	OpenStdin, StdinOnce bool
	Entrypoint           []string
	Volumes              map[string]struct{}
	HostConfig           struct {
		ReadonlyRootfs bool
		Tmpfs          map[string]string
	}
}

// firstCreate returns the request of the first create call.
func firstCreate(t *testing.T, r *runner) (request createRequest) {
	t.Helper()
	require.NoError(t, json.Unmarshal(r.engine.Calls(fakeengine.Create)[0].Body, &request))
	return request
}

// uploads returns the directories in which archives were unpacked.
func uploads(r *runner) (dirs []string) {
	for _, call := range r.engine.Calls(fakeengine.Upload) {
		dirs = append(dirs, call.Query.Get("path"))
	}
	return dirs
}

// Engines refuse an archive for a read-only root file system, so there the TLS files go to a volume. test/e2e tests the
// same on real engines.
func TestTheWayOfTheTLSFiles(t *testing.T) {
	volume := map[string]struct{}{tlsDir: {}}
	for name, test := range map[string]struct {
		byInput, tls bool
		readOnly     string
		volumes      map[string]struct{}
		uploads      []string
		tmpfs        []string
	}{
		"a shell":                      {byInput: true, tls: true, readOnly: "false", tmpfs: []string{tlsDir}},
		"a shell, read-only":           {byInput: true, tls: true, readOnly: "true", tmpfs: []string{"/tmp", tlsDir}},
		"a shell, TLS off":             {byInput: true, readOnly: "false"},
		"a shell, read-only, TLS off":  {byInput: true, readOnly: "true", tmpfs: []string{"/tmp"}},
		"no shell":                     {tls: true, readOnly: "false", uploads: []string{"/"}},
		"no shell, read-only":          {tls: true, readOnly: "true", volumes: volume, uploads: []string{tlsDir}, tmpfs: []string{"/tmp"}},
		"no shell, read-only, TLS off": {readOnly: "true", tmpfs: []string{"/tmp"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRunner(t)
			r.record.TLSByInput, r.record.Entrypoint = test.byInput, []string{"docker-entrypoint.sh"}
			if test.tls {
				r.withTLS()
			}
			var command []string
			r.engine.SetProgram(func(p *fakeengine.Process) int { command = p.Container.Command; return 0 })
			process := r.process(t)
			process.Environ = append(process.Environ, "CORE_VM_DOCKER_HOSTCONFIG_READONLYROOTFS="+test.readOnly)
			require.NoError(t, Run(t.Context(), process))

			request := firstCreate(t, r)
			assert.Equal(t, test.volumes, request.Volumes)
			assert.Equal(t, test.readOnly == "true", request.HostConfig.ReadonlyRootfs)
			var tmpfs []string
			for path := range request.HostConfig.Tmpfs {
				tmpfs = append(tmpfs, path)
			}
			assert.ElementsMatch(t, test.tmpfs, tmpfs)
			assert.Equal(t, test.uploads, uploads(r))
			assert.Equal(t, test.byInput && test.tls, request.OpenStdin)
			want := []string{"chaincode", "-peer.address=" + r.chaincode.PeerAddress}
			assert.Equal(t, want, command)
			if request.OpenStdin {
				assert.Equal(t, tlsfiles.WrapCommand(tlsDir, tlsfiles.KeyOfUser, r.record.Entrypoint), request.Entrypoint, "ahead of the image's entrypoint")
			} else {
				assert.Nil(t, request.Entrypoint, "the image's entrypoint")
			}
			for _, call := range r.engine.Calls(fakeengine.Remove) {
				assert.Equal(t, "1", call.Query.Get("v"), "volumes are removed, too")
			}
		})
	}
}

// The shell ahead of the chaincode gets all of the input and does not wait for its end. None of it is in the container's
// configuration, which is visible to everyone who can inspect containers.
func TestTLSFilesArriveOnStandardInput(t *testing.T) {
	for flavour, options := range flavours {
		t.Run(flavour, func(t *testing.T) {
			r := newRunner(t, options...).withTLS().byInput()
			want := r.material().Input()
			var got []byte
			var environment []string
			r.engine.SetProgram(func(p *fakeengine.Process) int {
				environment = p.Container.Env
				got = make([]byte, len(want))
				if _, err := io.ReadFull(p.Stdin, got); err != nil {
					return 1
				}
				p.Stdout.Write([]byte("serving\n"))
				return 0
			})
			_, err := r.run(t.Context(), t)
			require.NoError(t, err)
			assert.Equal(t, string(want), string(got))
			assert.Equal(t, "serving\n", r.printed())
			assert.True(t, firstCreate(t, r).StdinOnce, "the input ends if run dies")
			assert.Contains(t, environment, "CORE_PEER_TLS_ENABLED=true")
			assert.Contains(t, environment, "CORE_TLS_CLIENT_KEY_PATH="+tlsDir+"/client.key")
			block, _ := pem.Decode([]byte(r.chaincode.ClientKey))
			require.NotNil(t, block)
			for _, secret := range strings.Fields(string(want)) {
				if len(secret) > 5 && !strings.HasPrefix(secret, "+-----") {
					assert.NotContains(t, string(r.engine.Calls(fakeengine.Create)[0].Body), secret[1:])
				}
			}
			assert.NotContains(t, r.output.String(), "BEGIN")
			r.assertNothingLeft(t)
		})
	}
}

// withLargeTLS sets TLS files that are larger than the input that engines take for a container that has not started, and
// an image whose user must be looked up in the image.
func (r *runner) withLargeTLS() *runner {
	r.withTLS().byInput()
	r.chaincode.RootCert = strings.Repeat(r.chaincode.RootCert, tlsfiles.MaxInput/len(r.chaincode.RootCert)+1)
	r.engine.RemoveImage(imageName)
	r.engine.AddImage(fakeengine.Image{
		Name: imageName, User: "chaincode",
		Files: fakeengine.NewFiles(map[string]string{"/etc/passwd": "chaincode:x:500:501::/:/bin/sh\n"}),
	})
	return r
}

func TestLargeTLSFilesAreUploadedAsAnArchive(t *testing.T) {
	for flavour, options := range flavours {
		t.Run(flavour, func(t *testing.T) {
			r := newRunner(t, options...).withLargeTLS()
			var got string
			var key tar.Header
			r.engine.SetProgram(func(p *fakeengine.Process) int {
				got = p.Files.Read(tlsDir + "/peer.crt")
				file, _ := p.Files.Get(tlsDir + "/client.key")
				key = file.Header
				return 0
			})
			_, err := r.run(t.Context(), t)
			require.NoError(t, err)
			assert.Equal(t, r.chaincode.RootCert, got)
			assert.Equal(t, []int{500, 501}, []int{key.Uid, key.Gid})
			assert.False(t, firstCreate(t, r).OpenStdin)
			r.assertNothingLeft(t)
		})
	}
}

// The image of a Dockerfile may have been made anew since the install, on a base image whose user has another number.
func TestTheUserOfAnImageThatWasMadeAnewIsLookedUp(t *testing.T) {
	for name, test := range map[string]struct {
		packageType string
		anew        bool
		want        int
	}{
		"made anew": {"docker", true, 700}, "as it was": {"docker", false, 500}, "not a Dockerfile": {"golang", true, 500},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRunner(t).withTLS()
			r.record.Type, r.record.ImageID = test.packageType, "sha256:"+strings.Repeat("1", 64)
			now := fakeengine.Image{Name: imageName, ID: r.record.ImageID, User: "700:700", Command: []string{"chaincode"}}
			if test.anew {
				now.ID = "sha256:" + strings.Repeat("2", 64)
			}
			r.engine.AddImage(now)
			var key tar.Header
			r.engine.SetProgram(func(p *fakeengine.Process) int {
				file, _ := p.Files.Get(tlsDir + "/client.key")
				key = file.Header
				return 0
			})
			_, err := r.run(t.Context(), t)
			require.NoError(t, err)
			assert.Equal(t, test.want, key.Uid)
			r.assertNothingLeft(t)
		})
	}
}

func TestRunRecoversFromAPruneBeforeTheUserIsLookedUp(t *testing.T) {
	r := newRunner(t).withLargeTLS()
	r.engine.On(fakeengine.Download, fakeengine.Once(fakeengine.Before(r.engine.Prune)))
	_, err := r.run(t.Context(), t)
	require.NoError(t, err)
	assert.Len(t, r.engine.Calls(fakeengine.Create), 2)
	r.assertNothingLeft(t)
}

func TestAnUnknownUserFailsTheStart(t *testing.T) {
	r := newRunner(t).withLargeTLS()
	r.engine.RemoveImage(imageName)
	r.engine.AddImage(fakeengine.Image{Name: imageName, User: "nobody"})
	status, err := r.run(t.Context(), t)
	assert.Equal(t, 1, status)
	assert.EqualError(t, err, `starting the chaincode: image "`+imageName+
		`" runs as user "nobody" and has no /etc/passwd: set a numeric USER in the image`)
	r.assertNothingLeft(t)
}

// The record of an older build does not say that the image has a shell.
func TestARebuiltImageMayNeedAnotherTLSDelivery(t *testing.T) {
	for name, shell := range map[string]bool{"with a shell": true, "without a shell": false} {
		t.Run(name, func(t *testing.T) {
			r := newRunner(t).withTLS()
			r.record.TLSByInput = !shell
			process := withSource(t, r)
			if shell {
				files := fakeengine.NewFiles(nil)
				files.Write("/bin/sh", "shell", 0o755)
				for _, base := range []string{"hyperledger/fabric-ccenv:3.1", "hyperledger/fabric-baseos:3.1"} {
					r.engine.RemoveImage(base)
					r.engine.AddImage(fakeengine.Image{
						Name: base, User: "7:8", Files: files,
					})
				}
			}
			r.engine.SetProgram(compileOrServe)
			require.NoError(t, Run(t.Context(), process))
			assert.Contains(t, r.output.String(), "basic_1.0:abc | serving\n")
			creates := r.engine.Calls(fakeengine.Create)
			var last createRequest
			require.NoError(t, json.Unmarshal(creates[len(creates)-1].Body, &last))
			assert.Equal(t, shell, last.OpenStdin)
			if shell {
				assert.NotContains(t, uploads(r)[1:], "/", "after the package")
			} else {
				assert.Equal(t, []string{"/"}, uploads(r)[1:])
			}
		})
	}
}

func TestARefusedAttachFailsTheStart(t *testing.T) {
	r := newRunner(t).withTLS().byInput()
	r.engine.On(fakeengine.Attach, fakeengine.Fail(http.StatusInternalServerError, "no more connections"))
	status, err := r.run(t.Context(), t)
	assert.Equal(t, 1, status)
	assert.ErrorContains(t, err, "attaching to container")
	assert.Empty(t, r.engine.Calls(fakeengine.Start))
	r.assertNothingLeft(t)
}

// If the engine is restarted between attach and start, the container gets a new input, to which nobody writes.
func TestTLSInputLostBeforeTheStartIsDeliveredAgain(t *testing.T) {
	r := newRunner(t).withTLS().byInput()
	engine := &losingEngine{Engine: r.connect(t), lost: make(chan struct{})}
	r.engine.On(fakeengine.Start, fakeengine.Once(fakeengine.Before(func() {
		r.engine.Disconnect(fakeengine.Attach, fakeengine.Wait)
		select { // the engine takes a while to restart
		case <-engine.lost:
		case <-time.After(time.Minute):
			t.Error("run did not notice the loss")
		}
	})))
	want := string(r.material().Input())
	r.engine.SetProgram(func(p *fakeengine.Process) int {
		got := make([]byte, len(want))
		if _, err := io.ReadFull(p.Stdin, got); err != nil || string(got) != want {
			return 1
		}
		if len(r.engine.Calls(fakeengine.Create)) == 1 {
			return p.Serve(143) // it would wait forever
		}
		p.Stdout.Write([]byte("serving\n"))
		return 0
	})
	require.NoError(t, r.launchOn(engine).run(t.Context()))
	assert.Equal(t, "serving\n", r.printed())
	assert.Len(t, r.engine.Calls(fakeengine.Create), 2)
	r.assertNothingLeft(t)
}

// losingEngine closes lost once run can know that its first wait has failed.
type losingEngine struct {
	Engine
	once sync.Once
	lost chan struct{}
}

func (l *losingEngine) Wait(ctx context.Context, id string) (<-chan docker.Exit, error) {
	exits, err := l.Engine.Wait(ctx, id)
	if err != nil {
		return nil, err
	}
	told := make(chan docker.Exit, 1)
	go func() {
		told <- <-exits
		l.once.Do(func() { close(l.lost) })
	}()
	return told, nil
}

// A chaincode that exits at once is not mistaken for a lost input, and run exits with its status.
func TestAChaincodeThatExitsAtOnceIsNotStartedAgain(t *testing.T) {
	r := newRunner(t).withTLS().byInput()
	r.engine.SetProgram(prints("last words\n", 3))
	status, _ := r.run(t.Context(), t)
	assert.Equal(t, 3, status)
	assert.Equal(t, "last words\n", r.printed())
	assert.Len(t, r.engine.Calls(fakeengine.Create), 1)
}
