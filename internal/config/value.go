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

// exact is up to where a document's numbers are whole ones.
const exact = 1 << 53

// errKind is a value of another type than its key.
var errKind = errors.New("another type is expected")

// badEntry names the variable of an environment that is not one, or says which one it is. It never holds its value,
// which may be a secret.
type badEntry string

func (e badEntry) Error() string { return string(e) }

func badEntryAt(index int) badEntry { return badEntry(fmt.Sprintf("entry %d", index+1)) }

// assign takes a value of a document; a relative path begins in dir.
func (k Key) assign(value any, dir string) error {
	if text, ok := value.(string); ok {
		return k.parse(text, dir)
	}
	if err := assign(k.value, value); err != nil {
		hint := ""
		if _, ok := value.(float64); ok && k.value.Kind() == reflect.String {
			hint = ", in quotes"
		}
		return fmt.Errorf("%s is not possible: %s is expected%s", k.shown(show(value), err), expected(k.value.Type()), hint)
	}
	return nil
}

// parse takes a text, of a variable or of a document; a relative path begins in dir.
func (k Key) parse(text, dir string) error {
	if k.path && text != "" && !filepath.IsAbs(text) {
		text = filepath.Join(dir, text)
	}
	if err := parse(k.value, text); err != nil {
		return fmt.Errorf("%s is not possible: %s is expected", k.shown(strconv.Quote(text), err), expected(k.value.Type()))
	}
	return nil
}

// shown is a refused value in a message. Of several values only the bad one's name or place is, and of those that may
// be secret (variables, options of a log driver) nothing else.
func (k Key) shown(value string, err error) string {
	if bad := badEntry(""); errors.As(err, &bad) {
		return string(bad)
	}
	if k.value.Type() == environmentType || k.value.Kind() == reflect.Map {
		return "this value"
	}
	return value
}

func assign(field reflect.Value, value any) error {
	switch value := value.(type) {
	case bool:
		if target := pointed(field, reflect.Bool); target.IsValid() {
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
	return errKind
}

func assignNumber(field reflect.Value, value float64) error {
	if target := pointed(field, reflect.Float64); target.IsValid() {
		target.SetFloat(value)
		return nil
	}
	whole := value == math.Trunc(value) && math.Abs(value) <= exact
	if target := pointed(field, reflect.Int64); target.IsValid() && target.Type() != durationType && whole {
		target.SetInt(int64(value))
		return nil
	}
	return errKind
}

func assignList(field reflect.Value, list []any) error {
	if field.Kind() != reflect.Slice || field.Type().Elem().Kind() != reflect.String {
		return errKind
	}
	texts := []string{}
	for i, element := range list {
		text, ok := element.(string)
		if !ok {
			return badEntryAt(i)
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
			pairs[name] = text(value)
		default:
			return badEntry(strconv.Quote(name))
		}
	}
	switch {
	case field.Kind() == reflect.Map:
		field.Set(reflect.ValueOf(pairs))
		return nil
	case field.Type() == environmentType:
		var list []string
		for name, value := range pairs {
			list = append(list, name+"="+value)
		}
		field.Set(reflect.ValueOf(Environment(sorted(list))))
		return nil
	}
	return errKind
}

// parse takes a text over. Lists and maps are split at white space, as the peer does with lists.
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
			return errKind
		}
		field.SetBool(value)
	case reflect.Int64:
		return parseWhole(field, text)
	case reflect.Float64:
		value, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(value) || math.IsInf(value, 0) {
			return errKind
		}
		field.SetFloat(value)
	case reflect.Slice:
		return setTexts(field, strings.Fields(text))
	case reflect.Map:
		return parseMap(field, text)
	}
	return nil
}

func parseWhole(field reflect.Value, text string) error {
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
			return errKind
		}
		pairs[name] = value
	}
	field.Set(reflect.ValueOf(pairs))
	return nil
}

// setTexts sets a list. One of variables holds NAME=VALUE only.
func setTexts(field reflect.Value, texts []string) error {
	if field.Type() == environmentType {
		for i, text := range texts {
			if !variables.MatchString(text) { // what stands before a = may be a piece of a value with blanks
				return badEntryAt(i)
			}
		}
		texts = Environment(nil).With(texts...)
	}
	field.Set(reflect.ValueOf(slices.Clone(texts)).Convert(field.Type()))
	return nil
}

// pointed is a field of that kind, or what a field that points to that kind points to, made anew. Else it is not valid.
func pointed(field reflect.Value, kind reflect.Kind) reflect.Value {
	if field.Kind() == reflect.Pointer && field.Type().Elem().Kind() == kind {
		field.Set(reflect.New(field.Type().Elem()))
		return field.Elem()
	}
	if field.Kind() == kind {
		return field
	}
	return reflect.Value{}
}

func expected(t reflect.Type) string {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == durationType:
		return "a duration such as 300s or 15m"
	case t == environmentType:
		return "NAME: VALUE, or a list of NAME=VALUE,"
	}
	return map[reflect.Kind]string{
		reflect.Int64:   "a whole number",
		reflect.Float64: "a number",
		reflect.Bool:    "true or false",
		reflect.Slice:   "a list of texts",
		reflect.Map:     "NAME: VALUE",
		reflect.String:  "a text",
	}[t.Kind()]
}

// text is a document's number or switch as it would stand in a text.
func text(value any) string {
	if number, ok := value.(float64); ok {
		return strconv.FormatFloat(number, 'f', -1, 64)
	}
	return fmt.Sprint(value)
}

// show is a document's value on one line. What holds other values is named, not shown: a secret may be among them.
func show(value any) string {
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
