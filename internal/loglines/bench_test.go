// SPDX-License-Identifier: Apache-2.0

package loglines_test

import (
	"io"
	"strings"
	"testing"

	"fabric-builder-docker/internal/loglines"
)

// What a chaincode prints must pass at full speed, whatever is in it.
func BenchmarkWriter(b *testing.B) {
	for name, line := range map[string]string{
		"plain":    "2026-11-27 01:02:03.456 UTC [kv] put -> INFO 001 stored key 123456 with a value of some length\n",
		"coloured": "\x1b[34m2026-11-27 01:02:03.456 UTC [kv] put -> INFO 001\x1b[0m stored key 123456 with a value of some length\n",
		"cyrillic": "2026-11-27 01:02:03.456 UTC [kv] сохранён ключ 123456 со значением некоторой длины\n",
		"tabs":     "main.go:12:\tundefined: x\tof some length, and then some more text that a compiler would print here\n",
		"hostile":  strings.Repeat("\x1b", 100) + "\n",
	} {
		b.Run(name, func(b *testing.B) {
			piece := []byte(strings.Repeat(line, 32<<10/len(line)))
			w := loglines.NewWriter(io.Discard, "basic_1.0:0123456789ab | ")
			b.SetBytes(int64(len(piece)))
			for range b.N {
				if _, err := w.Write(piece); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
