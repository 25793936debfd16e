// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// decoder applies the document of one file to settings.
type decoder struct {
	dir         string                   // where relative paths start
	core        bool                     // the file is core.yaml: unknown keys are skipped, and Fabric's defaults count as not set
	inContainer bool                     // the peer runs in a container
	set         func(name string)        // called with each key that was set
	ignore      func(name string)        // called with each key that was set but is ignored, see ignoredKeys
	check       func() error             // checks all settings; in core.yaml, it is called after each key
	tolerate    func(key Key, err error) // called with each key of core.yaml whose value is wrong, after that was taken back
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
		err := fmt.Errorf("%sexpected a section with keys, got %s", sectionName(prefix), describe(document))
		if prefix == "" {
			return err // not even the peer reads such a file
		}
		return d.refuse(Key{Name: strings.TrimSuffix(prefix, "."), value: section}, err)
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
			if err := d.refuse(key, fmt.Errorf("%s: set twice, as %s and as %s", key.Name, other, name)); err != nil {
				return err
			}
			continue
		}
		spellings[key.Name] = name
		if err := d.key(key, values[name]); err != nil {
			return err
		}
	}
	return nil
}

// key applies one value. A key without a value keeps its default.
func (d decoder) key(key Key, value any) error {
	switch {
	case key.value.Kind() == reflect.Struct:
		return d.section(key.value, key.Name+".", value)
	case value == nil, d.core && (value == "" || isFabricDefault(key.Name, value, d.inContainer)):
		return nil
	case isSections(key.value.Type()):
		return d.sections(key, value)
	}
	if d.core {
		return d.coreKey(key, value)
	}
	if number, ok := value.(float64); ok && strings.HasSuffix(key.Name, ".keyReader") {
		value = scalarText(number) // a UID
	}
	if list, ok := value.([]any); ok && strings.HasSuffix(key.Name, ".debug.ports") {
		value = withoutNumbers(list)
	}
	if key.Name == "builder.cache.scope" && value == false {
		value = CacheOff // YAML reads off as a boolean
	}
	if err := key.assign(value, d.dir); err != nil {
		return fmt.Errorf("%s: %w", key.Name, err)
	}
	d.set(key.Name)
	return nil
}

// withoutNumbers returns a list with its numbers as text.
func withoutNumbers(list []any) []any {
	list = slices.Clone(list)
	for i, element := range list {
		if number, ok := element.(float64); ok {
			list[i] = scalarText(number)
		}
	}
	return list
}

// coreKey applies one value of core.yaml. A wrong one changes nothing, except where the peer makes something of it.
func (d decoder) coreKey(key Key, value any) error {
	switch value.(type) {
	case float64, bool:
		if key.value.Kind() == reflect.String {
			value = scalarText(value) // the peer accepts networkId: 1 as well
		}
	}
	before := reflect.New(key.value.Type()).Elem()
	before.Set(key.value)
	err := key.assign(value, d.dir)
	if err != nil {
		err = fmt.Errorf("%s: %w", key.Name, err)
	} else {
		err = d.check()
	}
	if key.Name == "chaincode.startuptimeout" {
		timeout := reflect.ValueOf(peerTimeout(value))
		if err == nil && !key.value.Equal(timeout) {
			err = invalid(key.Name, value, "at least 5s")
		}
		before = timeout
	}
	if err != nil {
		key.value.Set(before)
		return d.refuse(key, err)
	}
	d.set(key.Name)
	return nil
}

// refuse returns the error about a key, or notes it if the file is core.yaml.
func (d decoder) refuse(key Key, err error) error {
	if !d.core {
		return err
	}
	d.tolerate(key, err)
	return nil
}

// sections applies a list of sections.
func (d decoder) sections(key Key, value any) error {
	list, ok := value.([]any)
	if !ok {
		return fmt.Errorf("%s: expected a list of sections, got %s", key.Name, describe(value))
	}
	sections := reflect.MakeSlice(key.value.Type(), len(list), len(list))
	for i, element := range list {
		if err := d.section(sections.Index(i), fmt.Sprintf("%s[%d].", key.Name, i), element); err != nil {
			return err
		}
	}
	key.value.Set(sections)
	d.set(key.Name)
	return nil
}

// unknown handles a key that is not a setting: an error, except in core.yaml and for ignored keys.
func (d decoder) unknown(section reflect.Value, prefix, name string, value any) error {
	if key := ignoredKey(prefix, name); key != "" {
		if hasEffect(value) {
			d.ignore(key)
		}
		return nil
	}
	if d.core {
		return nil
	}
	return fmt.Errorf("%s%s: unknown key: expected one of %s", prefix, name, strings.Join(tags(section), ", "))
}

// find returns the key of a section with that name, which is case-insensitive.
func find(section reflect.Value, prefix, name string) (Key, bool) {
	for i := range section.NumField() {
		if tag := section.Type().Field(i).Tag.Get("key"); tag != "" && strings.EqualFold(tag, name) {
			return keyOf(section, i, prefix+tag), true
		}
	}
	return Key{}, false
}

// tags lists the names of a section's keys, in the order of its fields.
func tags(section reflect.Value) []string {
	var all []string
	for i := range section.NumField() {
		if tag := section.Type().Field(i).Tag.Get("key"); tag != "" {
			all = append(all, tag)
		}
	}
	return all
}

// sectionName returns the name of the section with that prefix for the beginning of a message.
func sectionName(prefix string) string {
	if prefix == "" {
		return ""
	}
	return strings.TrimSuffix(prefix, ".") + ": "
}

// names returns the keys of a document's section, sorted.
func names(values map[string]any) []string {
	var all []string
	for name := range values {
		all = append(all, name)
	}
	return sorted(all)
}

// sorted returns a sorted copy of list without duplicates.
func sorted(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return slices.Compact(list)
}
