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

// caBundle is where Debian keeps the certificates that the machine trusts.
const caBundle = "/etc/ssl/certs/ca-certificates.crt"

// javaBundle is where Debian keeps the same certificates for Java.
const javaBundle = "/etc/ssl/certs/java/cacerts"

// system is what the machine gives to stand-ins.
type system struct {
	codename     string // of the Debian release
	architecture string
	caSum        string // of the machine's CA bundle
	javaSum      string // of the machine's CA bundle for Java
	goRoot       string
	goVersion    string
	node         string // the program
	nodeVersion  string
	npm          string // the directory of the package
	npmVersion   string
}

// look finds out what the machine has. What it lacks is empty, and is missed
// only when a stand-in is to be made of it.
func look(ctx context.Context) system {
	s := system{codename: codename(), architecture: runtime.GOARCH, caSum: bundleSum(), javaSum: fileSum(javaBundle)}
	s.goRoot, s.goVersion = output(ctx, "go", "env", "GOROOT"), output(ctx, "go", "env", "GOVERSION")
	s.node, s.nodeVersion = resolved("node"), output(ctx, "node", "--version")
	s.npmVersion = output(ctx, "npm", "--version")
	if cli := resolved("npm"); cli != "" {
		s.npm = filepath.Dir(filepath.Dir(cli)) // bin/npm-cli.js
	}
	return s
}

// bundleSum is empty on a machine without certificates.
func bundleSum() string { return fileSum(caBundle) }

// fileSum is empty for a file that is not there.
func fileSum(name string) string {
	content, err := os.ReadFile(name)
	if err != nil {
		return ""
	}
	return sum(string(content))
}

// check says what making stand-ins takes that this machine does not have.
func (s system) check() error {
	switch {
	case s.codename == "" || os.Geteuid() != 0:
		return errors.New("making a stand-in: it takes Debian and root; else load Fabric's own images into the engine")
	case s.goRoot == "":
		return errors.New("making a stand-in: no go in PATH")
	case s.node == "" || s.npm == "":
		return errors.New("making a stand-in: no node and npm in PATH")
	}
	return nil
}

// codename returns the name of this machine's Debian release, which the
// programs that are copied from it were made for.
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

// mirror returns where this machine gets its own packages from, or "" for
// debootstrap's default.
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

// installTools installs what making stand-ins takes and the machine lacks.
// The package of the certificates is left alone where there are any: it makes
// the bundle anew, without what an administrator has appended to it.
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
