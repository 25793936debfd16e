// SPDX-License-Identifier: Apache-2.0

package dockerfile_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"fabric-builder-docker/internal/dockerfile"
)

func TestSyntaxOfADockerfile(t *testing.T) {
	for text, want := range map[string][]string{
		"FROM a\n":                                    nil,
		"# syntax=docker/dockerfile:1\nFROM a\n":      {"docker/dockerfile:1"},
		"#syntax = evil --option \r\nFROM a\n":        {"evil"},
		"#\u00a0syntax=evil\n":                        {"evil"},
		"# SYNTAX=evil\n":                             {"evil"},
		"\xef\xbb\xbf# syntax=evil\nFROM a\n":         {"evil"},
		"#!/usr/bin/x\n# syntax=evil\nFROM a\n":       {"evil"},
		"// syntax=evil\n":                            {"evil"},
		"#!x\n{\"syntax\": \"evil\"}":                 {"evil"},
		"{\"syntax\": \"evil\"}":                      {"evil"},
		"# escape=`\n# syntax=evil\nFROM a\n":         {"evil"},
		"# other=x\n# syntax=evil\nFROM a\n":          {"evil"}, // BuildKit of 20.10 looks there
		"# syntax=docker/dockerfile\n# syntax=evil\n": {"docker/dockerfile", "evil"},
		"FROM a\n# syntax=evil\n":                     nil,
		"FROM a\nRUN echo '# syntax=evil'\n":          nil,
		"# what syntax=means\nFROM a\n":               nil,
	} {
		assert.Equal(t, want, dockerfile.Syntax([]byte(text)), text)
	}
}

func TestADockerfileWithoutItsSyntax(t *testing.T) {
	for text, want := range map[string]string{
		"FROM a\n":                             "FROM a\n",
		"# syntax=x\nFROM a\n":                 "\nFROM a\n",
		"# syntax=x\n# escape=`\n\nFROM a\n":   "# escape=`\n\n\nFROM a\n",
		"# escape=`\n# syntax=x\nFROM a\n":     "# escape=`\n\nFROM a\n",
		"\xef\xbb\xbf# syntax=x\nFROM a\n":     "\nFROM a\n",
		"# syntax=x\nFROM a\n# syntax=y\n":     "\nFROM a\n# syntax=y\n",
		"# syntax=x":                           "\n",
		"\n# syntax=x\nRUN <<E\n# syntax=y\nE": "\n\nRUN <<E\n# syntax=y\nE",
	} {
		assert.Equal(t, want, string(dockerfile.WithoutSyntax([]byte(text))), text)
	}
}
