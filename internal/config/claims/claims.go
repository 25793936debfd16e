// Package claims is what detect needs of the settings: builder.types, the kinds of packages that the operator wants
// this builder to take. Detect runs for every package of every builder and has to stay small, so it does without the
// rest of package config, and leaves complaints about the rest to build.
package claims

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// Known are the types that this builder can take, and takes unless the operator lists fewer.
var Known = []string{"golang", "node", "java", "docker", "k8s", "ccaas", "external"}

const (
	file     = "config.yaml"
	key      = "builder.types"
	variable = "CORE_BUILDER_TYPES"
)

// Load reads the list: config.yaml in dir where there is one, then the variable in environ (KEY=VALUE).
func Load(dir string, environ []string) ([]string, error) {
	for _, pair := range environ {
		if value, ok := strings.CutPrefix(pair, variable+"="); ok && value != "" {
			return check("variable "+variable, strings.Fields(value))
		}
	}
	path := filepath.Join(dir, file)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Known, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the settings: %w", err)
	}
	var document map[string]any
	if err := yaml.Unmarshal(data, &document); err != nil {
		return nil, fmt.Errorf("%s: not YAML: %s", path, strings.Join(strings.Fields(err.Error()), " "))
	}
	section, _ := find(document, "builder").(map[string]any)
	switch value := find(section, "types").(type) {
	case nil:
		return Known, nil
	case string:
		return check(path, strings.Fields(value))
	case []any:
		var types []string
		for _, item := range value {
			types = append(types, fmt.Sprint(item))
		}
		return check(path, types)
	default:
		return nil, fmt.Errorf("%s: %s: a list is expected", path, key)
	}
}

// find looks a key up without regard to case.
func find(section map[string]any, name string) any {
	for spelling, value := range section {
		if strings.EqualFold(spelling, name) {
			return value
		}
	}
	return nil
}

func check(source string, types []string) ([]string, error) {
	for _, claimed := range types {
		if !slices.Contains(Known, claimed) {
			return nil, fmt.Errorf("%s: %s: %q is not possible: a list of any of %s", source, key, claimed, strings.Join(Known, ", "))
		}
	}
	return types, nil
}
