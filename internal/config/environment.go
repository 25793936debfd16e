// SPDX-License-Identifier: Apache-2.0

package config

import (
	"slices"
	"strings"
)

// Lookup returns the value of the variable name in environ, a list of KEY=VALUE. If the variable is listed more than
// once, the last one wins. An empty value means not set, as for the peer.
func Lookup(environ []string, name string) string {
	var value string
	for _, variable := range environ {
		if text, ok := strings.CutPrefix(variable, name+"="); ok {
			value = text
		}
	}
	return value
}

// BuildEnvironment returns environ, the program's own environment, with builder.build.environment added. Language tools
// such as go read variables from either; the setting wins.
func (s Settings) BuildEnvironment(environ []string) []string {
	if len(s.Builder.Build.Environment) == 0 {
		return environ
	}
	return Environment(environ).With(s.Builder.Build.Environment...)
}

// With returns a copy of e with more variables added. A later variable replaces an earlier one with the same name.
func (e Environment) With(more ...string) Environment {
	var all Environment
	for _, variable := range slices.Concat(e, more) {
		name, _, _ := strings.Cut(variable, "=")
		all = slices.DeleteFunc(all, func(other string) bool { return strings.HasPrefix(other, name+"=") })
		all = append(all, variable)
	}
	return all
}
