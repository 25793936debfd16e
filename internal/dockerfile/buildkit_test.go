// SPDX-License-Identifier: Apache-2.0

package dockerfile_test

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/stretchr/testify/assert"

	"fabric-builder-docker/internal/dockerfile"
)

// buildkitInstructions returns what BuildKit's parser finds, in the form of dockerfile.Instructions.
func buildkitInstructions(text string) ([]string, error) {
	parsed, err := parser.Parse(strings.NewReader(text))
	if err != nil {
		return nil, err
	}
	var all []string
	for _, node := range parsed.AST.Children {
		line := node.StartLine
		for node != nil {
			name := strings.ToLower(node.Value)
			var words []string
			var child *parser.Node
			for next := node.Next; next != nil; next = next.Next {
				if name == "from" || name == "arg" {
					words = append(words, next.Value)
				}
				if len(next.Children) > 0 {
					child = next.Children[0]
				}
			}
			all = append(all, fmt.Sprintf("%d %s %q %q", line, name, slices.Clone(node.Flags), words))
			node = child
		}
	}
	return all, nil
}

// oddSpace matches what is a space in front of a flag for older versions of BuildKit only. This package finds such a flag.
var oddSpace = regexp.MustCompile("\\x{a0}[\\s\\v\\x{a0}\\\\`]*-")

// compare fails if the two parsers disagree on a text that both take.
func compare(t *testing.T, text string) (compared bool) {
	t.Helper()
	if name, _, _, ok := parser.DetectSyntax([]byte(text)); ok {
		assert.Contains(t, dockerfile.Syntax([]byte(text)), name, "%q", text)
		_, _, _, ok := parser.DetectSyntax(dockerfile.WithoutSyntax([]byte(text)))
		assert.False(t, ok && len(dockerfile.Syntax(dockerfile.WithoutSyntax([]byte(text)))) == 0, "%q", text)
	}
	if oddSpace.MatchString(text) {
		return false
	}
	theirs, err := buildkitInstructions(text)
	if err != nil {
		return false
	}
	ours, err := dockerfile.Instructions([]byte(text))
	if err != nil {
		return false
	}
	return assert.Equal(t, theirs, ours, "%q", text)
}

// pieces are what Dockerfiles are made of, and what parsers trip over.
var pieces = []string{
	"FROM a", "from a AS b", "FROM --platform=$X a", "COPY --from=b x y", "copy --from=\"b\" x", "RUN --mount=type=cache,target=/x y", "RUN x", "ADD x y",
	"ONBUILD COPY --from=c x y", "ONBUILD ", "ARG A=1", "ARG A=\"x y\" B='z' C", "RUN", "RUN <<EOF", "COPY <<-'EOF' /x", "RUN <<A <<B", "RUN [\"<<EOF\"]", "RUN [\"x\", 1]", "EOF", "\tEOF", "A", "B",
	"\n", "\n", "\n", "\n", "\r\n", " ", "\t", "\v", "\u00a0", "\\\n", "\\", "\\ \n", "\\\t\n", "`\n", "`", "\"", "'", "#", "# comment\n", " # comment\n", "# escape=`\n", "#escape=\\\n", "# syntax=x\n", "#\u00a0Syntax = x y\n", "// syntax=x\n", "#!x\n", "{\"syntax\": \"x\"}", "# check=x\n",
	"--", "-- ", "--x", "--from=", "=", "$", "<<", "<<<", "3<<", "é", "[", "]", ",", "/x",
}

// This package reads Dockerfiles as BuildKit's own parser does, wherever it takes them.
func TestDockerfilesAreReadAsByBuildKit(t *testing.T) {
	for _, seed := range []uint64{1, 2, 3, rand.Uint64()} {
		random := rand.New(rand.NewPCG(seed, 0))
		compared := 0
		for range 1000 {
			var text strings.Builder
			for range 1 + random.IntN(14) {
				text.WriteString(pieces[random.IntN(len(pieces))])
			}
			if compare(t, text.String()) {
				compared++
			}
			if t.Failed() {
				t.Fatalf("seed %d", seed)
			}
		}
		assert.Greater(t, compared, 200)
	}
}
