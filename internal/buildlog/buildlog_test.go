// SPDX-License-Identifier: Apache-2.0

package buildlog_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"fabric-builder-docker/internal/buildlog"
)

func TestASuccessIsSummedUpAndAFailureShowsEverything(t *testing.T) {
	const lines = "p | go version go1.26.1 linux/amd64\np | go: downloading example.com/x v1.0.0\np | go: downloading example.com/x v1.0.0\n" +
		"p | internal/abi\np | example.com/x\np | ./main.go:7:2: undefined: y\n"
	var out bytes.Buffer
	l := buildlog.New(&out, "p | ", false)
	fmt.Fprint(l, lines)
	assert.Empty(t, out.String())
	assert.Equal(t, []any{"toolchain", "go1.26.1 linux/amd64", "packages_compiled", 2, "downloads", 1, "output_lines", 5}, l.Fields())
	assert.Equal(t, "./main.go:7:2: undefined: y", l.Reason())
	l.Show()
	assert.Equal(t, 5, bytes.Count(out.Bytes(), []byte("\n")), "a download that is reported twice is shown once")
}

func TestWhatIsKeptIsBounded(t *testing.T) {
	var out bytes.Buffer
	l := buildlog.New(&out, "", false)
	long := strings.Repeat("x", 200)
	for i := range 10_000 {
		fmt.Fprintf(l, "line %d\n%s\n", i, long)
	}
	l.Show()
	assert.Less(t, out.Len(), 1<<20)
	assert.Contains(t, out.String(), "line 0\n")
	assert.Contains(t, out.String(), "lines cut here")
	assert.Contains(t, out.String(), "line 9999\n")
}

func TestReasons(t *testing.T) {
	for lines, want := range map[string]string{
		"npm error code E404\nnpm error 404 Not Found - GET https://r/x\nnpm error A complete log of this run can be found in: x\n": "npm error 404 Not Found - GET https://r/x",
		"* What went wrong:\nTask x failed\n* Try:\n":                                                   "Task x failed",
		"[ERROR] COMPILATION ERROR :\n[ERROR] /x/A.java:[5,9] cannot find symbol\n[ERROR] [Help 1] y\n": "[ERROR] /x/A.java:[5,9] cannot find symbol",
		"a\nb\n": "b",
		"[ERROR] Plugin a:b:1 could not be resolved\n[ERROR] [Help 1] x\n\x1b[0m\n\x1b[0m\x1b[0m\n": "[ERROR] Plugin a:b:1 could not be resolved",
		"a\n\x1b[0m\x1b[1;31m\n": "a",
	} {
		l := buildlog.New(&bytes.Buffer{}, "", false)
		fmt.Fprint(l, lines)
		assert.Equal(t, want, l.Reason())
	}
}

func TestDurationsReadWell(t *testing.T) {
	for d, want := range map[time.Duration]string{
		412_345 * time.Microsecond: "412ms", 1_234 * time.Millisecond: "1.2s", 49_372 * time.Millisecond: "49.4s", 185_678 * time.Millisecond: "3m6s",
	} {
		assert.Equal(t, want, buildlog.Round(d).String())
	}
}
