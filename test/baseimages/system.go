// SPDX-License-Identifier: Apache-2.0

package baseimages

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"fabric-builder-docker/test/engine"
)

// caBundle is where Debian keeps the CA certificates that the machine trusts.
const caBundle = "/etc/ssl/certs/ca-certificates.crt"

// javaBundle is where Debian keeps them for Java.
const javaBundle = "/etc/ssl/certs/java/cacerts"

// system describes what stand-ins take from the machine.
type system struct {
	codename     string // Debian release
	architecture string
	caSum        string // of caBundle
	javaSum      string // of javaBundle
	goRoot       string
	goVersion    string
	node         string // path of the program
	nodeVersion  string
	npm          string // directory of the package
	npmVersion   string
}

// inspectSystem collects what the machine has. Fields for what it lacks are empty; check reports them when a stand-in
// is to be built.
func inspectSystem(ctx context.Context) system {
	s := system{codename: codename(), architecture: runtime.GOARCH, caSum: bundleSum(), javaSum: fileSum(javaBundle)}
	s.goRoot, s.goVersion = output(ctx, "go", "env", "GOROOT"), output(ctx, "go", "env", "GOVERSION")
	s.node, s.nodeVersion = resolved("node"), output(ctx, "node", "--version")
	s.npmVersion = output(ctx, "npm", "--version")
	if cli := resolved("npm"); cli != "" {
		s.npm = filepath.Dir(filepath.Dir(cli)) // bin/npm-cli.js
	}
	return s
}

// bundleSum returns "" on a machine without certificates.
func bundleSum() string { return fileSum(caBundle) }

// fileSum returns the SHA-256 of a file, or "" if it cannot be read.
func fileSum(name string) string {
	content, err := os.ReadFile(name)
	if err != nil {
		return ""
	}
	return sum(string(content))
}

// check returns an error if the machine lacks something that building stand-ins needs.
func (s system) check() error {
	switch {
	case s.codename == "" || os.Geteuid() != 0:
		return errors.New("building a stand-in: needs Debian and root (otherwise load Fabric's images into the engine)")
	case s.goRoot == "":
		return errors.New("building a stand-in: no go in PATH")
	case s.node == "" || s.npm == "":
		return errors.New("building a stand-in: no node or npm in PATH")
	}
	return nil
}

// codename returns the codename of the machine's Debian release, or "". Programs copied from the machine need the same
// release.
func codename() string {
	if _, err := os.Stat("/etc/debian_version"); err != nil {
		return ""
	}
	release, _ := os.ReadFile("/etc/os-release")
	for line := range bytes.Lines(release) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(string(line)), "VERSION_CODENAME="); ok {
			return strings.Trim(name, `"`)
		}
	}
	return ""
}

// mirror returns the URL of the machine's own package mirror, or "" for debootstrap's default.
func mirror(ctx context.Context, codename string) string {
	targets := output(ctx, "apt-get", "indextargets", "--format", "$(CODENAME) $(COMPONENT) $(CREATED_BY) $(REPO_URI)")
	for line := range strings.Lines(targets) {
		if uri, ok := strings.CutPrefix(strings.TrimSpace(line), codename+" main Packages http"); ok {
			return "http" + uri
		}
	}
	return ""
}

func output(ctx context.Context, name string, args ...string) string {
	out, err := exec.CommandContext(ctx, name, args...).Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

func resolved(name string) string {
	path, err := filepath.EvalSymlinks(engine.LookPath(name))
	if err != nil {
		return ""
	}
	return path
}

func sum(text string) string {
	digest := sha256.Sum256([]byte(text))
	return hex.EncodeToString(digest[:])
}

// installTools installs the missing tools for building stand-ins. It installs ca-certificates only if there is no
// bundle, because that package regenerates the bundle without certificates that an administrator appended.
func installTools(ctx context.Context, opts Options, logFile string) error {
	var missing []string
	if engine.LookPath("debootstrap") == "" {
		missing = Packages()
	}
	if _, err := os.Stat(caBundle); err != nil {
		missing = append(missing, "ca-certificates")
	}
	if len(missing) == 0 {
		return nil
	}
	return engine.Timed(opts.Log, "installing "+strings.Join(missing, " "), func() error {
		return engine.AptInstall(ctx, logFile, opts.Log, missing...)
	})
}
