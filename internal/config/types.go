package config

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// KnownTypes are the package types that this builder handles unless the operator lists fewer.
var KnownTypes = []string{"golang", "node", "java", "docker", "k8s", "ccaas", "external"}

// LoadTypes reads builder.types alone, as [Load] does, for detect. Other settings may be wrong: build says so, whereas a
// detect that failed would make the peer use another builder without a word.
func LoadTypes(dir string, environ []string) ([]string, error) {
	settings := Defaults()
	var key Key
	for _, k := range settings.Keys() {
		if k.Name == "builder.types" {
			key = k
		}
	}
	path := filepath.Join(dir, File)
	document, err := read(path)
	if err != nil {
		return nil, err
	}
	if value := valueIn(valueIn(document, "builder"), "types"); value != nil {
		if err := key.assign(value, dir); err != nil {
			return nil, fmt.Errorf("%s: %s: %w", path, key.Name, err)
		}
		if err := checkTypes(settings.Builder.Types); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	if value := Lookup(environ, key.Variable); value != "" {
		if err := key.parse(value, dir); err != nil {
			return nil, fmt.Errorf("variable %s: %w", key.Variable, err)
		}
		if err := checkTypes(settings.Builder.Types); err != nil {
			return nil, fmt.Errorf("variable %s: %w", key.Variable, err)
		}
	}
	return settings.Builder.Types, nil
}

// valueIn finds a key in a section of a document, whatever its case.
func valueIn(section any, name string) any {
	values, _ := section.(map[string]any)
	for spelling, value := range values {
		if strings.EqualFold(spelling, name) {
			return value
		}
	}
	return nil
}

func checkTypes(types []string) error {
	for _, t := range types {
		if !slices.Contains(KnownTypes, t) {
			return impossible("builder.types", t, "a list of any of "+strings.Join(KnownTypes, ", "))
		}
	}
	return nil
}
