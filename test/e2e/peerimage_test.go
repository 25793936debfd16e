// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"archive/tar"
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/test/fabricpeer"
)

// builderPath is where packaging/Dockerfile puts the builder.
const builderPath = "/opt/hyperledger/docker_builder"

// layerConfig returns the config.yaml of the layer. It only names the base images, because the official ones cannot be
// pulled everywhere. Operators who can pull them need no config.yaml.
func layerConfig() string {
	return fmt.Sprintf("chaincode:\n  builder: %s\n  golang: {runtime: %s}\n  node: {runtime: %s}\n", world.ccenv, world.baseos, world.nodeenv)
}

// archived is a file or a directory for a container or a build.
type archived struct {
	name string
	mode int64
	uid  int
	body []byte // nil: a directory
}

func tarOf(t *testing.T, entries ...archived) io.Reader {
	t.Helper()
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for _, e := range entries {
		header := &tar.Header{Typeflag: tar.TypeReg, Name: e.name, Mode: e.mode, Uid: e.uid, Gid: e.uid, Size: int64(len(e.body))}
		if e.body == nil {
			header.Typeflag, header.Name = tar.TypeDir, e.name+"/"
		}
		require.NoError(t, w.WriteHeader(header))
		_, err := w.Write(e.body)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return &archive
}

func fileOf(t *testing.T, name, path string, mode int64) archived {
	t.Helper()
	body, err := os.ReadFile(path)
	require.NoError(t, err)
	return archived{name: name, mode: mode, body: body}
}

// buildLayer builds packaging/Dockerfile up to a target, with this config.yaml, on an image in place of the peer's.
func buildLayer(t *testing.T, target, peer string, config []byte) string {
	t.Helper()
	files := []archived{
		fileOf(t, "packaging/Dockerfile", "../../packaging/Dockerfile", 0o644),
		{name: "packaging/config.yaml", mode: 0o644, body: config},
		fileOf(t, "LICENSE", "../../LICENSE", 0o644),
		fileOf(t, "NOTICE", "../../NOTICE", 0o644),
	}
	for _, program := range []string{"detect", "build", "release", "run"} {
		files = append(files, fileOf(t, "bin/"+program, filepath.Join(world.bin, program), 0o755))
	}
	arguments, err := json.Marshal(map[string]string{"PEER_IMAGE": peer})
	require.NoError(t, err)
	return imageFromFiles(t, target, url.Values{"dockerfile": {"packaging/Dockerfile"}, "target": {target}, "buildargs": {string(arguments)}}, files...)
}

// imageFromFiles builds an image that is removed when the test ends. The classic builder needs no registry for images that the
// engine has.
func imageFromFiles(t *testing.T, name string, query url.Values, files ...archived) string {
	t.Helper()
	image := fmt.Sprintf("%s/%s-%s:e2e", prefix, name, strings.ToLower(rand.Text()))
	for option, value := range map[string]string{"t": image, "version": "1", "rm": "1", "forcerm": "1"} {
		query.Set(option, value)
	}
	require.NoError(t, world.engine.Stream(timeout(t), "/build?"+query.Encode(), tarOf(t, files...), nil))
	t.Cleanup(func() { assert.NoError(t, world.engine.Delete(background(t), "/images/"+image+"?force=1")) })
	return image
}

// peerImage builds the peer's image with the layer. The image of the first stage would have no name, so it is built
// separately first, under a name by which it can be removed.
func peerImage(t *testing.T, peer string, config []byte) string {
	t.Helper()
	buildLayer(t, "programs", peer, config)
	return buildLayer(t, "peer", peer, config)
}

// peerOfRelease builds a program that its build info declares a peer of Fabric 2.5.9, and gives the base images the names of
// that release in a namespace of the test's own, which the build info names too.
func peerOfRelease(t *testing.T) string {
	t.Helper()
	namespace := prefix + "/release-" + strings.ToLower(rand.Text()[:10])
	for name, image := range map[string]string{"ccenv": world.ccenv, "baseos": world.baseos} {
		repository := namespace + "/fabric-" + name
		query := url.Values{"repo": {repository}, "tag": {"2.5"}}
		require.NoError(t, world.engine.Post(timeout(t), "/images/"+image+"/tag?"+query.Encode(), nil, nil))
		t.Cleanup(func() { assert.NoError(t, world.engine.Delete(background(t), "/images/"+repository+":2.5")) })
	}
	program, err := fabricpeer.Build(t.TempDir(), fabricpeer.Module,
		fabricpeer.Metadata(fabricpeer.Module, "Version=v2.5.9", "DockerNamespace="+namespace))
	require.NoError(t, err)
	return program
}

func TestTheProgramsAlone(t *testing.T) {
	t.Parallel()
	image := buildLayer(t, "programs", world.baseos, []byte(layerConfig()))
	id := createContainer(t, "", map[string]any{"Image": image, "Cmd": []string{"none"}})
	content, err := world.engine.Read(timeout(t), "/containers/"+id+"/archive?path="+builderPath)
	require.NoError(t, err)
	modes := map[string]fs.FileMode{}
	for archive := tar.NewReader(bytes.NewReader(content)); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		modes[path.Clean(header.Name)] = header.FileInfo().Mode().Perm()
	}
	assert.Equal(t, map[string]fs.FileMode{
		"docker_builder": 0o755, "docker_builder/bin": 0o755, "docker_builder/config.yaml": 0o644, "docker_builder/LICENSE": 0o644, "docker_builder/NOTICE": 0o644,
		"docker_builder/bin/detect": 0o755, "docker_builder/bin/build": 0o755, "docker_builder/bin/release": 0o755, "docker_builder/bin/run": 0o755,
	}, modes)
}

// With only a name and a path in externalBuilders, and no variable propagated, the builder finds the engine, the peer's
// network and, in Fabric's test network, the images of the peer's release. The test peer runs in several environments.
func TestNameAndPathAreAllItTakes(t *testing.T) {
	t.Run("on the host", func(t *testing.T) {
		dir := t.TempDir()
		pkg := filepath.Join(dir, "kv.tgz")
		require.NoError(t, os.WriteFile(pkg, sample(t, "go", "golang", "kv_1.0"), 0o600))
		said := onTheHost(t, transactions(testpeer(t), builder(t, layerConfig()), filepath.Join(dir, "peer"), pkg, "127.0.0.1:0", ""))
		assert.Contains(t, said, "\nblue\n")
	})

	t.Run("in its own network", func(t *testing.T) {
		p := containedPeer{
			image: peerImage(t, world.baseos, []byte(layerConfig())), pkg: fresh(t, "golang", "kv_1.0", entries(t, filepath.Join(world.samples, "go"))...),
			user: 500, coreDir: "/etc/hyperledger/fabric", socket: "/var/run/docker.sock",
			environment: []string{"FABRIC_CFG_PATH=/etc/hyperledger/fabric", "CORE_VM_DOCKER_HOSTCONFIG_NETWORKMODE=nobody-sees-this"},
		}
		p.run(t)
	})
	t.Run("in Fabric's test network", func(t *testing.T) {
		shipped, err := os.ReadFile("../../packaging/config.yaml") // sets nothing
		require.NoError(t, err)
		p := containedPeer{
			image: peerImage(t, world.baseos, shipped), program: peerOfRelease(t), pkg: sample(t, "go", "golang", "kv_1.0"),
			user: 0, coreDir: "/etc/hyperledger/peercfg", socket: "/host/var/run/docker.sock",
			environment: []string{
				"FABRIC_CFG_PATH=/etc/hyperledger/peercfg", "CORE_VM_ENDPOINT=unix:///host/var/run/docker.sock", "CORE_PEER_ID=peer0.org1.example.com",
				"CORE_PEER_NETWORKID=nobody-sees-this",
			},
		}
		t.Run("without its NetworkMode variable", func(t *testing.T) {
			assert.Contains(t, p.run(t), `version=2.5.9`)
		})
		t.Run("with its NetworkMode variable", func(t *testing.T) {
			p.environment = append(p.environment, "CORE_VM_DOCKER_HOSTCONFIG_NETWORKMODE=fabric_test") // as Compose calls it; nobody sees this
			said := p.run(t)
			assert.Contains(t, said, `from="the executable of the peer, process `)
			assert.NotContains(t, said, "fabric_test")
		})
	})
}

// containedPeer is a peer in a container on the engine that it uses.
type containedPeer struct {
	image       string
	program     string // a peer that calls the test peer; empty: none
	pkg         []byte
	user        int
	coreDir     string // of core.yaml
	socket      string // of the engine, in the container
	environment []string
}

// run installs a chaincode and invokes it twice, and returns what was printed. The address of the peer is the name of its
// container.
func (p containedPeer) run(t *testing.T) string {
	t.Helper()
	unique := strings.ToLower(rand.Text()[:10])
	network := createNetwork(t, "fabric-"+unique)
	state := createNetwork(t, "state-"+unique) // with the state database: nothing for chaincodes
	name := "peer0.org1-" + unique + ".example.com"
	host := &syscall.Stat_t{}
	require.NoError(t, syscall.Stat(socketPath(t), host))

	caller, files := "/usr/local/bin/testpeer", []archived{fileOf(t, "usr/local/bin/testpeer", testpeer(t), 0o755)}
	if p.program != "" {
		caller = "/usr/local/bin/peer node start " + caller
		files = append(files, fileOf(t, "usr/local/bin/peer", p.program, 0o755))
	}
	id := createContainer(t, name, map[string]any{
		"Image": p.image, "User": fmt.Sprintf("%d:%d", p.user, p.user), "Env": p.environment, "WorkingDir": "/",
		"Cmd": []string{"/bin/sh", "-ec", transactions(caller, builderPath, "/var/hyperledger/production", "/kv.tgz", "0.0.0.0:7052", name)},
		"HostConfig": map[string]any{
			"NetworkMode": network, "GroupAdd": []string{fmt.Sprint(host.Gid)}, "Init": true,
			"Binds": []string{socketPath(t) + ":" + p.socket},
		},
	})
	core := fileOf(t, strings.TrimPrefix(p.coreDir, "/")+"/core.yaml", "testdata/core/core.yaml", 0o644)
	files = append(files, archived{name: "var/hyperledger/production", mode: 0o700, uid: p.user}, archived{name: "kv.tgz", mode: 0o644, body: p.pkg}, core)
	require.NoError(t, world.engine.Upload(timeout(t), id, "/", tarOf(t, files...)))
	require.NoError(t, world.engine.Post(timeout(t), "/networks/"+state+"/connect", map[string]any{"Container": id}, nil))
	joined := watchNetworks(t, name+":7052")
	require.NoError(t, world.engine.Post(timeout(t), "/containers/"+id+"/start", nil, nil))
	var ended struct{ StatusCode int }
	require.NoError(t, world.engine.Post(timeout(t), "/containers/"+id+"/wait", nil, &ended))
	said := printedBy(t, id)
	require.Zero(t, ended.StatusCode, said)
	assert.Contains(t, said, "\nblue\n")
	assert.NotContains(t, said, "[WARN]", "all is as it should be")

	seen := joined()
	assert.Len(t, seen, 2, "one for each launch")
	for _, names := range seen {
		assert.Equal(t, []string{network}, names, "not all of the peer's")
	}
	noContainers(t, metadata.LabelPeerAddress, name+":7052")
	return said
}

// transactions returns a script in which a peer installs a package and invokes it, and a second peer invokes it again.
func transactions(testpeer, builder, dir, pkg, listen, host string) string {
	common := fmt.Sprintf("-builder %s -dir %s", builder, dir)
	serving := fmt.Sprintf("%s -tls -listen %s", common, listen)
	if host != "" {
		serving += " -host " + host
	}
	return fmt.Sprintf("set -e\n%[1]s install %[2]s %[4]s\n%[1]s invoke %[3]s -- put colour blue\necho\n%[1]s invoke %[3]s -- get colour\n",
		testpeer, common, serving, pkg)
}

// testpeer builds the test peer as a static program.
func testpeer(t *testing.T) string {
	t.Helper()
	program := filepath.Join(world.bin, "testpeer")
	build := exec.Command("go", "build", "-o", program, "fabric-builder-docker/test/peer/cmd/testpeer")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	output, err := build.CombinedOutput()
	require.NoError(t, err, string(output))
	return program
}

// onTheHost runs a script that finds the engine at the usual socket. If the tests' engine has another socket, it is
// bind-mounted there for the script, which needs root.
func onTheHost(t *testing.T, script string) string {
	t.Helper()
	cmd := exec.CommandContext(timeout(t), "/bin/sh", "-ec", script)
	if socket := socketPath(t); socket != "/var/run/docker.sock" {
		mount := fmt.Sprintf("mount -t tmpfs tmpfs /run\ntouch /run/docker.sock\nmount --bind %s /run/docker.sock\n", socket)
		cmd = exec.CommandContext(timeout(t), "unshare", "--mount", "--propagation", "private", "/bin/sh", "-ec", mount+script)
	}
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	output, err := cmd.CombinedOutput()
	require.NoError(t, err, string(output))
	return string(output)
}
