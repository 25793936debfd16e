package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"sigs.k8s.io/yaml"
)

// File is the name of the settings file, in the directory that holds bin/.
const File = "config.yaml"

// Load reads the settings: config.yaml in dir where there is one, then the variables of environ (KEY=VALUE).
func Load(dir string, environ []string) (Settings, error) {
	settings := Defaults()
	path := filepath.Join(dir, File)
	if err := settings.loadFile(path); err != nil {
		return Settings{}, fmt.Errorf("%s: %w", path, err)
	}
	if settings.VM.Endpoint != "" {
		settings.endpointSource = "vm.endpoint in " + path
	}
	if err := settings.loadEnvironment(environ); err != nil {
		return Settings{}, err
	}
	settings.chooseEndpoint(environ)
	return settings, nil
}

func (s *Settings) loadFile(path string) error {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if pathError := (*fs.PathError)(nil); errors.As(err, &pathError) {
		return pathError.Err // Load names the file
	}
	if err != nil {
		return err
	}
	var document any
	if err := yaml.UnmarshalStrict(data, &document); err != nil { // strict: the same key twice is an error
		return fmt.Errorf("not YAML: %s", yamlReason(err))
	}
	if document == nil {
		return nil
	}
	if err := set(s, document); err != nil {
		return err
	}
	return s.check()
}

// yamlReason is an error of the YAML library on one line, without the names of its layers.
func yamlReason(err error) string {
	text := strings.Join(strings.Fields(err.Error()), " ")
	if _, reason, ok := strings.Cut(text, "yaml: "); ok {
		return reason
	}
	return text
}

// loadEnvironment reads the CORE_… variables. As for the peer, an empty one counts as not set.
func (s *Settings) loadEnvironment(environ []string) error {
	for _, variable := range environ {
		name, value, _ := strings.Cut(variable, "=")
		if value == "" || !strings.HasPrefix(name, "CORE_") {
			continue
		}
		if err := setVariable(s, name, value); err != nil {
			return fmt.Errorf("variable %s: %w", name, err)
		}
		if err := s.check(); err != nil {
			return fmt.Errorf("variable %s: %w", name, err)
		}
		if name == "CORE_VM_ENDPOINT" {
			s.endpointSource = name
		}
	}
	return nil
}

// prefixes are what may stand in front of an image's type.
var prefixes = regexp.MustCompile(`^[a-z0-9]+([._-][a-z0-9]+)*(:[0-9]+)?(/[a-z0-9]+([._-][a-z0-9]+)*)*$`)

// check refuses values that no engine can take.
func (s *Settings) check() error {
	const mebibyte = 1 << 20
	switch {
	case s.VM.Docker.HostConfig.Memory < 0 || s.VM.Docker.HostConfig.Memory > 0 && s.VM.Docker.HostConfig.Memory < 6*mebibyte:
		return fmt.Errorf("vm.docker.hostConfig.Memory: %d is not possible: bytes, at least %d, or 0 for no limit", s.VM.Docker.HostConfig.Memory, 6*mebibyte)
	case s.Builder.BuildTimeout < time.Second:
		return fmt.Errorf("builder.buildTimeout: %v is not possible: at least 1s", s.Builder.BuildTimeout)
	case s.Chaincode.StartupTimeout < time.Second:
		return fmt.Errorf("chaincode.startuptimeout: %v is not possible: at least 1s", s.Chaincode.StartupTimeout)
	case s.Builder.Pids < 1:
		return fmt.Errorf("builder.pids: %d is not possible: at least 1", s.Builder.Pids)
	case !prefixes.MatchString(s.Builder.Prefix):
		return fmt.Errorf("builder.prefix: %q is no image name: lower-case letters, digits, and . _ - / in between", s.Builder.Prefix)
	}
	return nil
}
