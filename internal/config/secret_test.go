// SPDX-License-Identifier: Apache-2.0

package config_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/config"
)

// Error messages end up in the peer's log, which more people read than the settings.
func TestTheValueOfABadVariableIsNotShown(t *testing.T) {
	for yaml, want := range map[string]string{
		`[A=1, s3cret]`:              "invalid entry 2",
		`[A=1, A=2, "=s3cret"]`:      "invalid entry 3",
		`["A b=s3cret"]`:             "invalid entry 1",
		`[A=1, {PASSWORD: s3cret}]`:  "invalid entry 2",
		`{A: b, "A b": s3cret}`:      `invalid variable name "A b"`,
		`{A: b, PASSWORD: [s3cret]}`: `invalid entry "PASSWORD"`,
		`"PASSWORD=a s3cret"`:        "invalid entry 2",
		`"PASSWORD=a +s3cret="`:      "invalid entry 2",
		`5331337`:                    "invalid value",
	} {
		for key, section := range map[string][2]string{
			"builder.environment":              {"builder: {environment: ", "}"},
			"builder.build.environment":        {"builder: {build: {environment: ", "}}"},
			"builder.buildArgs":                {"builder: {buildArgs: ", "}"},
			"builder.overrides[0].environment": {"builder: {overrides: [{label: a, environment: ", "}]}"},
		} {
			_, err := config.Load(home(t, section[0]+yaml+section[1]), nil)
			require.Error(t, err, yaml)
			assert.Contains(t, err.Error(), key+": "+want+": expected ")
			assert.NotContains(t, err.Error(), "s3cret")
			assert.NotContains(t, err.Error(), "5331337")
		}
	}
	for _, variable := range []string{"CORE_BUILDER_ENVIRONMENT", "CORE_BUILDER_BUILD_ENVIRONMENT", "CORE_BUILDER_BUILDARGS"} {
		_, err := config.Load(t.TempDir(), []string{variable + "=PASSWORD=a s3cret"})
		assert.EqualError(t, err, "variable "+variable+": invalid entry 2: expected a map of NAME: VALUE, or a list of NAME=VALUE")
	}
}

func TestTheContentOfAMisplacedSectionIsNotShown(t *testing.T) {
	for yaml, want := range map[string]string{
		"builder: [{environment: [TOKEN=s3cret]}]":                                    "builder: expected a section with keys, got a list",
		"builder: {overrides: {a: {environment: [TOKEN=s3cret]}}}":                    "builder.overrides: expected a list of sections, got a map",
		"builder: {overrides: [[TOKEN=s3cret]]}":                                      "builder.overrides[0]: expected a section with keys, got a list",
		"vm: {docker: {hostConfig: {LogConfig: {Config: {splunk-token: [s3cret]}}}}}": `Config: invalid entry "splunk-token": expected `,
		"vm: {docker: {hostConfig: {LogConfig: {Config: splunk-token=a s3cret}}}}":    "Config: invalid value: expected ",
	} {
		_, err := config.Load(home(t, yaml), nil)
		assert.ErrorContains(t, err, want)
		assert.NotContains(t, err.Error(), "s3cret")
	}
}

func TestNetworksThatGoTogether(t *testing.T) {
	for _, yaml := range []string{
		"builder: {networks: [host]}",
		"builder: {networks: [a, bridge]}",
		"builder: {networks: [host, host]}",
		"vm: {docker: {hostConfig: {NetworkMode: host}}}\nbuilder: {networks: [host]}",
		"vm: {docker: {hostConfig: {NetworkMode: a}}}\nbuilder: {networks: [b], overrides: [{label: x, network: host}]}",
	} {
		_, err := config.Load(home(t, yaml), nil)
		assert.NoError(t, err, yaml)
	}
}
