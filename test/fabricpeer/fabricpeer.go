// SPDX-License-Identifier: Apache-2.0

// Package fabricpeer builds a small program that looks like a Fabric peer: its path and flags in the build info are those of
// a peer, and it can call other programs.
package fabricpeer

import (
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Module is the path of Fabric's module.
const Module = "github.com/hyperledger/fabric"

//go:embed peer.go.txt
var source string

// Build builds the program as dir/peer, from cmd/peer of a module. Flags are those of go build, such as [Metadata].
func Build(dir, module string, flags ...string) (string, error) {
	code, program := filepath.Join(dir, "fabric"), filepath.Join(dir, "peer")
	for name, text := range map[string]string{"go.mod": "module " + module + "\n\ngo 1.21\n", "cmd/peer/main.go": source} {
		path := filepath.Join(code, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return "", err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return "", err
		}
	}
	build := exec.Command("go", append(append([]string{"build", "-o", program}, flags...), "./cmd/peer")...)
	build.Dir = code
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off")
	if output, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building a peer: %w: %s", err, output)
	}
	return program, nil
}

// Metadata returns the flag with which Fabric's Makefile sets variables such as Version=v2.5.9 in common/metadata.
func Metadata(module string, variables ...string) string {
	var flags []string
	for _, variable := range variables {
		flags = append(flags, "-X "+module+"/common/metadata."+variable)
	}
	return "-ldflags=" + strings.Join(flags, " ")
}
