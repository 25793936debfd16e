// SPDX-License-Identifier: Apache-2.0

package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/cli"
)

func TestConfigure(t *testing.T) {
	tests := map[string]struct{ level, format, want string }{
		"the default": {"info", "text", "[INFO]  build: hello: image=x\n[ERROR] build: reading x: gone\n"},
		"debug":       {"debug", "text", "[DEBUG] build: detail\n[INFO]  build: hello: image=x\n[ERROR] build: reading x: gone\n"},
		"errors only": {"error", "text", "[ERROR] build: reading x: gone\n"},
		"json": {"info", "json", `{"@level":"info","@message":"hello","@module":"build","image":"x"}` + "\n" +
			`{"@level":"error","@message":"reading x: gone","@module":"build"}` + "\n"},
		"json errors": {"error", "json", `{"@level":"error","@message":"reading x: gone","@module":"build"}` + "\n"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			status := program.Run([]string{"a", "b"}, nil, &stdout, &stderr, func(_ context.Context, process cli.Process) error {
				process.Configure(test.level, test.format)
				process.Log.Debug("detail")
				process.Log.Info("hello", "image", "x")
				return errors.New("reading x: gone") // Configure applies to the final error as well
			})
			assert.Equal(t, 1, status)
			assert.Equal(t, test.want, stderr.String())
		})
	}
}

func TestJSONIsOneObjectPerLineForAnyError(t *testing.T) {
	var stdout, stderr bytes.Buffer
	program.Run([]string{"a", "b"}, nil, &stdout, &stderr, func(_ context.Context, process cli.Process) error {
		process.Configure("info", "json")
		return errors.Join(errors.New("one\twith a tab"), errors.New(`two with "quotes"`))
	})
	lines := bytes.Split(bytes.TrimSpace(stderr.Bytes()), []byte("\n"))
	require.Len(t, lines, 3)
	for _, line := range lines {
		assert.True(t, json.Valid(line), string(line))
	}
}

// Several programs write to one log, so each line says what it is about, the final error and that of dropped lines included.
func TestEveryLineSaysWhatItIsAbout(t *testing.T) {
	for _, format := range []string{"text", "json"} {
		var stdout, stderr bytes.Buffer
		program.Run([]string{"a", "b"}, nil, &stdout, &stderr, func(_ context.Context, process cli.Process) error {
			process.About("source_dir", "/tmp/x")
			process.Log.Info("reading")
			process.About("label", "basic_1.0")
			process.Configure("debug", format)
			process.Log.Debug("hello", "reason", "two\nlines")
			return errors.Join(errors.New("one\u2028"), errors.New("two\r[INFO]  build: forged"))
		})
		lines := bytes.Split(bytes.TrimSpace(stderr.Bytes()), []byte("\n"))
		require.Len(t, lines, 5, stderr.String())
		assert.Equal(t, "[INFO]  build: reading: source_dir=/tmp/x", string(lines[0]))
		for _, line := range lines[1:] {
			assert.Regexp(t, `label"?[=:]"?basic_1.0`, string(line))
			assert.NotContains(t, string(line), "source_dir")
			assert.NotContains(t, string(line), "\r")
			assert.Equal(t, format == "json", json.Valid(line), string(line))
		}
		assert.Contains(t, string(lines[4]), "failed for 2 reasons, of which the first is: one")
	}
}

// The name of a file in a package may hold a line break.
func TestTheLinesOfOneErrorAreNoLinesOfTheLog(t *testing.T) {
	joined := fmt.Errorf("reading: %w (see docs)", errors.Join(errors.New("a\n[INFO]  build: built"), errors.New("b")))
	for want, err := range map[string]error{
		"[ERROR] build: a [INFO]  build: built\n": errors.New("a\n[INFO]  build: built"),
		"[ERROR] build: x: a b\n":                 fmt.Errorf("x: %w %w", errors.New("a"), errors.New("b")),
		"[ERROR] build: reading: a [INFO]  build: built\n[ERROR] build: b (see docs)\n" +
			"[ERROR] build: failed for 2 reasons, of which the first is: reading: a [INFO]  build: built\n": joined,
		"[ERROR] build: one\n[ERROR] build: two\n[ERROR] build: failed for 2 reasons, of which the first is: one\n": errors.Join(errors.New("one"), nil, errors.New("two")),
	} {
		var stdout, stderr bytes.Buffer
		cli.Program{Name: "build"}.Run(nil, nil, &stdout, &stderr, func(context.Context, cli.Process) error { return err })
		assert.Equal(t, want, stderr.String())
	}
}
