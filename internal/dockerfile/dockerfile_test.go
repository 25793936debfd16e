// SPDX-License-Identifier: Apache-2.0

package dockerfile_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/dockerfile"
)

func TestImagesOfADockerfile(t *testing.T) {
	tests := map[string]struct {
		text   string
		images []string // that are needed
		others []string // that are only names: of stages, or in stages that are not built
	}{
		"one":                       {"FROM rust:1\n", []string{"rust:1"}, nil},
		"none":                      {"FROM scratch\nCOPY a /\n", nil, nil},
		"stages":                    {"FROM rust:1 AS build\nRUN x\nFROM debian\nCOPY --from=build /a /\n", []string{"rust:1", "debian"}, []string{"build"}},
		"a stage by its number":     {"FROM rust:1\nFROM debian\nCOPY --from=0 /a /\n", []string{"rust:1", "debian"}, []string{"0"}},
		"a stage in another case":   {"from rust:1 as Build\nfrom debian\ncopy --from=BUILD /a /\n", []string{"rust:1", "debian"}, []string{"BUILD"}},
		"a stage as a base":         {"FROM rust:1 AS a\nFROM a AS b\nFROM b\n", []string{"rust:1"}, []string{"a", "b"}},
		"a stage that nobody needs": {"FROM secret AS unused\nFROM debian\n", []string{"debian"}, []string{"secret"}},
		"a stage of a later name":   {"FROM last\nFROM debian AS last\nCOPY --from=0 /a /\n", []string{"last", "debian"}, []string{"0"}},
		"a platform":                {"FROM --platform=$BUILDPLATFORM rust:1 AS b\nFROM --platform=linux/arm64 debian\nCOPY --from=b a /\n", []string{"rust:1", "debian"}, []string{"b"}},
		"COPY --from":               {"FROM a\nCOPY --chown=1:1 --from=b:1 /x /y\n", []string{"a", "b:1"}, nil},
		"a mount":                   {"FROM a\nRUN --mount=type=bind,from=b,source=/x,target=/y --mount=from=c,target=/z cp /y /z\n", []string{"a", "b", "c"}, nil},
		"a number in a mount":       {"FROM a\nFROM b\nRUN --mount=from=0,target=/z x\n", []string{"b", "0"}, []string{"a"}},
		"a cache of an image":       {"FROM a\nRUN --mount=type=cache,FROM=b,target=/y x\n", []string{"a", "b"}, nil},
		"a quoted field":            {"FROM a\nRUN --mount=\"from=b,target=/y\" x\nRUN '--mount=from=c,target=/y' x\n", []string{"a", "b"}, nil},
		"continued lines":           {"FROM \\\n  a\nRUN --mount=type=bind,\\\n# comment\nfrom=b,target=/y \\\n  x\nCOPY --fr\\\nom=c x y\n", []string{"a", "b", "c"}, nil},
		"another escape":            {"# escape=`\nFROM `\n  a\nRUN --mount=from=`\nb,target=/y x\n", []string{"a", "b"}, nil},
		"a heredoc":                 {"FROM a\nRUN <<EOF\nFROM b\nCOPY --from=c x y\nEOF\nCOPY --from=d <<X /y\nFROM e\nX\n", []string{"a", "d"}, []string{"b", "c", "e"}},
		"ONBUILD":                   {"FROM a\nONBUILD COPY --from=b x y\nONBUILD RUN --mount=from=c,target=/y x\n", []string{"a", "b", "c"}, nil},
		"an argument":               {"ARG V=1\nARG NAME=\"deb\"\nFROM ${NAME}ian:$V\n", []string{"debian:1"}, nil},
		"an argument of a setting":  {"ARG GIVEN=1\nFROM a:$GIVEN\n", []string{"a:set"}, nil},
		"one without a default":     {"ARG GIVEN\nARG OTHER\nFROM a:${GIVEN}${OTHER:-x}\n", []string{"a:setx"}, nil},
		"one of another":            {"ARG A=a B=$A:1\nFROM $B\n", []string{"a:1"}, nil},
		"one of a stage":            {"ARG A=a\nFROM $A\nARG A=b\nFROM $A\n", []string{"a"}, nil},
		"one that is not declared":  {"FROM a${GIVEN}\n", []string{"a"}, nil},
		"the platform":              {"FROM a-${TARGETARCH}-$BUILDOS\n", []string{"a-amd64-linux"}, []string{"a--"}},
		"unknown instructions":      {"FROM a\nNEW --from=x b\nCOPY --new --from=b x y\nRUN --new x\n", []string{"a", "b"}, nil},
		"a byte order mark":         {"\xef\xbb\xbfFROM a\r\nCOPY --from=b x y\r\n", []string{"a", "b"}, nil},
		"names that come again":     {"FROM a\nCOPY --from=a x y\nCOPY --from=a x z\n", []string{"a"}, nil},
		"a cycle":                   {"FROM a AS x\nCOPY --from=y a b\nFROM b AS y\nCOPY --from=x a b\n", []string{"a", "b"}, []string{"y", "x"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			uses, err := dockerfile.Read([]byte(test.text), dockerfile.Options{Args: []string{"GIVEN=set"}, Platform: "linux/amd64"})
			require.NoError(t, err)
			assert.Equal(t, test.images, uses.Images)
			assert.ElementsMatch(t, append(test.images, test.others...), uses.Names)
		})
	}
}

func TestADockerfileThatCannotBeRead(t *testing.T) {
	for want, text := range map[string]string{
		"line 2: variables are not supported in from=$X: begin a stage":                          "FROM a\nCOPY --from=$X a b\n",
		"variables are not supported in from=${X}":                                               "FROM a\nRUN --mount=from=${X},target=/x a\n",
		"quotes, escapes and characters other than ASCII are not supported in \"--from=a\\\\b\"": "FROM a\nCOPY --from=a\\\\b a b\n",
		"line 2: the line ends with \\\\, which engines read in":                                 "FROM a\nRUN a\\\\ \nCOPY --from=b a b\n",
		"the escape directive must be on the first line":                                         "# check=skip=all\n# escape=`\nFROM a\n",
		"invalid escape directive \"x\"":                                                         "# escape=x\nFROM a\n",
		"line 3: a heredoc does not end":                                                         "FROM a\n\nRUN <<A cat <<B\nA\nFROM b\n",
		"line 1: FROM ${X} names no image: a build argument that it use":                         "FROM ${X}\n",
		"quotes, escapes and characters other than ASCII are not":                                "FROM a\nRUN --mount=type=bind,\\\"from=b x\n",
	} {
		_, err := dockerfile.Read([]byte(text), dockerfile.Options{})
		assert.ErrorContains(t, err, want)
	}
}

func TestMountsOfADockerfile(t *testing.T) {
	for text, want := range map[string]bool{
		"RUN --mount=type=cache,target=/x a":                          true,
		"RUN --mount=target=/x,Type=CACHE a":                          true,
		"RUN --mount=type=tmpfs,target=/y a":                          false,
		"RUN --mount=target=/x a":                                     true,
		"RUN --mount=type=bind,target=/x,type=tmpfs a":                true,
		"RUN --mount=type=tmpfs,target=/x,type=bind a":                true,
		"RUN --mount=type=secret,id=a --mount=type=cache,target=/y a": true,
		"RUN --mount=type=$X,target=/y a":                             true,
		"RUN --mount=type=secret,id=a --mount=type=ssh a":             false,
		"ONBUILD RUN --mount=type=cache,target=/x a":                  true,
		"RUN echo --mount=type=cache,target=/x":                       false,
		"RUN --mount=type=ca\\\nche,target=/x a":                      true,
	} {
		uses, err := dockerfile.Read([]byte("FROM a\n"+text+"\n"), dockerfile.Options{})
		require.NoError(t, err, text)
		assert.Equal(t, want, uses.Mounts, text)
	}
}

// Docker 20.10 and podman 4 take the lines of a heredoc for instructions, and podman a line that ends with two backslashes for
// one that goes on. What else depends on the version are the arguments that are set.
func TestWhatVersionsOfEnginesMayRead(t *testing.T) {
	for text, want := range map[string][]string{
		"FROM a\nRUN <<EOF\nx \\\\\nCOPY --from=$X\nCOPY --from=b x y\nEOF\n":                                {"a", "b"},
		"FROM a\nRUN <<EOF\nRUN --mount=type=bind,\\\\\n\\from=b,target=/x y\nEOF\n":                         {"a"},
		"ARG A=${TARGETSTAGE:+b}\nFROM ${A:-a}\n":                                                            {"a", "b"},
		"ARG A=${TARGETARCH:+b}\nARG B=${TARGETSTAGE:+c}\nFROM ${B:-${A:-a}}\n":                              {"a", "b", "c"},
		"# syntax=docker/dockerfile:1\n# escape=`\nFROM a\nRUN --mount=type=bind`\n,from=b,target=C:\\x y\n": nil,
	} {
		uses, err := dockerfile.Read([]byte(text), dockerfile.Options{Platform: "linux/amd64"})
		if want == nil {
			assert.ErrorContains(t, err, "quotes, escapes and characters")
			continue
		}
		require.NoError(t, err)
		assert.ElementsMatch(t, want, uses.Names, text)
	}
}

func TestRemoteSourcesOfADD(t *testing.T) {
	for text, want := range map[string]string{
		"ADD a.tar https://example.com/dir/":                "",
		"ADD --chown=1:1 a.tar b /x":                        "",
		"ADD a.tar $HOME/x":                                 "",
		"COPY http://example.com/a /x":                      "",
		"ADD http://127.0.0.1/a /x":                         "http://127.0.0.1/a",
		"add --chown=1:1 a HTTP://127.0.0.1/a /x":           "HTTP://127.0.0.1/a",
		"ADD [\"a\", \"http\\u003a//127.0.0.1/a\", \"/x\"]": "http://127.0.0.1/a",
		"ADD ht\"tp:\"//127.0.0.1/a /x":                     "ht\"tp:\"//127.0.0.1/a",
		"ADD http:\\//127.0.0.1/a /x":                       "http:\\//127.0.0.1/a",
		"ADD ${URL} /x":                                     "${URL}",
		"ADD git@example.com:a/b /x":                        "git@example.com:a/b",
		"ADD github.com/a/b /x":                             "github.com/a/b",
		"ONBUILD ADD http://127.0.0.1/a /x":                 "http://127.0.0.1/a",
		"ADD \\\nhttp://127.0.0.1/a /x":                     "http://127.0.0.1/a",
	} {
		uses, err := dockerfile.Read([]byte("FROM a\n"+text+"\n"), dockerfile.Options{})
		require.NoError(t, err, text)
		assert.Equal(t, want, uses.Remote, text)
	}
}

// Older versions of podman read the lines of a heredoc as instructions, know no arguments for the platform, and expand
// variables in mounts.
func TestWhatPodmanMayReadInADockerfile(t *testing.T) {
	for text, want := range map[string][]string{
		"FROM a\nRUN <<EOF\nFROM b\nCOPY --from=c x y\nEOF\n": {"a", "b", "c"},
		"ARG A=${TARGETARCH:+a}\nFROM ${A:-b}\n":              {"a", "b"},
	} {
		uses, err := dockerfile.Read([]byte(text), dockerfile.Options{Platform: "linux/amd64", Podman: true})
		require.NoError(t, err)
		assert.Equal(t, []string{"a"}, uses.Images)
		assert.Equal(t, want, uses.Names)
	}
	uses, err := dockerfile.Read([]byte("FROM a\nRUN <<EOF\nRUN --mount=type=cache,target=/x a\nEOF\n"), dockerfile.Options{Podman: true})
	require.NoError(t, err)
	assert.True(t, uses.Mounts)
	_, err = dockerfile.Read([]byte("FROM a\nARG X=from=b\nRUN --mount=$X,target=/x a\n"), dockerfile.Options{Podman: true})
	assert.ErrorContains(t, err, "variables are not supported in --mount=$X,target=/x")
	_, err = dockerfile.Read([]byte("FROM a\nRUN <<EOF\nCOPY --from=$X a b\nEOF\n"), dockerfile.Options{Podman: true})
	assert.ErrorContains(t, err, "without heredocs")
}

func TestTriggersOfABaseImage(t *testing.T) {
	uses, err := dockerfile.ReadTriggers([]string{"COPY --from=a x y", "RUN --mount=type=cache,from=b,target=/x y"}, dockerfile.Options{})
	require.NoError(t, err)
	assert.Equal(t, []string{"a", "b"}, uses.Images)
	assert.True(t, uses.Mounts)
	uses, err = dockerfile.ReadTriggers(nil, dockerfile.Options{})
	require.NoError(t, err)
	assert.Empty(t, uses)
}
