package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"
)

// File is the name of the settings file, in the directory that holds bin/.
const File = "config.yaml"

// Load reads the settings: the peer's core.yaml where it can be read, config.yaml in dir where there is one, then the
// variables of environ (KEY=VALUE). Later ones win.
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

// loader gathers settings from their sources.
type loader struct {
	settings Settings
	sources  map[string]string // name of a key that was set -> where
	dir      string            // of config.yaml
	base     string            // where relative paths of variables begin: in core.yaml's directory, as for the peer, else in dir
	leftOut  []string          // keys that were set and that nobody honours
	warnings []string
}

// loadFile reads config.yaml.
func (l *loader) loadFile([]string) error {
	path := filepath.Join(l.dir, File)
	document, err := read(path)
	if err != nil || document == nil {
		return err
	}
	return l.take(path, document, decoder{dir: l.dir})
}

// take takes a document of a file over.
func (l *loader) take(path string, document any, d decoder) error {
	d.set = func(name string) { l.sources[name] = name + " in " + path }
	d.leftOut = func(name string) { l.leftOut = append(l.leftOut, name) }
	if err := d.settings(&l.settings, document); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := l.settings.check(); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// readFile is a variable for tests: no file is closed to root.
var readFile = os.ReadFile

// read is a YAML file as a document; nil where there is no file or nothing in it.
func read(path string) (any, error) {
	data, err := readFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if pathError := (*fs.PathError)(nil); errors.As(err, &pathError) {
		err = pathError.Err // without the file, which is named here
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var document any
	if err := yaml.UnmarshalStrict(data, &document); err != nil { // strict: the same key twice is an error
		return nil, fmt.Errorf("%s: not YAML: %s", path, yamlReason(err))
	}
	return document, nil
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
func (l *loader) loadEnvironment(environ []string) error {
	keys := map[string]Key{}
	for _, key := range l.settings.Keys() {
		keys[key.Variable] = key
	}
	for _, variable := range environ {
		name, value, _ := strings.Cut(variable, "=")
		if value == "" || !strings.HasPrefix(name, "CORE_") {
			continue // an empty one counts as not set, as for the peer
		}
		if key := leftOutVariable(name); key != "" && asksForSomething(value) {
			l.leftOut = append(l.leftOut, key)
		}
		key, ours := keys[name]
		if !ours {
			continue // the peer's business
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

// warn says in one line what was asked for and is not done.
func (l *loader) warn() {
	l.settings.Warnings = append(l.settings.Warnings, l.warnings...)
	if len(l.leftOut) > 0 {
		l.settings.Warnings = append(l.settings.Warnings, fmt.Sprintf(
			"left out, as the peer's built-in controller does: %s", strings.Join(sorted(l.leftOut), ", ")))
	}
}
