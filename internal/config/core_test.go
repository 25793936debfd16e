// SPDX-License-Identifier: Apache-2.0

package config_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/config"
)

// shippedCore returns the core.yaml of the official image, as far as this builder reads it. nodeTag is the tag of nodeenv
// and javaenv in it.
func shippedCore(nodeTag string) string {
	return `
peer:
  id: jdoe
  networkId: dev
  listenAddress: 0.0.0.0:7051
  gossip: {bootstrap: "127.0.0.1:7051", useLeaderElection: false}
vm:
  endpoint: unix:///var/run/docker.sock
  docker:
    tls:
      enabled: false
      ca: {file: docker/ca.crt}
      cert: {file: docker/tls.crt}
      key: {file: docker/tls.key}
    attachStdout: false
    hostConfig:
      NetworkMode: host
      Dns:
      LogConfig: {Type: json-file, Config: {max-size: "50m", max-file: "5"}}
      Memory: 2147483648
chaincode:
  id: {path: , name: }
  builder: $(DOCKER_NS)/fabric-ccenv:$(TWO_DIGIT_VERSION)
  pull: false
  golang: {runtime: $(DOCKER_NS)/fabric-baseos:$(TWO_DIGIT_VERSION), dynamicLink: false}
  java: {runtime: $(DOCKER_NS)/fabric-javaenv:` + nodeTag + `}
  node: {runtime: $(DOCKER_NS)/fabric-nodeenv:` + nodeTag + `}
  externalBuilders: [{name: ccaas_builder, path: /opt/hyperledger/ccaas_builder}]
  installTimeout: 300s
  startuptimeout: 300s
  executetimeout: 30s
  mode: net
  keepalive: 0
  logging:
    level: info
    shim: warning
    format: "%{color}%{time:2006-01-02 15:04:05.000 MST} [%{module}] %{shortfunc} -> %{level:.4s} %{id:03x}%{color:reset} %{message}"
ledger: {blockchain: }
`
}

// coreIn returns a new directory that holds this core.yaml.
func coreIn(t *testing.T, yaml string) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "core.yaml"), []byte(yaml), 0o644))
	return dir
}

// inContainer makes this process look as if it runs in a container, or not.
func inContainer(t *testing.T, yes bool) {
	t.Helper()
	mounts := "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n23 22 0:21 / /proc rw - proc proc rw\n"
	if yes {
		mounts += "24 22 8:1 /var/lib/docker/containers/0a/hosts /etc/hosts rw - ext4 /dev/sda1 rw\n"
	}
	path := filepath.Join(t.TempDir(), "mountinfo")
	require.NoError(t, os.WriteFile(path, []byte(mounts), 0o644))
	config.UseMounts(t, path)
}

func TestWhatCoreYAMLShipsCountsAsNotSet(t *testing.T) {
	for name, tag := range map[string]string{"2.5": "$(TWO_DIGIT_VERSION)", "3.1": "2.5"} {
		t.Run(name, func(t *testing.T) {
			inContainer(t, true)
			config.UseCoreDirs(t, coreIn(t, shippedCore(tag)))
			none := []string{"DOCKER_HOST=unix:///x"}
			loaded, err := config.Load(t.TempDir(), none)
			require.NoError(t, err)
			config.UseCoreDirs(t)
			defaults, err := config.Load(t.TempDir(), none)
			require.NoError(t, err)
			got, want := values(loaded), values(defaults)
			for _, key := range []string{"ca", "cert", "key"} { // have no effect while TLS is off
				delete(got, "vm.docker.tls."+key+".file")
				delete(want, "vm.docker.tls."+key+".file")
			}
			assert.Equal(t, want, got)
			assert.Empty(t, loaded.Warnings)
		})
	}
}

// A value that Fabric ships in core.yaml is intended if the operator writes it anywhere else.
func TestShippedValuesAreTakenLiterallyElsewhere(t *testing.T) {
	want := map[string]any{
		"peer.id": "jdoe", "peer.networkId": "dev", "vm.endpoint": "unix:///var/run/docker.sock",
		"vm.docker.attachStdout": false, "vm.docker.hostConfig.NetworkMode": "host",
	}
	tests := map[string]struct {
		yaml    string
		environ []string
	}{
		"config.yaml": {`{peer: {id: jdoe, networkId: dev}, vm: {endpoint: "unix:///var/run/docker.sock", docker: {attachStdout: false, hostConfig: {NetworkMode: host}}}}`, nil},
		"variables": {"", []string{"CORE_PEER_ID=jdoe", "CORE_PEER_NETWORKID=dev", "CORE_VM_ENDPOINT=unix:///var/run/docker.sock",
			"CORE_VM_DOCKER_ATTACHSTDOUT=false", "CORE_VM_DOCKER_HOSTCONFIG_NETWORKMODE=host"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			inContainer(t, true)
			settings, err := config.Load(home(t, test.yaml), append(test.environ, "DOCKER_HOST=tcp://other:2375"))
			require.NoError(t, err)
			all := values(settings)
			for key, value := range want {
				assert.Equal(t, value, all[key], key)
			}
		})
	}
}

func TestCoreYAMLHasTheLowestPrecedence(t *testing.T) {
	core := coreIn(t, `
peer: {id: peer0, networkId: 1}
vm:
  endpoint: tcp://core:2375
  docker: {attachStdout: true, hostConfig: {networkmode: fabric_test, Memory: 1073741824, ShmSize: 1, CapAdd: [SYS_PTRACE], LogConfig: {Config: {max-file: 3}}}}
chaincode: {startuptimeout: 60s, node: {runtime: ""}, builder: , mode: dev}
builder: {pids: 7, nonsense: true}
`)
	config.UseCoreDirs(t, core)
	settings, err := config.Load(home(t, "vm: {docker: {hostConfig: {Memory: 536870912}}}\nchaincode: {startuptimeout: 30s}"),
		[]string{"CORE_CHAINCODE_STARTUPTIMEOUT=20s"})
	require.NoError(t, err)
	all := values(settings)
	for key, want := range map[string]any{
		"peer.id": "peer0", "peer.networkId": "1", "vm.endpoint": "tcp://core:2375", "vm.docker.hostConfig.NetworkMode": "fabric_test",
		"vm.docker.hostConfig.CapAdd":           []string{"SYS_PTRACE"},
		"vm.docker.hostConfig.LogConfig.Type":   "json-file",
		"vm.docker.hostConfig.LogConfig.Config": map[string]string{"max-file": "3"},
		"vm.docker.hostConfig.Memory":           int64(512 << 20),
		"chaincode.startuptimeout":              20 * time.Second,
		"chaincode.node.runtime":                "hyperledger/fabric-nodeenv:2.5", // an empty value counts as not set
		"chaincode.builder":                     "hyperledger/fabric-ccenv:3.1",
		"builder.pids":                          int64(4096), // core.yaml has no builder section
	} {
		assert.Equal(t, want, all[key], key)
	}
	assert.EqualError(t, settings.ExplainEndpoint(assert.AnError), assert.AnError.Error()+" (endpoint from vm.endpoint in "+
		filepath.Join(core, "core.yaml")+"; to change it set vm.endpoint in config.yaml beside bin/, or CORE_VM_ENDPOINT)")
}

func TestWhichCoreYAMLIsRead(t *testing.T) {
	dir := func(id string) string { return coreIn(t, "peer: {id: "+id+"}") }
	variable, first, second, empty := dir("variable"), dir("first"), dir("second"), t.TempDir()
	tests := map[string]struct {
		environ []string
		dirs    []string
		want    string
	}{
		"the variable":           {[]string{"FABRIC_CFG_PATH=" + variable}, []string{first, second}, "variable"},
		"the first":              {nil, []string{first, second}, "first"},
		"an empty variable":      {[]string{"FABRIC_CFG_PATH="}, []string{first, second}, "first"},
		"the first that exists":  {[]string{"FABRIC_CFG_PATH=" + empty}, []string{filepath.Join(empty, "no"), second}, "second"},
		"none":                   {nil, []string{empty}, ""},
		"one with nothing in it": {[]string{"FABRIC_CFG_PATH=" + coreIn(t, "# nothing\n")}, []string{second}, "second"},
		"only the first of two":  {[]string{"FABRIC_CFG_PATH=" + coreIn(t, "peer: {networkId: x}")}, []string{second}, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			config.UseCoreDirs(t, test.dirs...)
			settings, err := config.Load(t.TempDir(), test.environ)
			require.NoError(t, err)
			assert.Equal(t, test.want, settings.Peer.ID)
			assert.Empty(t, settings.Warnings)
		})
	}
}

func TestAnUnreadableCoreYAMLIsIgnored(t *testing.T) {
	closed, open := coreIn(t, "peer: {id: closed}"), coreIn(t, "peer: {id: open}")
	config.UseCoreDirs(t, closed, open)
	config.CloseFile(t, filepath.Join(closed, "core.yaml"))
	settings, err := config.Load(t.TempDir(), nil)
	require.NoError(t, err)
	assert.Equal(t, "open", settings.Peer.ID)
	assert.Equal(t, []string{filepath.Join(closed, "core.yaml") + ": permission denied: the file is ignored"}, settings.Warnings)
}

func TestAnUnreadableConfigYAMLIsAnError(t *testing.T) {
	dir := home(t, "builder: {pids: 1}")
	config.CloseFile(t, filepath.Join(dir, config.File))
	_, err := config.Load(dir, nil)
	assert.ErrorContains(t, err, filepath.Join(dir, config.File)+": permission denied")
}

// The peer does not start with such a file either.
func TestCoreYAMLThatThePeerCannotReadIsRefusedInOneLine(t *testing.T) {
	tests := map[string]struct{ yaml, want string }{
		"not YAML":                    {"vm: [", "invalid YAML: line 1: did not find expected node content"},
		"not YAML, and a key twice":   {"vm:\nvm:\n\tx", "invalid YAML: line 3: found character that cannot start any token"},
		"a string":                    {"hello", `expected a section with keys, got "hello"`},
		"a list":                      {"[a]", `expected a section with keys, got a list`},
		"a string in several lines":   {"hello\nworld", `expected a section with keys, got "hello world"`},
		"an anchor that is not there": {"vm: *x", "invalid YAML: unknown anchor 'x' referenced"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			dir := coreIn(t, test.yaml)
			config.UseCoreDirs(t, dir)
			_, err := config.Load(t.TempDir(), nil)
			require.Error(t, err)
			assert.Equal(t, filepath.Join(dir, "core.yaml")+": "+test.want, err.Error())
		})
	}
	t.Run("a directory", func(t *testing.T) {
		dir := t.TempDir()
		require.NoError(t, os.Mkdir(filepath.Join(dir, "core.yaml"), 0o755))
		config.UseCoreDirs(t, dir)
		_, err := config.Load(t.TempDir(), nil)
		assert.EqualError(t, err, filepath.Join(dir, "core.yaml")+": is a directory")
	})
}

// On the host, NetworkMode host is intended; in a container it is what the image ships.
func TestNetworkModeHostOfCoreYAML(t *testing.T) {
	for container, want := range map[bool]string{true: "", false: "host"} {
		inContainer(t, container)
		config.UseCoreDirs(t, coreIn(t, shippedCore("2.5")))
		settings, err := config.Load(t.TempDir(), nil)
		require.NoError(t, err)
		assert.Equal(t, want, settings.VM.Docker.HostConfig.NetworkMode)
	}
}

func TestRelativeFilesBeginWhereTheyAreNamed(t *testing.T) {
	core := coreIn(t, shippedCore("2.5"))
	config.UseCoreDirs(t, core)
	dir := home(t, "vm: {docker: {tls: {cert: {file: own/cert.pem}}}}\nbuilder: {registry: {config: docker.json}}")
	settings, err := config.Load(dir, []string{"CORE_VM_DOCKER_TLS_ENABLED=true", "CORE_VM_DOCKER_TLS_KEY_FILE=tls/key.pem"})
	require.NoError(t, err)
	assert.Equal(t, config.TLS{
		Enabled: true,
		CA:      config.PEM{File: filepath.Join(core, "docker/ca.crt")},
		Cert:    config.PEM{File: filepath.Join(dir, "own/cert.pem")},
		Key:     config.PEM{File: filepath.Join(core, "tls/key.pem")}, // as for the peer
	}, settings.VM.Docker.TLS)
	assert.Equal(t, filepath.Join(dir, "docker.json"), settings.Builder.Registry.Config)

	config.UseCoreDirs(t)
	settings, err = config.Load(dir, []string{"CORE_VM_DOCKER_TLS_KEY_FILE=key.pem", "CORE_VM_DOCKER_TLS_CA_FILE=/ca.pem"})
	require.NoError(t, err)
	assert.Equal(t, filepath.Join(dir, "key.pem"), settings.VM.Docker.TLS.Key.File)
	assert.Equal(t, "/ca.pem", settings.VM.Docker.TLS.CA.File)
}

// Nobody writes to the FIFO, so every program would wait for ever.
func TestSettingsThatAreNotInAFile(t *testing.T) {
	const want = ": it is a FIFO, not a regular file"
	dir := t.TempDir()
	path := filepath.Join(dir, config.File)
	require.NoError(t, syscall.Mkfifo(path, 0o600))
	_, err := config.Load(dir, nil)
	assert.EqualError(t, err, path+want)
	_, err = config.LoadTypes(dir, nil)
	assert.EqualError(t, err, path+want)

	core := t.TempDir()
	path = filepath.Join(core, "core.yaml")
	require.NoError(t, syscall.Mkfifo(path, 0o600))
	_, err = config.Load(t.TempDir(), []string{"FABRIC_CFG_PATH=" + core})
	assert.EqualError(t, err, path+want)

	require.NoError(t, os.Remove(path))
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	require.NoError(t, os.Truncate(path, 1<<40))
	_, err = config.Load(t.TempDir(), []string{"FABRIC_CFG_PATH=" + core})
	assert.EqualError(t, err, path+": the file is larger than 16 MiB")
}
