package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// decoder takes a document over into settings.
type decoder struct {
	dir         string            // where relative paths begin
	core        bool              // core.yaml: keys that are not ours are the peer's, and what it ships counts as not set
	inContainer bool              // the peer runs in a container
	set         func(name string) // called with each key that was set
	leftOut     func(name string) // called with each key that was set and that nobody honours
}

func (d decoder) settings(s *Settings, document any) error {
	return d.section(reflect.ValueOf(s).Elem(), "", document)
}

func (d decoder) section(section reflect.Value, prefix string, document any) error {
	values, ok := document.(map[string]any)
	if document == nil {
		return nil
	}
	if !ok {
		return fmt.Errorf("%sa section with keys is expected, not %s", named(prefix), show(document))
	}
	spellings := map[string]string{}
	for _, name := range names(values) {
		key, ok := find(section, prefix, name)
		if !ok {
			if err := d.unknown(section, prefix, name, values[name]); err != nil {
				return err
			}
			continue
		}
		if other, twice := spellings[key.Name]; twice {
			return fmt.Errorf("%s: set twice, as %s and as %s", key.Name, other, name)
		}
		spellings[key.Name] = name
		if err := d.key(key, values[name]); err != nil {
			return err
		}
	}
	return nil
}

// key takes one value over. A key without a value keeps its default.
func (d decoder) key(key Key, value any) error {
	switch {
	case key.value.Kind() == reflect.Struct:
		return d.section(key.value, key.Name+".", value)
	case value == nil, d.core && (value == "" || shipped(key.Name, value, d.inContainer)):
		return nil
	case isSections(key.value.Type()):
		return d.sections(key, value)
	}
	if number, ok := value.(float64); ok && d.core && key.value.Kind() == reflect.String {
		value = text(number) // the peer takes networkId: 1 as well
	}
	if key.Name == "builder.cache.scope" && value == false {
		value = CacheOff // YAML takes off for a switch
	}
	if err := key.assign(value, d.dir); err != nil {
		return fmt.Errorf("%s: %w", key.Name, err)
	}
	d.set(key.Name)
	return nil
}

// sections takes a list of sections over.
func (d decoder) sections(key Key, value any) error {
	list, ok := value.([]any)
	if !ok {
		return fmt.Errorf("%s: %s is not possible: a list of sections is expected", key.Name, show(value))
	}
	taken := reflect.MakeSlice(key.value.Type(), len(list), len(list))
	for i, element := range list {
		if err := d.section(taken.Index(i), fmt.Sprintf("%s[%d].", key.Name, i), element); err != nil {
			return err
		}
	}
	key.value.Set(taken)
	d.set(key.Name)
	return nil
}

// unknown is what is done with a key that is not ours.
func (d decoder) unknown(section reflect.Value, prefix, name string, value any) error {
	if key := leftOutKey(prefix, name); key != "" {
		if asksForSomething(value) {
			d.leftOut(key)
		}
		return nil
	}
	if d.core {
		return nil
	}
	return fmt.Errorf("%s%s: unknown key: allowed here are %s", prefix, name, strings.Join(tags(section), ", "))
}

// find is the key of a section with that name, in any case.
func find(section reflect.Value, prefix, name string) (Key, bool) {
	for i := range section.NumField() {
		if tag := section.Type().Field(i).Tag.Get("key"); tag != "" && strings.EqualFold(tag, name) {
			return keyOf(section, i, prefix+tag), true
		}
	}
	return Key{}, false
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

func named(prefix string) string {
	if prefix == "" {
		return ""
	}
	return strings.TrimSuffix(prefix, ".") + ": "
}

// names are the keys of a document's section, sorted.
func names(values map[string]any) []string {
	var all []string
	for name := range values {
		all = append(all, name)
	}
	return sorted(all)
}

// sorted is a list in order, each text once.
func sorted(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return slices.Compact(list)
}
