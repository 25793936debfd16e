// SPDX-License-Identifier: Apache-2.0

package dockerfile

import (
	"maps"
	"slices"
	"strings"
)

// arguments holds the build arguments that FROM may use. It implements shell.EnvGetter.
type arguments struct {
	given  map[string]string // by the operator
	values map[string]string
}

// newArguments returns the arguments that a Dockerfile has without declaring them: the platform and the stage that is built.
// Not every engine sets each of them.
func newArguments(options Options, withPlatform, withStage bool) arguments {
	a := arguments{given: map[string]string{}, values: map[string]string{}}
	for _, pair := range options.Args {
		name, value, _ := strings.Cut(pair, "=")
		a.given[name] = value
	}
	system, architecture, ok := strings.Cut(options.Platform, "/")
	if withPlatform && ok {
		architecture, variant, _ := strings.Cut(architecture, "/")
		for _, prefix := range []string{"BUILD", "TARGET"} {
			a.setDefault(prefix+"PLATFORM", options.Platform)
			a.setDefault(prefix+"OS", system)
			a.setDefault(prefix+"ARCH", architecture)
			a.setDefault(prefix+"VARIANT", variant)
		}
	}
	if withStage {
		a.setDefault("TARGETSTAGE", "default")
	}
	return a
}

// setDefault sets an argument to the operator's value, or else to value.
func (a arguments) setDefault(name, value string) {
	if given, ok := a.given[name]; ok {
		value = given
	}
	a.values[name] = value
}

// Get returns the value of an argument.
func (a arguments) Get(name string) (string, bool) {
	value, ok := a.values[name]
	return value, ok
}

// Keys returns the names of all arguments.
func (a arguments) Keys() []string { return slices.Sorted(maps.Keys(a.values)) }
