// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strings"
)

// Sources says where settings come from.
type Sources struct {
	Files      []string // that were read
	Unreadable []string // core.yaml files that were skipped since this user may not read them
	where      map[string]source
}

// Of returns where a key was set, a file or a variable, or an empty string if it has its default.
func (s Sources) Of(key string) string { return strings.TrimPrefix(s.where[key].where, key+" in ") }

// Origin is where a key was set.
type Origin struct {
	Key    string
	Value  string // never a secret, see shownValue
	Source string // a file or a variable
}

// Origins lists what was set, sorted by key. It is a method, so that only programs that call it link it.
func (s *Settings) Origins() []Origin {
	var set []Origin
	for _, name := range slices.Sorted(maps.Keys(s.Sources.where)) {
		if key := s.key(name); key.value.IsValid() { // a list of sections is one entry
			set = append(set, Origin{name, key.shownValue(), s.Sources.Of(name)})
		}
	}
	return set
}

// EndpointSource returns where the endpoint of the engine was set.
func (s *Settings) EndpointSource() string { return s.endpointSource }

// shownValue returns the value of a key without secrets: of variables and options of a log driver it has the names only, and of
// a URL no password.
func (k Key) shownValue() string {
	value := k.value
	if value.Kind() == reflect.Pointer {
		value = value.Elem()
	}
	if isSections(value.Type()) {
		if value.Len() == 1 {
			return "1 entry"
		}
		return fmt.Sprintf("%d entries", value.Len())
	}
	switch text := fmt.Sprint(value.Interface()); {
	case k.isSecret() && value.Kind() == reflect.Map:
		return strings.Join(slices.Sorted(maps.Keys(value.Interface().(map[string]string))), ", ") + " (values are not shown)"
	case k.isSecret():
		return strings.Join(namesOf(value.Interface().(Environment)), ", ") + " (values are not shown)"
	case value.Kind() == reflect.Slice && value.Type().Elem().Kind() == reflect.String:
		var shown []string
		for _, entry := range value.Convert(reflect.TypeFor[[]string]()).Interface().([]string) {
			shown = append(shown, redact(entry))
		}
		return strings.Join(shown, ", ")
	default:
		return redact(text)
	}
}

func namesOf(variables Environment) []string {
	var names []string
	for _, variable := range variables {
		name, _, _ := strings.Cut(variable, "=")
		names = append(names, name)
	}
	return names
}

// redact hides the password of a URL.
func redact(text string) string {
	if !strings.Contains(text, "@") || !strings.Contains(text, "://") {
		return text
	}
	parsed, err := url.Parse(text)
	if err != nil {
		return "not shown"
	}
	return parsed.Redacted()
}
