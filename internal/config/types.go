// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// KnownTypes lists the package types that this builder handles unless builder.types lists fewer.
var KnownTypes = []string{"golang", "node", "java", "docker", "k8s", "ccaas", "external"}

// LoadTypes reads only builder.types, from config.yaml in dir and from environ as [Load] does, for detect. It does not
// check other settings: build reports those, whereas an error of detect would make the peer silently use another builder.
func LoadTypes(dir string, environ []string) ([]string, error) {
	settings := Defaults()
	key := settings.key("builder.types")
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

// valueIn returns the value of a key in a section of a document, or nil. Names are case-insensitive.
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
			return invalid("builder.types", t, "one of "+strings.Join(KnownTypes, ", "))
		}
	}
	return nil
}
