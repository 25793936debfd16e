// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"fabric-builder-docker/internal/metadata"
)

func TestTrimVersion(t *testing.T) {
	tests := map[string]string{
		"basic_1.0":             "basic",
		"basic_1.1":             "basic",
		"basic-v2":              "basic",
		"basic.3.1.4":           "basic",
		"basic+7":               "basic",
		"basic__1.0":            "basic",
		"basic_1.0-rc1":         "basic",
		"basic_1.0.RC.2":        "basic",
		"basic_1.0-SNAPSHOT":    "basic",
		"basic_1.0alpha":        "basic",
		"mycc:1.0":              "mycc", // 1.x lifecycle
		"basic":                 "basic",
		"basic2":                "basic2",
		"erc-20-token":          "erc-20-token", // the number is not at the end
		"token-erc20":           "token-erc20",
		"asset-1-transfer":      "asset-1-transfer",
		"basic_1.0-experiment":  "basic_1.0-experiment", // an unknown suffix is not part of the version
		"basic_3f2a1c":          "basic_3f2a1c",
		"basic_":                "basic_",
		"1.0":                   "1",
		"2":                     "2",
		"":                      "",
		"basic_20260102":        "basic",
		"basic_1_2":             "basic_1",
		"a_1.0.0.0.0.0.0.0.0.0": "a",
	}
	for label, want := range tests {
		assert.Equal(t, want, trimVersion(label), label)
	}
}

func TestVolumePart(t *testing.T) {
	long := strings.Repeat("x", 200)
	tests := map[string]string{
		"basic":       "basic",
		"Basic_a.b-c": "Basic_a.b-c",
		"a+b":         "a-b-0a2c2c3b",
		"a:b":         "a-b-7e1d2a4b",
	}
	for text, want := range tests {
		got := volumePart(text)
		assert.Regexp(t, `^[a-zA-Z0-9_.-]+$`, got)
		assert.Equal(t, len(want), len(got), "%s: %s", text, got)
		if want == text {
			assert.Equal(t, want, got)
		}
	}
	assert.NotEqual(t, volumePart("a+b"), volumePart("a:b"))
	assert.NotEqual(t, volumePart("a+b"), volumePart("a-b"))
	assert.Len(t, volumePart(long), 64+1+8)
	assert.NotEqual(t, volumePart(long), volumePart(long+"y"))
}

// Versions of one chaincode share a cache; different chaincodes never do.
func TestCacheNameByLabel(t *testing.T) {
	name := func(label string) string {
		return request{pkg: metadata.Package{Label: label}}.cacheNameByLabel("java")
	}
	assert.Equal(t, "java-basic", name("basic_1.1"))
	assert.Equal(t, name("basic_1.2"), name("basic_1.1"))
	assert.NotEqual(t, name("basic_1.1"), name("basic2_1.1"))
	assert.NotEqual(t, name("a+b_1"), name("a-b_1"))
	assert.Empty(t, name(""))
}
