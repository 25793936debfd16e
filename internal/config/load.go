// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"fabric-builder-docker/internal/regular"
)

// File is the name of the settings file, in the directory that holds bin/.
const File = "config.yaml"

// Load reads the settings from the peer's core.yaml, from config.yaml in dir, and from the CORE_ variables in environ
// (KEY=VALUE). Later sources win, except where an older key stands for a newer one (chaincode.pull, Cpuset; see resolve). A
// file that does not exist is skipped. An error names the file or variable, the key and what is expected. What core.yaml sets
// wrongly is a warning, unless a later source sets it too.
func Load(dir string, environ []string) (Settings, error) {
	return load(dir, environ, func(l *loader) { l.chooseFabric(Fabric{}, peerOf) })
}

// LoadBuilt works as [Load] for a package that was built for that release of Fabric. Only a setting wins over it. Fields that
// are empty in the record of an earlier version have the defaults, as they had then. It does not look at the peer, so run need
// not link what reads executables.
func LoadBuilt(dir string, environ []string, built Fabric) (Settings, error) {
	return load(dir, environ, func(l *loader) { l.chooseFabric(built, nil) })
}

func load(dir string, environ []string, chooseFabric func(*loader)) (Settings, error) {
	l := loader{settings: Defaults(), sources: map[string]source{}, tolerated: map[string]string{}, dir: dir, base: dir}
	for _, step := range []func([]string) error{l.loadCore, l.loadFile, l.loadEnvironment} {
		if err := step(environ); err != nil {
			return Settings{}, err
		}
	}
	if err := l.checkTogether(); err != nil {
		return Settings{}, err
	}
	l.chooseEndpoint(environ)
	chooseFabric(&l)
	l.checkCoreImages()
	l.settings.resolve()
	l.settings.Sources.where = l.sources
	l.warn()
	return l.settings, nil
}

// loader collects settings from their sources.
type loader struct {
	settings  Settings
	sources   map[string]source // name of a key that was set -> where it was set
	tolerated map[string]string // name of a key in core.yaml -> warning that its value is wrong, and what is used
	dir       string            // the directory of config.yaml
	base      string            // where relative paths in variables start: the directory of core.yaml, as for the peer, otherwise dir
	ignored   []string          // keys that were set but are ignored, see ignoredKeys
	warnings  []string
}

// source is where a key was set.
type source struct {
	where string // a variable, or KEY in FILE
	core  bool   // core.yaml
}

// note remembers where a key was set. A right value in a later source replaces a wrong one in core.yaml.
func (l *loader) note(name string, from source) {
	l.sources[name] = from
	delete(l.tolerated, name)
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
	l.settings.Sources.Files = append(l.settings.Sources.Files, path)
	d.set = func(name string) { l.note(name, source{where: name + " in " + path, core: d.core}) }
	d.ignore = func(name string) { l.ignored = append(l.ignored, name) }
	d.check, d.tolerate = l.settings.check, func(key Key, err error) { l.tolerate(path, key, err) }
	if err := d.settings(&l.settings, document); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := l.check(); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// check checks each key independently of the others. Images of core.yaml are checked when a package needs them.
func (l *loader) check() error {
	err := l.settings.check()
	l.settings.eachImage(func(name string, image *string) {
		if err == nil && !l.sources[name].core {
			err = l.settings.checkImage(name, *image)
		}
	})
	return err
}

// checkCoreImages notes which image names of core.yaml are invalid, see [Settings.CheckImage].
func (l *loader) checkCoreImages() {
	l.settings.imageErrors = map[string]error{}
	l.settings.eachImage(func(name string, image *string) {
		if from := l.sources[name]; from.core {
			if err := l.settings.checkImage(name, *image); err != nil {
				l.settings.imageErrors[name] = fmt.Errorf("%s: %w (to use another image, set the key in config.yaml beside bin/)",
					strings.TrimPrefix(from.where, name+" in "), err)
			}
		}
	})
}

// checkTogether refuses keys that cannot be combined, but ignores those of core.yaml that are among them.
func (l *loader) checkTogether() error {
	at := func(name string) string {
		switch from := l.sources[name]; {
		case strings.HasPrefix(from.where, "CORE_"):
			return "variable " + from.where
		case from.where != "":
			return from.where
		}
		return name
	}
	for {
		found := l.settings.conflictIn(at)
		if found == nil {
			return nil
		}
		if !l.dropCore(found) {
			return found.err
		}
	}
}

// dropCore sets the keys of a conflict that core.yaml has set to their defaults. It returns false if there are none.
func (l *loader) dropCore(found *conflict) bool {
	dropped, defaults := false, Defaults()
	for _, name := range found.keys {
		if !l.sources[name].core {
			continue
		}
		key, fallback := l.settings.key(name), defaults.key(name)
		key.value.Set(fallback.value)
		consequence := key.inUse()
		if where := l.sources[name].where; !strings.HasPrefix(found.err.Error(), where) {
			consequence = where + ": " + consequence
		}
		l.tolerated[name] = fmt.Sprintf("%v; %s", found.err, consequence)
		delete(l.sources, name)
		dropped = true
	}
	return dropped
}

// readFile is a variable for tests, which run as root and cannot make a file unreadable.
var readFile = func(path string) ([]byte, error) { return regular.ReadFile(path, maxFile) }

// maxFile is the size of the largest settings file in bytes.
const maxFile = 16 << 20

// read parses a YAML file. It returns nil if the file does not exist or is empty. A duplicate key is an error.
func read(path string) (any, error) {
	data, err := readBytes(path)
	if err != nil || data == nil {
		return nil, err
	}
	var document any
	if err := yaml.UnmarshalStrict(data, &document); err != nil { // strict: a duplicate key is an error
		return nil, fmt.Errorf("%s: invalid YAML: %s", path, yamlReason(err))
	}
	return document, nil
}

// readBytes reads a file. It returns nil if the file does not exist.
func readBytes(path string) ([]byte, error) {
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
	return data, nil
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
			l.note(key.Name, source{where: name})
			err = l.check()
		}
		if err != nil {
			return fmt.Errorf("variable %s: %w", name, err)
		}
	}
	return nil
}

// warn adds the warnings of the sources, and one line for all ignored keys.
func (l *loader) warn() {
	l.settings.Warnings = append(l.settings.Warnings, l.warnings...)
	for _, name := range slices.Sorted(maps.Keys(l.tolerated)) {
		l.settings.Warnings = append(l.settings.Warnings, l.tolerated[name])
	}
	if len(l.ignored) > 0 {
		l.settings.Warnings = append(l.settings.Warnings, fmt.Sprintf(
			"ignored, as by the peer's built-in controller: %s", strings.Join(sorted(l.ignored), ", ")))
	}
}
