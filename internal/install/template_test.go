// SPDX-License-Identifier: Apache-2.0

package install

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/metadata"
)

// templateValues are an operator's values. All that must not be shown contain "secret".
func templateValues(t *testing.T) map[string]any {
	t.Helper()
	var values map[string]any
	require.NoError(t, json.Unmarshal([]byte(`{"name":"secret","port":9999,"on":true,"off":false,"nothing":null,"peer-name":"secret",
		"nested":{"name":"secret","list":["secret",7]}}`), &values))
	return values
}

// render parses and executes a template.
func render(text string, values map[string]any) (string, error) {
	parsed, err := parseTemplate(text)
	if err != nil {
		return "", err
	}
	return execute(parsed, values)
}

func TestTemplates(t *testing.T) {
	for text, want := range map[string]string{
		"{{.name}}:{{.port}}":                                    "secret:9999",
		"{{/* a comment */}}{{- .name -}} :1":                    "secret:1",
		`{{"a"}}{{1}}{{true}}`:                                   "a1true",
		"{{.nested.name}}":                                       "secret",
		"{{if .on}}a{{else}}b{{end}}":                            "a",
		"{{if .off}}a{{else if eq .port 9999}}b{{else}}c{{end}}": "b",
		"{{with .nested}}{{.name}}{{$.port}}{{end}}":             "secret9999",
		"{{with .off}}a{{else with .port}}b{{end}}":              "b",
		"{{if and .on (not .off)}}a{{end}}":                      "a",
		"{{or .off .name}}":                                      "secret",
		`{{if eq .name "x" "secret"}}a{{end}}`:                   "a",
		`{{if ne .port 1}}a{{end}}`:                              "a",
		"{{if eq .port 9999.0}}a{{end}}":                         "a",
		"{{if eq .nothing nil}}a{{end}}":                         "a",
		"{{if eq .nested .nested}}a{{else}}b{{end}}":             "b",
		"{{if eq .name .nested}}a{{else}}b{{end}}":               "b",
		`{{.name | eq "secret"}}`:                                "true",
		`{{index . "peer-name"}}`:                                "secret",
		`{{index .nested "list" 1}}`:                             "7",
		`{{(index .nested.list 0)}}{{(index . "nested").name}}`:  "secretsecret",
		`{{with .nested}}{{index . "list" 0}}{{end}}`:            "secret",
	} {
		got, err := render(text, templateValues(t))
		assert.NoError(t, err, text)
		assert.Equal(t, want, got, text)
	}
}

// text/template prints <no value>, map[...] and [...].
func TestTemplatesPrintNoNullsObjectsAndLists(t *testing.T) {
	for _, text := range []string{
		"{{.nothing}}", "a{{.nested}}", "{{.nested.list}}", `{{index . "nothing"}}`, "{{if .on}}{{.nothing}}{{end}}", "{{if .off}}{{else}}{{.nothing}}{{end}}",
		"{{with .on}}{{$.nothing}}{{end}}", "{{with .off}}{{else}}{{$.nothing}}{{end}}", "{{or .off .nothing}}",
	} {
		_, err := render(text, templateValues(t))
		require.ErrorContains(t, err, "the value is null, an object or a list", text)
		assert.NotContains(t, err.Error(), "secret", text)
	}
}

func TestTemplatesAreRefusedBeforeTheyRun(t *testing.T) {
	for _, text := range []string{
		"{{.}}", "{{$}}", "{{with .x}}{{.}}{{end}}", "{{with $}}{{.x}}{{end}}", "{{if .}}{{end}}", "{{eq . .x}}", "{{index .}}", "{{. | index}}", "{{not .}}", "{{or . .x}}",
		`{{"x" | index .}}`, "{{index .x .}}", "{{(.)}}", "{{(.).x}}", "{{index (or .) 1}}",
		"{{range 1e11}}{{end}}", "{{range .x}}{{.}}{{end}}", "{{if .x}}{{range 9}}{{end}}{{end}}", "{{with .x}}{{else}}{{range 9}}{{end}}{{end}}",
		"{{$x := .x}}", "{{with $x := .x}}{{end}}", "{{if $x := .x}}{{end}}", "{{$x := .x}}{{$x = .y}}",
		`{{printf "%s" .x}}`, "{{print .x}}", "{{println .x}}", "{{html .x}}", "{{js .x}}", "{{urlquery .x}}", "{{len .x}}", "{{slice .x 1}}", "{{call .x}}",
		"{{lt .x 1}}", "{{le .x 1}}", "{{gt .x 1}}", "{{ge .x 1}}", "{{.x | print}}", "{{eq (print .x) 1}}", "{{eq print 1}}", "{{(print .x).y}}",
		`{{template "template"}}`, `{{block "x" .x}}{{end}}`, `{{define "x"}}a{{end}}{{.x}}`,
	} {
		_, err := parseTemplate(text)
		assert.ErrorContains(t, err, "not supported: expected fields, literals, if, else, with, and, or, not, eq, ne and index", text)
	}
	for text, want := range map[string]string{
		"{{.x":                           "template: template:1: unclosed action",
		"{{nosuch .x}}":                  `function "nosuch" not defined`,
		"{{text .x}}":                    `function "text" not defined`,
		"{{break}}":                      "{{break}} outside {{range}}",
		strings.Repeat("{{if .x}}", 9e3): "the template is larger than 64 KiB",
		"{{" + strings.Repeat("(", 6e4):  "max expression depth exceeded",
	} {
		_, err := parseTemplate(text)
		assert.ErrorContains(t, err, want)
	}
}

func TestErrorsOfTemplatesShowNoValue(t *testing.T) {
	for text, want := range map[string]string{
		"{{.missing}}":                     `map has no entry for key "missing"`,
		"{{.name.x}}":                      "can't evaluate field x",
		"{{.nothing.x}}":                   "x",
		"{{.name 1}}":                      "not a method",
		"{{eq}}":                           "wrong number of args for eq",
		"{{eq .nested}}":                   "missing argument for comparison",
		"{{ne .nested .name .port}}":       "wrong number of args for ne",
		`{{index .nested "missing"}}`:      "there is no entry for the key",
		`{{index .nested.list .port}}`:     "there is no entry for the key",
		`{{index .nested.list -1}}`:        "there is no entry for the key",
		`{{index .nested.list 0.5}}`:       "there is no entry for the key",
		`{{index .nested.list 1e300}}`:     "there is no entry for the key",
		`{{index .name 0}}`:                "there is no entry for the key",
		`{{index .nested .nested}}`:        "there is no entry for the key",
		`{{index .nested .name}}`:          "there is no entry for the key",
		"{{not .nested .name}}":            "wrong number of args for not",
		"{{and}}":                          "wrong number of args for and",
		`{{"x" .nested}}`:                  `can't give argument to non-function "x"`,
		"{{if .nested.list.x}}{{end}}":     "can't evaluate field x",
		`{{(index .nested "list").secre}}`: "can't evaluate field secre",
	} {
		_, err := render(text, templateValues(t))
		require.ErrorContains(t, err, want, text)
		assert.NotContains(t, err.Error(), "secret", text)
		assert.NotContains(t, err.Error(), "9999", text)
	}
}

// The values may be long, and a template can repeat one some thousand times.
func TestTheResultOfATemplateIsLimited(t *testing.T) {
	values := map[string]any{"x": strings.Repeat("x", 100_000)}
	_, err := render(strings.Repeat("{{.x}}", 1000), values)
	assert.ErrorContains(t, err, "the result is larger than 16 MiB")
	got, err := render(strings.Repeat("{{.x}}", 100), values)
	require.NoError(t, err)
	assert.Len(t, got, 10_000_000)
	assert.Less(t, len(got), metadata.MaxFile)
}
