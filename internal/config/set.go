package config

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"sort"
	"strconv"
	"strings"
	"time"
)

// Key is one setting: its place in the files, its variable and its value.
type Key struct {
	Name     string // vm.docker.hostConfig.NetworkMode
	Variable string // CORE_VM_DOCKER_HOSTCONFIG_NETWORKMODE
	value    reflect.Value
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
		name, field := prefix+tag, section.Field(i)
		if field.Kind() == reflect.Struct {
			found = append(found, keys(field, name+".")...)
			continue
		}
		variable := "CORE_" + strings.ToUpper(strings.ReplaceAll(name, ".", "_"))
		found = append(found, Key{name, variable, field})
	}
	return found
}

// setVariable sets the key that belongs to a variable. Variables that are not ours are the peer's business.
func setVariable(s *Settings, variable, text string) error {
	for _, key := range s.Keys() {
		if key.Variable == variable {
			return key.parse(text)
		}
	}
	return nil
}

// set takes over a whole document.
func set(s *Settings, document any) error {
	return setSection(reflect.ValueOf(s).Elem(), "", document)
}

func setSection(section reflect.Value, prefix string, document any) error {
	values, ok := document.(map[string]any)
	if document == nil {
		return nil
	}
	if !ok {
		return fmt.Errorf("%sa section with keys is expected, not %s", named(prefix), show(document))
	}
	spellings := map[string]string{}
	for _, name := range sortedNames(values) {
		field, tag := fieldOf(section, name)
		if tag == "" {
			return fmt.Errorf("%s%s: unknown key: allowed here are %s", prefix, name, strings.Join(tags(section), ", "))
		}
		if other, twice := spellings[tag]; twice {
			return fmt.Errorf("%s: set twice, as %s and as %s", prefix+tag, other, name)
		}
		spellings[tag] = name
		if field.Kind() == reflect.Struct {
			if err := setSection(field, prefix+tag+".", values[name]); err != nil {
				return err
			}
			continue
		}
		if values[name] == nil {
			continue // a key without a value keeps its default
		}
		if err := (Key{Name: prefix + tag, value: field}).assign(values[name]); err != nil {
			return fmt.Errorf("%s: %w", prefix+tag, err)
		}
	}
	return nil
}

func named(prefix string) string {
	if prefix == "" {
		return ""
	}
	return strings.TrimSuffix(prefix, ".") + ": "
}

func sortedNames(values map[string]any) []string {
	var names []string
	for name := range values {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

func fieldOf(section reflect.Value, name string) (reflect.Value, string) {
	for i := range section.NumField() {
		if tag := section.Type().Field(i).Tag.Get("key"); tag != "" && strings.EqualFold(tag, name) {
			return section.Field(i), tag
		}
	}
	return reflect.Value{}, ""
}

func tags(section reflect.Value) []string {
	var all []string
	for i := range section.NumField() {
		if tag := section.Type().Field(i).Tag.Get("key"); tag != "" {
			all = append(all, tag)
		}
	}
	return all
}

var durationType = reflect.TypeFor[time.Duration]()

// exact is up to where a document's numbers are whole ones.
const exact = 1 << 53

// show is a document's value on one line.
func show(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprintf("%q", fmt.Sprint(value))
	}
	return string(text)
}

// assign takes a value of a document.
func (k Key) assign(value any) error {
	if text, ok := value.(string); ok && k.value.Kind() != reflect.String {
		return k.parse(text)
	}
	switch value := value.(type) {
	case string:
		k.value.SetString(value)
		return nil
	case float64:
		if k.value.Kind() == reflect.Int64 && k.value.Type() != durationType && value == math.Trunc(value) && math.Abs(value) <= exact {
			k.value.SetInt(int64(value))
			return nil
		}
	}
	return fmt.Errorf("%s is not possible: %s is expected", show(value), k.expected())
}

// parse takes the text of a variable.
func (k Key) parse(text string) error {
	switch {
	case k.value.Kind() == reflect.String:
		k.value.SetString(text)
		return nil
	case k.value.Type() == durationType:
		if d, err := time.ParseDuration(text); err == nil {
			k.value.SetInt(int64(d))
			return nil
		}
	case k.value.Kind() == reflect.Int64:
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			k.value.SetInt(n)
			return nil
		}
	}
	return fmt.Errorf("%q is not possible: %s is expected", text, k.expected())
}

func (k Key) expected() string {
	switch {
	case k.value.Type() == durationType:
		return "a duration such as 300s or 15m"
	case k.value.Kind() == reflect.Int64:
		return "a whole number"
	}
	return "a text"
}
