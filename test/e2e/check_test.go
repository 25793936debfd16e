// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"crypto/rand"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/test/fabricpeer"
)

// checked is the answer of build --check.
type checked struct {
	lines  string
	status int
}

// faults returns the lines that say that something is wrong.
func (c checked) faults() []string {
	return regexp.MustCompile(`(?m)^FAIL .*$`).FindAllString(c.lines, -1)
}

// checkConfig is a config.yaml that is right, with a prefix of its own: what a check leaves would have it in its name.
func checkConfig(t *testing.T, network string) string {
	t.Helper()
	unique := prefix + "-check-" + strings.ToLower(rand.Text()[:10])
	t.Cleanup(func() {
		var left []containerState
		require.NoError(t, world.engine.Get(background(t), "/containers/json?all=1&filters="+url.QueryEscape(fmt.Sprintf(`{"name":[%q]}`, unique)), &left))
		assert.Empty(t, left, "a check has left a container")
	})
	text := strings.Replace(config("  types: [golang, node]\n"), "prefix: "+prefix, "prefix: "+unique, 1)
	return strings.Replace(text, "chaincode:\n", "  docker: {hostConfig: {NetworkMode: "+network+"}}\nchaincode:\n", 1)
}

func runCheck(t *testing.T, dir, program string, args ...string) checked {
	t.Helper()
	cmd := exec.CommandContext(timeout(t), filepath.Join(dir, "bin", program), append([]string{"--check"}, args...)...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	return output(t, cmd)
}

func output(t *testing.T, cmd *exec.Cmd) checked {
	t.Helper()
	lines, err := cmd.CombinedOutput()
	if err != nil {
		require.ErrorAs(t, err, new(*exec.ExitError), string(lines))
	}
	return checked{string(lines), cmd.ProcessState.ExitCode()}
}

// listen returns the port of a listener on this machine.
func listen(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	_, port, err := net.SplitHostPort(listener.Addr().String())
	require.NoError(t, err)
	return port
}

func TestCheckFindsNothingWrong(t *testing.T) {
	dir, address := builder(t, checkConfig(t, "host")), "127.0.0.1:"+listen(t)
	for _, program := range []string{"build", "run"} {
		found := runCheck(t, dir, program, "--probe", address)
		assert.Equal(t, 0, found.status, found.lines)
		assert.Empty(t, found.faults())
		assert.Contains(t, found.lines, "ok    calls: nothing between this program and the engine refuses one")
		assert.Contains(t, found.lines, "ok    probe: in a container of ")
	}
}

// In another network's container, 127.0.0.1 is the container's own, and the name of nobody does not resolve.
func TestProbeOnARealNetwork(t *testing.T) {
	name := "check-" + strings.ToLower(rand.Text()[:10])
	network := createNetwork(t, name)
	dir := builder(t, checkConfig(t, network))
	id := createContainer(t, name, map[string]any{
		"Image": world.nodeenv, "Entrypoint": []string{"node"}, "Cmd": []string{"-e", "require('net').createServer().listen(7052, () => console.log('listening'))"},
		"HostConfig": map[string]any{"NetworkMode": network, "Init": true},
	})
	require.NoError(t, world.engine.Post(timeout(t), "/containers/"+id+"/start", nil, nil))
	require.Eventually(t, func() bool { return strings.Contains(printedBy(t, id), "listening") }, limit, limit/1000)

	found := runCheck(t, dir, "build", "--probe", name+":7052")
	assert.Equal(t, 0, found.status, found.lines)
	assert.Regexp(t, `ok    probe: in a container of \S+ on network `+network+`, `+name+` resolves to [0-9.]+ and takes connections at port 7052`, found.lines)
	for address, want := range map[string]string{
		name + ":7053":                "nobody listens at port 7053 of " + name,
		"nobody.example.invalid:7052": "nobody.example.invalid does not resolve: ",
		"127.0.0.1:7052":              "would connect to the peer at 127.0.0.1:7052 (from the argument), which is its own container",
	} {
		found := runCheck(t, dir, "build", "--probe", address)
		assert.Equal(t, 1, found.status)
		require.Len(t, found.faults(), 1, found.lines)
		assert.Contains(t, found.faults()[0], want)
	}
}

// A check that is called with docker exec beside a peer sees the peer's variables, its container and its networks.
func TestCheckBesideAPeerInAContainer(t *testing.T) {
	name := "check-" + strings.ToLower(rand.Text()[:10])
	network := createNetwork(t, name)
	dir := builder(t, strings.Replace(checkConfig(t, "none"), "  docker: {hostConfig: {NetworkMode: none}}\n", "", 1))
	// The script listens as the peer would, and then calls the check.
	peer, err := fabricpeer.Build(t.TempDir(), fabricpeer.Module, fabricpeer.Metadata(fabricpeer.Module, "Version=v2.5.9", "DockerNamespace=hyperledger"))
	require.NoError(t, err)
	const script = `require('net').createServer().listen(7052, () => require('child_process').
		spawn('` + builderPath + `/bin/build', ['--check', '--probe'], {stdio: 'inherit'}).on('exit', code => process.exit(code)))`
	id := createContainer(t, name, map[string]any{
		"Image": world.nodeenv, "Entrypoint": []string{"/usr/local/bin/peer", "node", "start", "/usr/bin/env"}, "Cmd": []string{"node", "-e", script}, "User": "0:0",
		"Env": []string{
			"CORE_CHAINCODE_EXTERNALBUILDERS=[{name: docker, path: " + builderPath + "}]",
			"CORE_PEER_ADDRESS=" + name + ":7051", "CORE_PEER_CHAINCODELISTENADDRESS=0.0.0.0:7052",
			"CORE_VM_ENDPOINT=unix:///only/the/peer/has/this.sock",
		},
		"HostConfig": map[string]any{"NetworkMode": network, "Init": true, "Binds": []string{socketPath(t) + ":" + socketPath(t)}},
	})
	path := strings.TrimPrefix(builderPath, "/")
	files := []archived{fileOf(t, path+"/config.yaml", filepath.Join(dir, "config.yaml"), 0o644), fileOf(t, "usr/local/bin/peer", peer, 0o755)}
	for _, program := range []string{"detect", "build", "release", "run"} {
		files = append(files, fileOf(t, path+"/bin/"+program, filepath.Join(world.bin, program), 0o755))
	}
	require.NoError(t, world.engine.Upload(timeout(t), id, "/", tarOf(t, files...)))
	require.NoError(t, world.engine.Post(timeout(t), "/containers/"+id+"/start", nil, nil))
	var ended struct{ StatusCode int }
	require.NoError(t, world.engine.Post(timeout(t), "/containers/"+id+"/wait", nil, &ended))
	lines := printedBy(t, id)
	assert.Equal(t, 0, ended.StatusCode, lines)
	assert.Contains(t, lines, "ok    peer: CORE_CHAINCODE_EXTERNALBUILDERS names this builder, with the path "+builderPath)
	assert.Contains(t, lines, "ok    fabric: base images of Fabric 2.5.9, namespace hyperledger, from the executable of the peer, process ")
	assert.Contains(t, lines, "ok    network: a chaincode gets network "+network+", since the peer's container is there; it connects to the peer at "+name+":7052")
	assert.Regexp(t, `ok    disk: .* are free in a container on the engine|note  disk: `, lines)
	assert.Contains(t, lines, "ok    probe: ")
}

func TestCheckWithoutPermission(t *testing.T) {
	dir := builder(t, checkConfig(t, "host"))
	socket := filepath.Join(shortDir(t), "closed.sock")
	listener, err := net.Listen("unix", socket)
	require.NoError(t, err)
	defer listener.Close()
	require.NoError(t, os.Chmod(socket, 0o600))
	open := shortDir(t) // t.TempDir is closed to others
	require.NoError(t, os.CopyFS(filepath.Join(open, "bin"), os.DirFS(filepath.Join(dir, "bin"))))
	require.NoError(t, os.WriteFile(filepath.Join(open, "config.yaml"), []byte("vm: {endpoint: \"unix://"+socket+"\"}\n"), 0o644))
	for _, program := range []string{"detect", "build", "release", "run"} {
		require.NoError(t, os.Chmod(filepath.Join(open, "bin", program), 0o755))
	}
	cmd := exec.CommandContext(timeout(t), filepath.Join(open, "bin", "build"), "--check")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	} else {
		require.NoError(t, os.Chmod(socket, 0))
	}
	found := output(t, cmd)
	assert.Equal(t, 1, found.status)
	require.Len(t, found.faults(), 1, found.lines)
	assert.Contains(t, found.faults()[0], "FAIL  engine: no container engine answers at unix://"+socket+": permission denied for uid ")
	assert.Contains(t, found.faults()[0], "give the peer's user the socket's group")
	assert.Contains(t, found.lines, "ok    socket: "+socket+" belongs to ")
}

// shortDir returns a directory that everybody may enter, whose path is short enough for a socket.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "check")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	require.NoError(t, os.Chmod(dir, 0o755))
	return dir
}
