// SPDX-License-Identifier: Apache-2.0

package test_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/test/fakeengine"
	"fabric-builder-docker/test/symptoms"
)

// Where things are on the page.
const (
	pageHome      = "/opt/hyperledger/docker_builder"
	pageEngine    = "unix:///var/run/docker.sock"
	pageTCPEngine = "10.0.0.5:2376" // with and without tcp://
	pageBuild     = "/var/hyperledger/production/externalbuilder/builds/basic_1.0-0011…"
)

// trouble is a site whose four programs are called as processes, with the environment that a peer gives them.
type trouble struct {
	*site
	programs string // directory of the four programs
	asNobody bool
	inside   []string // a command that runs another one as in a container
	endpoint string   // as in config.yaml
}

func newTrouble(t *testing.T, programs string) *trouble {
	t.Helper()
	s := &trouble{site: newSite(t), programs: programs}
	s.endpoint = s.engine.Host()
	require.NoError(t, os.Mkdir(filepath.Join(s.home, "bin"), 0o755))
	for _, name := range []string{"detect", "build", "release", "run"} {
		require.NoError(t, os.Link(filepath.Join(programs, name), filepath.Join(s.home, "bin", name)))
	}
	return s
}

// settle writes config.yaml: an endpoint, and what the sections hold besides.
func (s *trouble) settle(t *testing.T, endpoint, vm, builder string) {
	t.Helper()
	s.endpoint = endpoint
	text := fmt.Sprintf("vm: {endpoint: %q%s}\nchaincode: {builder: ccenv:1, golang: {runtime: baseos:1}, node: {runtime: ccenv:1}}\nbuilder: {fabricVersion: 3.1.3, dockerNamespace: hyperledger%s}\n", endpoint, vm, builder)
	require.NoError(t, os.WriteFile(filepath.Join(s.home, "config.yaml"), []byte(text), 0o644))
}

// call runs one of the programs, which must fail unless it is told to stop, and returns what it has printed, with the page's
// names of files.
func (s *trouble) call(t *testing.T, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	command := slices.Concat(s.inside, []string{filepath.Join(s.home, "bin", name)}, args)
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	cmd.Dir = "/"
	if s.asNobody && os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	out := &stderr{}
	cmd.Stderr = out
	require.ErrorAs(t, cmd.Run(), new(*exec.ExitError), out)
	engine := pageEngine
	if strings.HasPrefix(s.endpoint, "tcp://") {
		engine = pageTCPEngine
	}
	return strings.NewReplacer(
		strings.TrimPrefix(s.endpoint, "tcp://"), engine, s.home, pageHome, s.output, pageBuild+"/bld", filepath.Dir(s.output), pageBuild,
	).Replace(out.String())
}

func (s *trouble) build(t *testing.T) string {
	t.Helper()
	return s.call(t, "build", filepath.Join(s.scratch, "src"), filepath.Join(s.scratch, "metadata"), s.output)
}

// launch runs the chaincode with a program after a build that succeeds. spoil comes between the two.
func (s *trouble) launch(t *testing.T, program fakeengine.Program, spoil ...func()) string {
	t.Helper()
	require.Zero(t, s.site.build(&stderr{}))
	s.engine.SetProgram(program)
	for _, do := range spoil {
		do()
	}
	return s.call(t, "run", s.output, s.launches)
}

// enter has programs called as in a container with that ID: an engine mounts files from a directory of that name there.
func (s *trouble) enter(t *testing.T, id string) {
	t.Helper()
	hosts := filepath.Join(t.TempDir(), id, "hosts")
	require.NoError(t, os.Mkdir(filepath.Dir(hosts), 0o755))
	require.NoError(t, os.WriteFile(hosts, nil, 0o644))
	s.inside = []string{"unshare", "--mount"}
	if os.Getuid() != 0 {
		s.inside = append(s.inside, "--user", "--map-root-user")
	}
	s.inside = append(s.inside, "sh", "-c", "mount --bind "+hosts+` /etc/hosts && exec "$@"`, "sh")
}

// failing is a program that prints a line and ends.
func failing(status int, line string) fakeengine.Program {
	return func(p *fakeengine.Process) int {
		fmt.Fprintln(p.Stderr, line)
		return status
	}
}

// symptomsHere are the symptoms of docs/troubleshooting.md that need no real engine, each with what produces its lines.
var symptomsHere = map[string]func(*testing.T, *trouble) string{
	"The socket does not exist": func(t *testing.T, s *trouble) string {
		s.settle(t, "unix:///not/there.sock", "", "")
		return s.build(t)
	},
	"The socket may not be opened": func(t *testing.T, s *trouble) string {
		socket := strings.TrimPrefix(s.engine.Host(), "unix://")
		require.NoError(t, os.Chmod(socket, 0o060)) // its owner may not open it either, unless that is root
		for _, dir := range []string{filepath.Dir(socket), s.home, s.scratch, filepath.Dir(s.scratch), s.output} {
			require.NoError(t, os.Chmod(dir, 0o777))
		}
		require.NoError(t, exec.Command("chmod", "-R", "a+rX", s.scratch, s.home).Run())
		for dir := s.scratch; dir != os.TempDir(); dir = filepath.Dir(dir) {
			require.NoError(t, os.Chmod(dir, 0o755))
		}
		for dir := s.home; dir != os.TempDir(); dir = filepath.Dir(dir) {
			require.NoError(t, os.Chmod(dir, 0o755))
		}
		require.NoError(t, os.Chmod(s.output, 0o777))
		s.asNobody = true
		return s.build(t)
	},
	"Nothing listens on the socket": func(t *testing.T, s *trouble) string {
		socket := filepath.Join(fakeengine.ShortTempDir(t), "stale.sock")
		listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
		require.NoError(t, err)
		listener.SetUnlinkOnClose(false)
		require.NoError(t, listener.Close())
		s.settle(t, "unix://"+socket, "", "")
		return s.build(t)
	},
	"Nothing listens on the TCP port": func(t *testing.T, s *trouble) string {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		require.NoError(t, listener.Close())
		s.settle(t, "tcp://"+listener.Addr().String(), "", "")
		return s.build(t)
	},
	"The engine's certificate is not trusted": func(t *testing.T, s *trouble) string {
		server := s.serveTLS(t)
		s.settle(t, "tcp://"+server.Listener.Addr().String(), ", docker: {tls: {enabled: true}}", "")
		return s.build(t)
	},
	"TLS is not switched on": func(t *testing.T, s *trouble) string {
		s.settle(t, "tcp://"+s.serveTLS(t).Listener.Addr().String(), "", "")
		return s.build(t)
	},
	"The engine speaks other versions of the API": func(t *testing.T, s *trouble) string {
		s.settle(t, fakeengine.New(t, fakeengine.API("1.99", "1.60")).Host(), "", "")
		return s.build(t)
	},
	"A proxy in front of the socket refuses a call": func(t *testing.T, s *trouble) string {
		s.engine.On(fakeengine.Create, fakeengine.Answer(http.StatusForbidden, "<html><body><h1>403 Forbidden</h1></body></html>"))
		return s.build(t)
	},
	"A setting is wrong": func(t *testing.T, s *trouble) string {
		s.settle(t, s.engine.Host(), "", ", buildTimeout: 15")
		first := s.build(t)
		s.settle(t, s.engine.Host(), "", ", buildTimout: 15m")
		return first + s.build(t)
	},
	"The base image cannot be pulled": func(t *testing.T, s *trouble) string {
		s.engine.RemoveImage("ccenv:1")
		s.engine.On(fakeengine.Pull, fakeengine.Fail(http.StatusInternalServerError, `Get "https://registry-1.docker.io/v2/": dial tcp: lookup registry-1.docker.io: no such host`))
		return s.build(t)
	},
	"The registry refuses the credentials": func(t *testing.T, s *trouble) string {
		s.engine.RemoveImage("ccenv:1")
		s.engine.On(fakeengine.Pull, fakeengine.Fail(http.StatusInternalServerError, "unauthorized: authentication required"))
		return s.build(t)
	},
	"The registry limits pulls": func(t *testing.T, s *trouble) string {
		s.engine.RemoveImage("ccenv:1")
		s.engine.On(fakeengine.Pull, fakeengine.Fail(http.StatusInternalServerError, "toomanyrequests: You have reached your unauthenticated pull rate limit. https://www.docker.com/increase-rate-limit"))
		return s.build(t)
	},
	"The image is not there and may not be pulled": func(t *testing.T, s *trouble) string {
		s.engine.RemoveImage("ccenv:1")
		s.settle(t, s.engine.Host(), "", ", pullPolicy: never")
		return s.build(t)
	},
	"The code does not compile": func(t *testing.T, s *trouble) string {
		s.engine.SetProgram(failing(1, "./main.go:5:2: undefined: undefinedFunction"))
		return s.build(t)
	},
	"The build takes too long": func(t *testing.T, s *trouble) string {
		s.engine.SetProgram(hangs)
		s.settle(t, s.engine.Host(), "", ", buildTimeout: 1s")
		return strings.ReplaceAll(s.build(t), "1s", "15m0s")
	},
	"The build runs out of memory": func(t *testing.T, s *trouble) string {
		s.engine.SetProgram(func(p *fakeengine.Process) int { return p.OutOfMemory() })
		return s.build(t)
	},
	"The package was made on Windows": func(t *testing.T, s *trouble) string {
		s.write(t, `src/src\main.go`, "package main\n")
		return s.build(t)
	},
	"The package has no chaincode": func(t *testing.T, s *trouble) string {
		require.NoError(t, os.RemoveAll(filepath.Join(s.scratch, "src", "src")))
		golang := s.build(t)
		s.write(t, "metadata/metadata.json", fmt.Sprintf(`{"type":"node","label":%q,"path":""}`, logLabel))
		return golang + s.build(t)
	},
	"The engine's disk is full": func(t *testing.T, s *trouble) string {
		s.engine.On(fakeengine.Load, fakeengine.Fail(http.StatusInternalServerError, "write /var/lib/docker/tmp/docker-import-1/layer.tar: no space left on device"))
		s.engine.On(fakeengine.Commit, fakeengine.Fail(http.StatusInternalServerError, "write /var/lib/docker/overlay2/1/diff/usr/local/bin/chaincode: no space left on device"))
		return s.build(t)
	},
	"A network does not exist": func(t *testing.T, s *trouble) string {
		s.settle(t, s.engine.Host(), ", docker: {hostConfig: {NetworkMode: test}}", "")
		s.engine.AddNetwork("fabric_test")
		return s.launch(t, fakeengine.Serve(0))
	},
	"The peer's address is a loopback address": func(t *testing.T, s *trouble) string {
		s.engine.AddNetwork("fabric_test")
		s.engine.AddContainer("peer0", "baseos:1", nil)
		s.engine.Join("peer0", "fabric_test")
		peer, _ := s.engine.Container("peer0")
		s.enter(t, peer.ID)
		path := filepath.Join(s.launches, "chaincode.json")
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(path, []byte(strings.Replace(string(text), "peer0.org1.example.com:7052", "127.0.0.1:7052", 1)), 0o600))
		return s.launch(t, failing(1, "dial tcp 127.0.0.1:7052: connect: connection refused"))
	},
	"The engine does not know where the peer is": func(t *testing.T, s *trouble) string {
		s.enter(t, strings.Repeat("0", 64))
		return s.launch(t, failing(1, "cannot reach the peer"))
	},
	"The chaincode ends at once": func(t *testing.T, s *trouble) string {
		return s.launch(t, failing(1, "panic: connection to peer failed: dial tcp: lookup peer0.org1.example.com: no such host"))
	},
	"A program is not found (127)": func(t *testing.T, s *trouble) string {
		return s.launch(t, failing(127, "exec: line 1: chaincode: not found"))
	},
	"A program cannot be executed (126)": func(t *testing.T, s *trouble) string {
		return s.launch(t, failing(126, "/bin/sh: /usr/local/bin/chaincode: Permission denied"))
	},
	"The chaincode runs out of memory (137)": func(t *testing.T, s *trouble) string {
		return s.launch(t, func(p *fakeengine.Process) int { return p.OutOfMemory() })
	},
	"An entrypoint cannot change the user": func(t *testing.T, s *trouble) string {
		image, _ := s.engine.Image("baseos:1")
		image.User, image.Entrypoint = "root", []string{"gosu", "chaincode"}
		s.engine.AddImage(image)
		return s.launch(t, failing(1, "error: failed switching to \"chaincode\": operation not permitted"))
	},
	"OUTPUT_DIR is incomplete": func(t *testing.T, s *trouble) string {
		return s.launch(t, fakeengine.Serve(0), func() {
			require.NoError(t, os.Remove(filepath.Join(s.output, metadata.RecordFile)))
		})
	},
	"A newer builder has built the chaincode": func(t *testing.T, s *trouble) string {
		return s.launch(t, fakeengine.Serve(0), func() {
			path := filepath.Join(s.output, metadata.RecordFile)
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			var record map[string]json.RawMessage
			require.NoError(t, json.Unmarshal(text, &record))
			record["version"] = json.RawMessage("99")
			text, err = json.Marshal(record)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(path, text, 0o644))
		})
	},
	"The image is gone and cannot be built again": func(t *testing.T, s *trouble) string {
		s.settle(t, s.engine.Host(), "", ", saveSource: false")
		return s.launch(t, fakeengine.Serve(0), func() {
			for _, name := range s.engine.Images() {
				if strings.HasPrefix(name, "fabric-chaincode/") {
					s.engine.RemoveImage(name)
				}
			}
		})
	},
	"The engine does not start the container in time": func(t *testing.T, s *trouble) string {
		text, err := os.ReadFile(filepath.Join(s.home, "config.yaml"))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(s.home, "config.yaml"), []byte(strings.Replace(string(text), "chaincode: {", "chaincode: {startuptimeout: 5s, ", 1)), 0o644))
		return strings.ReplaceAll(s.launch(t, fakeengine.Serve(0), func() { s.engine.On(fakeengine.Start, fakeengine.Hang()) }), "5s", "5m0s")
	},
	"The connection to the engine is lost": func(t *testing.T, s *trouble) string {
		return s.launch(t, func(p *fakeengine.Process) int {
			fmt.Fprintln(p.Stdout, "ready")
			s.engine.AwaitStreams(t, fakeengine.Attach, 1)
			s.engine.AwaitStreams(t, fakeengine.Wait, 1)
			waits := len(s.engine.Calls(fakeengine.Wait))
			s.engine.Disconnect(fakeengine.Wait, fakeengine.Attach)
			s.engine.Await(t, fakeengine.Wait, waits+1)
			return 3
		})
	},
	"Detect fails, and the peer uses its built-in controller": func(t *testing.T, s *trouble) string {
		s.write(t, "metadata/metadata.json", `{"type":"golang","label":"basic 1.0","path":""}`)
		return s.call(t, "detect", filepath.Join(s.scratch, "src"), filepath.Join(s.scratch, "metadata"))
	},
}

// symptomsOnAnEngine are those that a test of test/e2e compares with what a real engine, compiler or npm makes of them.
var symptomsOnAnEngine = map[string]string{
	"The package needs a newer Go":                  "TestAPackageThatAsksForANewerGoSaysSo",
	"The build has no way to the module proxy":      "TestABuildWithoutAWayToTheModuleProxy",
	"The module proxy's certificate is not trusted": "TestAModuleProxyWhoseCertificateIsNotTrusted",
	"Dependencies of a Node package are missing":    "TestDependenciesThatCannotBeInstalled",
	"The program is for another processor":          "TestAProgramForAnotherProcessor",
}

// serveTLS puts a TLS server with a certificate of its own in front of the engine.
func (s *trouble) serveTLS(t *testing.T) *httptest.Server {
	t.Helper()
	socket := strings.TrimPrefix(s.engine.Host(), "unix://")
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: "engine"})
	proxy.Transport = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}
	server := httptest.NewUnstartedServer(proxy)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

// Each line that docs/troubleshooting.md quotes is one that the programs print.
func TestEverySymptomOfTheTroubleshootingPageIsPrinted(t *testing.T) {
	sections, err := symptoms.Read()
	require.NoError(t, err)
	programs := t.TempDir()
	compile := exec.Command("go", "build", "-o", programs, "./cmd/...")
	compile.Dir, compile.Env = "..", append(os.Environ(), "CGO_ENABLED=0")
	output, err := compile.CombinedOutput()
	require.NoError(t, err, string(output))

	onPage := map[string]bool{}
	for _, section := range sections {
		assert.False(t, onPage[section.Name], "%q is twice on the page", section.Name)
		onPage[section.Name] = true
		if test, ok := symptomsOnAnEngine[section.Name]; ok {
			assert.True(t, namesOfTests(t)[test], "%q: no test is called %s", section.Name, test)
			continue
		}
		t.Run(section.Name, func(t *testing.T) {
			produce, ok := symptomsHere[section.Name]
			require.True(t, ok, "no test produces this symptom")
			require.NotEmpty(t, section.Lines, "the page quotes no line")
			printed := produce(t, newTrouble(t, programs))
			assert.Empty(t, section.Missing(printed), "not printed; this was:\n%s", printed)
		})
	}
	for name := range symptomsHere {
		assert.True(t, onPage[name], "%q is not on the page", name)
	}
	for name := range symptomsOnAnEngine {
		assert.True(t, onPage[name], "%q is not on the page", name)
	}
}
