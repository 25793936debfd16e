// SPDX-License-Identifier: Apache-2.0

package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

var (
	durationType    = reflect.TypeFor[time.Duration]()
	environmentType = reflect.TypeFor[Environment]()
)

// maxExactInt bounds the whole numbers that a document, whose numbers are float64, holds exactly.
const maxExactInt = 1 << 53

// errType says that a value does not have the type of its key.
var errType = errors.New("wrong type")

// entryError says which entry of a list or map is invalid, by its position or name. It never holds the entry's value,
// which may be a secret.
type entryError string

func (e entryError) Error() string { return string(e) }

func entryErrorAt(index int) entryError { return entryError(fmt.Sprintf("entry %d", index+1)) }

// assign sets the key to a value of a document. A relative path starts in dir.
func (k Key) assign(value any, dir string) error {
	if text, ok := value.(string); ok {
		return k.parse(text, dir)
	}
	err := assign(k.value, value)
	if err == nil {
		k.absolute(dir)
		return nil
	}
	expected := expectedValue(k.value.Type())
	switch value.(type) {
	case float64:
		if k.value.Kind() == reflect.String {
			expected += " in quotes"
		}
	case []any, map[string]any:
		if errors.Is(err, errType) && !k.isSecret() {
			return fmt.Errorf("expected %s, got %s", expected, describe(value))
		}
	}
	return fmt.Errorf("%s: expected %s", k.invalidValue(describe(value), err), expected)
}

// parse sets the key to the value that text, of a variable or a document, stands for. A relative path starts in dir.
func (k Key) parse(text, dir string) error {
	if k.path && k.value.Kind() == reflect.String && text != "" && !filepath.IsAbs(text) {
		text = filepath.Join(dir, text)
	}
	if err := parse(k.value, text); err != nil {
		return fmt.Errorf("%s: expected %s", k.invalidValue(strconv.Quote(text), err), expectedValue(k.value.Type()))
	}
	k.absolute(dir)
	return nil
}

// absolute makes the file names in a map absolute.
func (k Key) absolute(dir string) {
	if !k.path || k.value.Kind() != reflect.Map {
		return
	}
	for _, name := range k.value.MapKeys() {
		if file := k.value.MapIndex(name).String(); file != "" && !filepath.IsAbs(file) {
			k.value.SetMapIndex(name, reflect.ValueOf(filepath.Join(dir, file)))
		}
	}
}

// invalidValue describes a refused value for a message. Of a list or map it shows only the name or position of the bad
// entry, and a secret value not at all.
func (k Key) invalidValue(value string, err error) string {
	if entry := entryError(""); errors.As(err, &entry) {
		return "invalid " + string(entry)
	}
	if k.isSecret() {
		return "invalid value"
	}
	return "invalid value " + value
}

// inUse says, in a warning about a wrong value, which one is used instead: what the key holds.
func (k Key) inUse() string {
	if k.value.IsZero() || k.isSecret() || k.value.Kind() == reflect.Struct {
		return "it is ignored"
	}
	return fmt.Sprintf("%v is used", k.value.Interface())
}

// isSecret reports whether the value may hold secrets, as variables and options of a log driver do.
func (k Key) isSecret() bool {
	return k.value.Type() == environmentType || k.value.Kind() == reflect.Map
}

func assign(field reflect.Value, value any) error {
	switch value := value.(type) {
	case bool:
		if target := deref(field, reflect.Bool); target.IsValid() {
			target.SetBool(value)
			return nil
		}
	case float64:
		return assignNumber(field, value)
	case []any:
		return assignList(field, value)
	case map[string]any:
		return assignMap(field, value)
	}
	return errType
}

func assignNumber(field reflect.Value, value float64) error {
	if target := deref(field, reflect.Float64); target.IsValid() {
		target.SetFloat(value)
		return nil
	}
	whole := value == math.Trunc(value) && math.Abs(value) <= maxExactInt
	if target := deref(field, reflect.Int64); target.IsValid() && target.Type() != durationType && whole {
		target.SetInt(int64(value))
		return nil
	}
	return errType
}

func assignList(field reflect.Value, list []any) error {
	if field.Kind() != reflect.Slice || field.Type().Elem().Kind() != reflect.String {
		return errType
	}
	texts := []string{}
	for i, element := range list {
		text, ok := element.(string)
		if !ok {
			return entryErrorAt(i)
		}
		texts = append(texts, text)
	}
	return setTexts(field, texts)
}

func assignMap(field reflect.Value, values map[string]any) error {
	pairs := map[string]string{}
	for _, name := range names(values) {
		switch value := values[name].(type) {
		case nil:
			pairs[name] = ""
		case string:
			pairs[name] = value
		case float64, bool:
			pairs[name] = scalarText(value)
		default:
			return entryError("entry " + strconv.Quote(name))
		}
	}
	switch {
	case field.Kind() == reflect.Map:
		field.Set(reflect.ValueOf(pairs))
		return nil
	case field.Type() == environmentType:
		var list []string
		for name, value := range pairs {
			if strings.Contains(name, "=") { // it would be another variable
				return entryError("entry " + strconv.Quote(name))
			}
			list = append(list, name+"="+value)
		}
		field.Set(reflect.ValueOf(Environment(sorted(list))))
		return nil
	}
	return errType
}

// parse sets a field to the value that text stands for. Lists and maps are split at white space, as the peer splits
// lists.
func parse(field reflect.Value, text string) error {
	if field.Kind() == reflect.Pointer {
		value := reflect.New(field.Type().Elem())
		if err := parse(value.Elem(), text); err != nil {
			return err
		}
		field.Set(value)
		return nil
	}
	switch field.Kind() {
	case reflect.String:
		field.SetString(text)
	case reflect.Bool:
		value, err := strconv.ParseBool(text)
		if err != nil {
			return errType
		}
		field.SetBool(value)
	case reflect.Int64:
		return parseInt(field, text)
	case reflect.Float64:
		value, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(value) || math.IsInf(value, 0) {
			return errType
		}
		field.SetFloat(value)
	case reflect.Slice:
		return setTexts(field, strings.Fields(text))
	case reflect.Map:
		return parseMap(field, text)
	}
	return nil
}

func parseInt(field reflect.Value, text string) error {
	if field.Type() == durationType {
		value, err := time.ParseDuration(text)
		field.SetInt(int64(value))
		return err
	}
	value, err := strconv.ParseInt(text, 10, 64)
	field.SetInt(value)
	return err
}

func parseMap(field reflect.Value, text string) error {
	pairs := map[string]string{}
	for _, pair := range strings.Fields(text) {
		name, value, ok := strings.Cut(pair, "=")
		if !ok {
			return errType
		}
		pairs[name] = value
	}
	field.Set(reflect.ValueOf(pairs))
	return nil
}

// setTexts sets a list of strings. Every entry of an Environment must be NAME=VALUE.
func setTexts(field reflect.Value, texts []string) error {
	if field.Type() == environmentType {
		for i, text := range texts {
			if !variable.MatchString(text) { // not even the name is shown: it may be part of a secret with spaces
				return entryErrorAt(i)
			}
		}
		texts = Environment(nil).With(texts...)
	}
	field.Set(reflect.ValueOf(slices.Clone(texts)).Convert(field.Type()))
	return nil
}

// deref returns the field to set if field is of that kind or points to it; a pointer is set to a new value first.
// Otherwise it returns the zero Value.
func deref(field reflect.Value, kind reflect.Kind) reflect.Value {
	if field.Kind() == reflect.Pointer && field.Type().Elem().Kind() == kind {
		field.Set(reflect.New(field.Type().Elem()))
		return field.Elem()
	}
	if field.Kind() == kind {
		return field
	}
	return reflect.Value{}
}

// expectedValue describes the values of a type for a message.
func expectedValue(t reflect.Type) string {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == durationType:
		return "a duration such as 300s or 15m"
	case t == environmentType:
		return "a map of NAME: VALUE, or a list of NAME=VALUE"
	}
	return map[reflect.Kind]string{
		reflect.Int64:   "a whole number",
		reflect.Float64: "a number",
		reflect.Bool:    "true or false",
		reflect.Slice:   "a list of strings",
		reflect.Map:     "a map of NAME: VALUE, or NAME=VALUE in a variable",
		reflect.String:  "a string",
	}[t.Kind()]
}

// scalarText returns a document's number or boolean as text.
func scalarText(value any) string {
	if number, ok := value.(float64); ok {
		return strconv.FormatFloat(number, 'f', -1, 64)
	}
	return fmt.Sprint(value)
}

// describe returns a document's value on one line. It does not show what a list or map holds, which may be a secret.
func describe(value any) string {
	switch value.(type) {
	case []any:
		return "a list"
	case map[string]any:
		return "a map"
	}
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprintf("%q", fmt.Sprint(value))
	}
	return string(text)
}
