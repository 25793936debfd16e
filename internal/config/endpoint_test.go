// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// withSockets replaces the default sockets by files of the test, of which only some exist.
func withSockets(t *testing.T, exist ...bool) []string {
	t.Helper()
	before := sockets
	t.Cleanup(func() { sockets = before })
	sockets = nil
	for i, exists := range exist {
		path := filepath.Join(t.TempDir(), string(rune('a'+i))+".sock")
		if exists {
			require.NoError(t, os.WriteFile(path, nil, 0o600))
		}
		sockets = append(sockets, path)
	}
	return sockets
}

func TestEndpointIsChosenInThisOrder(t *testing.T) {
	const first, second = "the first socket", "the second socket"
	tests := map[string]struct {
		yaml    string
		environ []string
		exist   []bool
		want    string
		source  string
	}{
		"variable":                       {"vm: {endpoint: tcp://file}", []string{"DOCKER_HOST=tcp://docker", "CORE_VM_ENDPOINT=tcp://core"}, []bool{true, true}, "tcp://core", "CORE_VM_ENDPOINT"},
		"file":                           {"vm: {endpoint: tcp://file}", []string{"DOCKER_HOST=tcp://docker"}, []bool{true, true}, "tcp://file", "vm.endpoint in FILE"},
		"DOCKER_HOST":                    {"", []string{"DOCKER_HOST=tcp://docker"}, []bool{true, true}, "tcp://docker", "DOCKER_HOST"},
		"an empty DOCKER_HOST":           {"", []string{"DOCKER_HOST="}, []bool{true, true}, first, "the default"},
		"both sockets":                   {"", nil, []bool{true, true}, first, "the default"},
		"the second socket":              {"", nil, []bool{false, true}, second, "the default"},
		"no socket":                      {"", nil, []bool{false, false}, first, "the default"},
		"the built-in controller is off": {"vm: {endpoint: \"\"}", nil, []bool{true, true}, first, "the default"},
		"off in a variable":              {"vm: {endpoint: tcp://file}", []string{"CORE_VM_ENDPOINT="}, []bool{true, true}, "tcp://file", "vm.endpoint in FILE"},
		"off, with DOCKER_HOST":          {"vm: {endpoint: \"\"}", []string{"CORE_VM_ENDPOINT=", "DOCKER_HOST=tcp://docker"}, []bool{true, true}, "tcp://docker", "DOCKER_HOST"},
		"without a scheme, as older peers take it": {"vm: {endpoint: \"172.17.0.1:2375\"}", nil, []bool{true, true}, "tcp://172.17.0.1:2375", "vm.endpoint in FILE"},
		"DOCKER_HOST without a scheme":             {"", []string{"DOCKER_HOST=engine:2375"}, []bool{true, true}, "tcp://engine:2375", "DOCKER_HOST"},
		"a variable without a scheme":              {"", []string{"CORE_VM_ENDPOINT=[::1]:2375"}, []bool{true, true}, "tcp://[::1]:2375", "CORE_VM_ENDPOINT"},
		"similar names":                            {"", []string{"DOCKER_HOSTS=tcp://x", "XDOCKER_HOST=tcp://x"}, []bool{true, true}, first, "the default"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			paths := withSockets(t, test.exist...)
			dir := t.TempDir()
			path := filepath.Join(dir, File)
			require.NoError(t, os.WriteFile(path, []byte(test.yaml), 0o644))

			settings, err := Load(dir, test.environ)

			require.NoError(t, err)
			want := map[string]string{first: "unix://" + paths[0], second: "unix://" + paths[1]}[test.want]
			if want == "" {
				want = test.want
			}
			assert.Equal(t, want, settings.VM.Endpoint)
			if test.source == "vm.endpoint in FILE" {
				test.source = "vm.endpoint in " + path
			}
			cause := errors.New("no engine answers")
			explained := settings.ExplainEndpoint(cause)
			assert.EqualError(t, explained, "no engine answers (endpoint from "+test.source+
				"; to change it set vm.endpoint in config.yaml beside bin/, or CORE_VM_ENDPOINT)")
			assert.ErrorIs(t, explained, cause)
		})
	}
}

func TestAnEndpointThatIsNone(t *testing.T) {
	for _, endpoint := range []string{"/var/run/docker.sock", "docker", "host:port", ":2375", "host:0", "host:65536", "unix:", "172.17.0.1", "a:1:2"} {
		_, err := Load(t.TempDir(), []string{"CORE_VM_ENDPOINT=" + endpoint})
		assert.ErrorContains(t, err, "vm.endpoint: invalid value", endpoint)
	}
}

// Docker's clients read all three.
func TestDockerHostBringsItsTLSVariables(t *testing.T) {
	certs := t.TempDir()
	for _, name := range []string{"ca.pem", "cert.pem", "key.pem"} {
		require.NoError(t, os.WriteFile(filepath.Join(certs, name), nil, 0o600))
	}
	home := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(home, ".docker"), 0o700))
	all := TLS{Enabled: true, CA: PEM{certs + "/ca.pem"}, Cert: PEM{certs + "/cert.pem"}, Key: PEM{certs + "/key.pem"}}
	tests := map[string]struct {
		yaml    string
		environ []string
		want    TLS
	}{
		"both":                      {"", []string{"DOCKER_TLS_VERIFY=1", "DOCKER_CERT_PATH=" + certs}, all},
		"only the directory":        {"", []string{"DOCKER_CERT_PATH=" + certs}, all},
		"no client certificate":     {"", []string{"DOCKER_TLS_VERIFY=1", "DOCKER_CERT_PATH=/no"}, TLS{Enabled: true, CA: PEM{"/no/ca.pem"}}},
		"the home directory":        {"", []string{"DOCKER_TLS_VERIFY=1", "HOME=" + home}, TLS{Enabled: true, CA: PEM{home + "/.docker/ca.pem"}}},
		"Docker's own directory":    {"", []string{"DOCKER_TLS_VERIFY=1", "HOME=" + home, "DOCKER_CONFIG=" + certs}, all},
		"no directory is known":     {"", []string{"DOCKER_TLS_VERIFY=1"}, TLS{Enabled: true}},
		"neither":                   {"", []string{"HOME=" + home, "DOCKER_TLS_VERIFY="}, TLS{}},
		"another endpoint":          {"vm: {endpoint: \"tcp://other:2376\"}", []string{"DOCKER_TLS_VERIFY=1", "DOCKER_CERT_PATH=" + certs}, TLS{}},
		"settings win":              {"vm: {docker: {tls: {enabled: true, ca: {file: /ca}}}}", []string{"DOCKER_CERT_PATH=" + certs}, TLS{Enabled: true, CA: PEM{"/ca"}}},
		"settings win, without TLS": {"vm: {docker: {tls: {enabled: false}}}", []string{"DOCKER_CERT_PATH=" + certs}, TLS{}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(dir, File), []byte(test.yaml), 0o644))
			settings, err := Load(dir, append(test.environ, "DOCKER_HOST=tcp://docker:2376"))
			require.NoError(t, err)
			assert.Equal(t, test.want, settings.VM.Docker.TLS)
		})
	}
	t.Run("the shipped core.yaml, which turns TLS off", func(t *testing.T) {
		core := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(core, "core.yaml"), []byte("vm: {docker: {tls: {enabled: false, ca: {file: docker/ca.crt}}}}"), 0o644))
		settings, err := Load(t.TempDir(), []string{"FABRIC_CFG_PATH=" + core, "DOCKER_HOST=tcp://docker:2376", "DOCKER_CERT_PATH=" + certs})
		require.NoError(t, err)
		assert.Equal(t, all, settings.VM.Docker.TLS)
	})
}

func TestTheDefaultSockets(t *testing.T) {
	assert.Equal(t, []string{"/var/run/docker.sock", "/host/var/run/docker.sock"}, sockets)
}
