// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// alwaysPassed lists the variables that the peer passes on to every external builder.
var alwaysPassed = []string{"LD_LIBRARY_PATH", "LIBPATH", "PATH", "TMPDIR"}

// externalBuilder is an entry of chaincode.externalBuilders in core.yaml.
type externalBuilder struct {
	Path                 string   `json:"path"`
	PropagateEnvironment []string `json:"propagateEnvironment"`
	EnvironmentWhitelist []string `json:"environmentWhitelist"` // in Fabric 2.0 and 2.1
}

// PassedOn returns those of the peer's variables that the peer passes on to the builder whose bin/ is in dir, as core.yaml or
// CORE_CHAINCODE_EXTERNALBUILDERS says. environ holds the peer's variables. It returns an error if neither names that builder.
func PassedOn(dir string, environ []string) ([]string, error) {
	builders, err := externalBuilders(environ)
	if err != nil {
		return nil, err
	}
	for _, builder := range builders {
		if !isSamePath(builder.Path, dir) {
			continue
		}
		names := slices.Concat(alwaysPassed, builder.PropagateEnvironment)
		if len(builder.PropagateEnvironment) == 0 {
			names = slices.Concat(alwaysPassed, builder.EnvironmentWhitelist)
		}
		return slices.DeleteFunc(slices.Clone(environ), func(variable string) bool {
			name, _, _ := strings.Cut(variable, "=")
			return !slices.Contains(names, name)
		}), nil
	}
	return nil, fmt.Errorf("no entry of chaincode.externalBuilders has the path %s", dir)
}

// PassedOnOrAll returns what [PassedOn] does, or else all of environ.
func PassedOnOrAll(dir string, environ []string) []string {
	if passed, err := PassedOn(dir, environ); err == nil {
		return passed
	}
	return environ
}

// BuildersVariable is the peer's variable that takes precedence over core.yaml.
const BuildersVariable = "CORE_CHAINCODE_EXTERNALBUILDERS"

// externalBuilders returns the peer's external builders.
func externalBuilders(environ []string) ([]externalBuilder, error) {
	if text := Lookup(environ, BuildersVariable); text != "" {
		var builders []externalBuilder
		if err := yaml.Unmarshal([]byte(text), &builders); err != nil {
			return nil, fmt.Errorf("variable %s: %w", BuildersVariable, err)
		}
		return builders, nil
	}
	for _, dir := range coreDirsOf(environ) {
		text, err := os.ReadFile(filepath.Join(dir, coreFile))
		if err != nil {
			continue
		}
		var core struct {
			Chaincode struct {
				ExternalBuilders []externalBuilder `json:"externalBuilders"`
			} `json:"chaincode"`
		}
		if err := yaml.Unmarshal(text, &core); err != nil {
			return nil, fmt.Errorf("%s: invalid YAML: %s", filepath.Join(dir, coreFile), yamlReason(err))
		}
		return core.Chaincode.ExternalBuilders, nil
	}
	return nil, errors.New("there is no core.yaml of the peer here")
}

// isSamePath reports whether two paths name the same directory.
func isSamePath(a, b string) bool {
	if resolved, err := filepath.EvalSymlinks(a); err == nil {
		a = resolved
	}
	if resolved, err := filepath.EvalSymlinks(b); err == nil {
		b = resolved
	}
	return filepath.Clean(a) == filepath.Clean(b)
}
