package config

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"

	"fabric-builder-docker/internal/regular"
)

// File is the name of the settings file, in the directory that holds bin/.
const File = "config.yaml"

// Load reads the settings from the peer's core.yaml, from config.yaml in dir, and from the CORE_ variables in environ
// (KEY=VALUE). Later sources win, except where an older key stands for a newer one (chaincode.pull, Cpuset; see resolve). A
// file that does not exist is skipped. An error names the file or variable, the key and what is expected.
func Load(dir string, environ []string) (Settings, error) {
	l := loader{settings: Defaults(), sources: map[string]string{}, dir: dir, base: dir}
	for _, step := range []func([]string) error{l.loadCore, l.loadFile, l.loadEnvironment} {
		if err := step(environ); err != nil {
			return Settings{}, err
		}
	}
	if err := l.settings.checkTogether(l.sources); err != nil {
		return Settings{}, err
	}
	if source := l.sources["vm.endpoint"]; source != "" {
		l.settings.endpointSource = source
	}
	l.settings.resolve()
	l.warn()
	l.settings.chooseEndpoint(environ)
	return l.settings, nil
}

// loader collects settings from their sources.
type loader struct {
	settings Settings
	sources  map[string]string // name of a key that was set -> where it was set
	dir      string            // the directory of config.yaml
	base     string            // where relative paths in variables start: the directory of core.yaml, as for the peer, otherwise dir
	ignored  []string          // keys that were set but are ignored, see ignoredKeys
	warnings []string
}

// loadFile reads config.yaml.
func (l *loader) loadFile([]string) error {
	path := filepath.Join(l.dir, File)
	document, err := read(path)
	if err != nil || document == nil {
		return err
	}
	return l.apply(path, document, decoder{dir: l.dir})
}

// apply applies the document of a file and checks the result.
func (l *loader) apply(path string, document any, d decoder) error {
	d.set = func(name string) { l.sources[name] = name + " in " + path }
	d.ignore = func(name string) { l.ignored = append(l.ignored, name) }
	if err := d.settings(&l.settings, document); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := l.settings.check(); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// readFile is a variable for tests, which run as root and cannot make a file unreadable.
var readFile = func(path string) ([]byte, error) { return regular.ReadFile(path, maxFile) }

// maxFile is the size of the largest settings file in bytes.
const maxFile = 16 << 20

// read parses a YAML file. It returns nil if the file does not exist or is empty.
func read(path string) (any, error) {
	data, err := readFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if pathError := (*fs.PathError)(nil); errors.As(err, &pathError) {
		err = pathError.Err // without the path, which is added below
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var document any
	if err := yaml.UnmarshalStrict(data, &document); err != nil { // strict: a duplicate key is an error
		return nil, fmt.Errorf("%s: invalid YAML: %s", path, yamlReason(err))
	}
	return document, nil
}

// yamlReason returns the message of the YAML library on one line, without the prefixes of its layers.
func yamlReason(err error) string {
	text := strings.Join(strings.Fields(err.Error()), " ")
	if _, reason, ok := strings.Cut(text, "yaml: "); ok {
		return reason
	}
	return text
}

// loadEnvironment reads the CORE_ variables.
func (l *loader) loadEnvironment(environ []string) error {
	keys := map[string]Key{}
	for _, key := range l.settings.Keys() {
		keys[key.Variable] = key
	}
	for _, variable := range environ {
		name, value, _ := strings.Cut(variable, "=")
		if value == "" || !strings.HasPrefix(name, "CORE_") {
			continue // an empty variable counts as not set, as for the peer
		}
		if key := ignoredVariable(name); key != "" && hasEffect(value) {
			l.ignored = append(l.ignored, key)
		}
		key, known := keys[name]
		if !known {
			continue // a variable for the peer
		}
		err := key.parse(value, l.base)
		if err == nil {
			err = l.settings.check()
		}
		if err != nil {
			return fmt.Errorf("variable %s: %w", name, err)
		}
		l.sources[key.Name] = name
	}
	return nil
}

// warn adds the warnings of the sources, and one line for all ignored keys.
func (l *loader) warn() {
	l.settings.Warnings = append(l.settings.Warnings, l.warnings...)
	if len(l.ignored) > 0 {
		l.settings.Warnings = append(l.settings.Warnings, fmt.Sprintf(
			"ignored, as by the peer's built-in controller: %s", strings.Join(sorted(l.ignored), ", ")))
	}
}
