// SPDX-License-Identifier: Apache-2.0

package config

import (
	"reflect"
	"sort"
	"strings"
)

// Key is one setting: its name in the files, its environment variable and its value.
type Key struct {
	Name     string // such as vm.docker.hostConfig.NetworkMode, or builder.overrides[].label in a list of sections
	Variable string // such as CORE_VM_DOCKER_HOSTCONFIG_NETWORKMODE; empty for lists of sections and the keys in them
	value    reflect.Value
	path     bool // the value is a file name, relative to the settings file
}

// Keys returns all settings, sorted by name.
func (s *Settings) Keys() []Key {
	keys := keys(reflect.ValueOf(s).Elem(), "")
	sort.Slice(keys, func(i, j int) bool { return keys[i].Name < keys[j].Name })
	return keys
}

// key returns the setting with that name.
func (s *Settings) key(name string) Key {
	for _, key := range s.Keys() {
		if key.Name == name {
			return key
		}
	}
	return Key{}
}

func keys(section reflect.Value, prefix string) []Key {
	var found []Key
	for i := range section.NumField() {
		tag, ok := section.Type().Field(i).Tag.Lookup("key")
		if !ok {
			continue
		}
		key := keyOf(section, i, prefix+tag)
		switch {
		case key.value.Kind() == reflect.Struct:
			found = append(found, keys(key.value, key.Name+".")...)
			continue
		case isSections(key.value.Type()):
			element := reflect.New(key.value.Type().Elem()).Elem()
			found = append(found, keys(element, key.Name+"[].")...)
		case !strings.Contains(key.Name, "[]"):
			key.Variable = variableName(key.Name)
		}
		found = append(found, key)
	}
	return found
}

func keyOf(section reflect.Value, field int, name string) Key {
	return Key{Name: name, value: section.Field(field), path: section.Type().Field(field).Tag.Get("path") != ""}
}

// isSections reports whether a type is a list of sections.
func isSections(t reflect.Type) bool {
	return t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Struct
}

// ignoredKeys lists, by section, the keys that the peer documents as not supported.
var ignoredKeys = map[string][]string{"vm.docker.hostConfig.": {"Privileged", "Binds", "Links", "PortBindings"}}

// ignoredKey returns the full name of an ignored key, or an empty string if the key is not one. Names are
// case-insensitive.
func ignoredKey(prefix, name string) string {
	for _, key := range ignoredKeys[prefix] {
		if strings.EqualFold(key, name) {
			return prefix + key
		}
	}
	return ""
}

// ignoredVariable returns the name of the ignored key that an environment variable would set, or an empty string.
func ignoredVariable(variable string) string {
	for prefix, names := range ignoredKeys {
		for _, name := range names {
			if variable == variableName(prefix+name) {
				return prefix + name
			}
		}
	}
	return ""
}

// variableName returns the environment variable that sets a key.
func variableName(key string) string {
	return "CORE_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

// hasEffect reports whether an ignored value would do anything if it were not ignored: false and empty values would not.
func hasEffect(value any) bool {
	switch value := value.(type) {
	case nil:
		return false
	case bool:
		return value
	case string:
		return value != "" && value != "false"
	case []any:
		return len(value) > 0
	case map[string]any:
		return len(value) > 0
	}
	return true
}
