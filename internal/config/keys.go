package config

import (
	"reflect"
	"sort"
	"strings"
)

// Key is one setting: its place in the files, its variable and its value.
type Key struct {
	Name     string // vm.docker.hostConfig.NetworkMode; builder.overrides[].label for what is in a list
	Variable string // CORE_VM_DOCKER_HOSTCONFIG_NETWORKMODE; empty where a variable cannot hold it
	value    reflect.Value
	path     bool // a file, relative to the settings file
}

// Keys are all settings, sorted by name.
func (s *Settings) Keys() []Key {
	keys := keys(reflect.ValueOf(s).Elem(), "")
	sort.Slice(keys, func(i, j int) bool { return keys[i].Name < keys[j].Name })
	return keys
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
			key.Variable = "CORE_" + strings.ToUpper(strings.ReplaceAll(key.Name, ".", "_"))
		}
		found = append(found, key)
	}
	return found
}

func keyOf(section reflect.Value, field int, name string) Key {
	return Key{Name: name, value: section.Field(field), path: section.Type().Field(field).Tag.Get("path") != ""}
}

// isSections says whether a type is a list of sections.
func isSections(t reflect.Type) bool {
	return t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Struct
}

// leftOut are the keys of a section that the peer documents as not supported.
var leftOut = map[string][]string{"vm.docker.hostConfig.": {"Privileged", "Binds", "Links", "PortBindings"}}

// leftOutKey is the full name of such a key; empty where it is none.
func leftOutKey(prefix, name string) string {
	for _, key := range leftOut[prefix] {
		if strings.EqualFold(key, name) {
			return prefix + key
		}
	}
	return ""
}

func leftOutVariable(variable string) string {
	for prefix, names := range leftOut {
		for _, name := range names {
			if variable == "CORE_"+strings.ToUpper(strings.ReplaceAll(prefix+name, ".", "_")) {
				return prefix + name
			}
		}
	}
	return ""
}

// asksForSomething says whether leaving a value out makes a difference.
func asksForSomething(value any) bool {
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
