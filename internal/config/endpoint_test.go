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
		"similar names":                  {"", []string{"DOCKER_HOSTS=tcp://x", "XDOCKER_HOST=tcp://x"}, []bool{true, true}, first, "the default"},
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

func TestTheDefaultSockets(t *testing.T) {
	assert.Equal(t, []string{"/var/run/docker.sock", "/host/var/run/docker.sock"}, sockets)
}
