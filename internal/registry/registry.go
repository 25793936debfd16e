// SPDX-License-Identifier: Apache-2.0

// Package registry finds credentials for image registries in Docker's config.json: auths, credHelpers, credsStore and
// identity tokens.
//
// The Docker CLI's packages read the file, match the old and new forms of a registry's name, and speak to credential
// helpers. This package adds the following:
//
//   - HOME and DOCKER_CONFIG come from the environment that the caller passes.
//   - A helper has a time-out.
//   - A helper does not inherit stderr: a child of the helper could keep it open, and the peer would wait for that child.
//   - No error contains credentials that a helper printed.
package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/distribution/reference"
	"github.com/docker/cli/cli/config"
	"github.com/docker/cli/cli/config/configfile"
	"github.com/docker/cli/cli/config/credentials"
	"github.com/docker/docker-credential-helpers/client"
	helpers "github.com/docker/docker-credential-helpers/credentials"

	"fabric-builder-docker/internal/regular"
)

// Hub is the registry of image names without one.
const Hub = "docker.io"

// hubKey is the name of the Hub in config.json.
const hubKey = "https://index.docker.io/v1/"

// helperTimeout limits a call of a credential helper. Some request a short-lived token from a service.
const helperTimeout = 30 * time.Second

// maxFile is the size of the largest config.json in bytes.
const maxFile = 16 << 20

// Credentials authenticate a client to a registry.
type Credentials struct {
	User          string // empty with an identity token
	Password      string
	IdentityToken string
	Host          string // the registry, also if there are no credentials
}

// Empty reports whether there are no credentials for the registry.
func (c Credentials) Empty() bool { return c.Password == "" && c.IdentityToken == "" }

// File is a config.json. It may not exist.
type File struct {
	path     string   // empty: there is no place for one
	required bool     // the operator has set the path, so a missing file is an error
	environ  []string // KEY=VALUE, for credential helpers
}

// Locate returns the config.json to use: configured, which is the file or its directory, otherwise
// $DOCKER_CONFIG/config.json, otherwise .docker/config.json in the home directory.
func Locate(configured string, environ []string) File {
	f := File{environ: environ}
	switch dir := value(environ, "DOCKER_CONFIG"); {
	case configured != "":
		f.path, f.required = configured, true
		if info, err := os.Stat(configured); err == nil && info.IsDir() {
			f.path = filepath.Join(configured, config.ConfigFileName)
		}
	case dir != "":
		f.path = filepath.Join(dir, config.ConfigFileName)
	default:
		if home := homeDir(environ); home != "" {
			f.path = filepath.Join(home, ".docker", config.ConfigFileName)
		}
	}
	return f
}

// homeDir returns the home directory. The peer does not propagate HOME, so without it homeDir asks the system.
func homeDir(environ []string) string {
	if home := value(environ, "HOME"); home != "" {
		return home
	}
	if current, err := user.Current(); err == nil {
		return current.HomeDir
	}
	return ""
}

// value returns the last value of a variable.
func value(environ []string, name string) string {
	found := ""
	for _, variable := range environ {
		if value, ok := strings.CutPrefix(variable, name+"="); ok {
			found = value
		}
	}
	return found
}

// Path returns the path of the file, which may not exist, or "" if there is no place for one.
func (f File) Path() string { return f.path }

// Check returns an error if the file cannot be read: pulls are made without credentials then.
func (f File) Check() error {
	_, err := f.read()
	return err
}

// Host returns the registry of an image's name.
func Host(image string) (string, error) {
	named, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return "", fmt.Errorf("parsing image name %q: %w", image, err)
	}
	return reference.Domain(named), nil
}

// Lookup returns the credentials for a registry. If there are none, only Host is set.
func (f File) Lookup(ctx context.Context, host string) (Credentials, error) {
	result := Credentials{Host: host}
	parsed, err := f.read()
	if err != nil || parsed == nil {
		return result, err
	}
	key := host
	if host == Hub || host == "index."+Hub {
		key = hubKey
	}
	if helper := helperFor(parsed, key); helper != "" {
		return f.askHelper(ctx, helper, key, result)
	}
	found, err := credentials.NewFileStore(parsed).Get(key)
	if err != nil {
		return result, fmt.Errorf("looking up registry %s in %s: %w", host, f.path, err)
	}
	result.User, result.Password, result.IdentityToken = found.Username, found.Password, found.IdentityToken
	return result, nil
}

// read reads the file. It returns nil if there is none.
func (f File) read() (*configfile.ConfigFile, error) {
	if f.path == "" {
		return nil, nil
	}
	data, err := regular.ReadFile(f.path, maxFile)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !f.required:
		return nil, nil
	case errors.Is(err, fs.ErrPermission) && !f.required:
		return nil, nil // HOME may be another user's, whose file is not meant for this process
	case err != nil:
		return nil, fmt.Errorf("reading registry credentials: %w", err)
	}
	parsed, err := config.LoadFromReader(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("reading registry credentials: %s: %w", f.path, err)
	}
	return parsed, nil
}

// helperFor returns the credential helper for a registry, or "" if the file itself contains the credentials.
func helperFor(file *configfile.ConfigFile, key string) string {
	if helper, ok := file.CredentialHelpers[key]; ok {
		return helper
	}
	return file.CredentialsStore
}

// askHelper adds a credential helper's answer to c.
func (f File) askHelper(ctx context.Context, helper, key string, c Credentials) (Credentials, error) {
	name := "docker-credential-" + helper
	ctx, cancel := context.WithTimeoutCause(ctx, helperTimeout, fmt.Errorf("no answer within %v", helperTimeout))
	defer cancel()
	found, err := client.Get(func(args ...string) client.Program {
		command := exec.CommandContext(ctx, name, args...)
		command.Env = f.environ
		if value(f.environ, "HOME") == "" { // helpers need it for their own files
			command.Env = append(slices.Clone(f.environ), "HOME="+homeDir(f.environ))
		}
		command.WaitDelay = time.Second
		return program{command}
	}, key)
	switch {
	case helpers.IsErrCredentialsNotFound(err):
		return c, nil
	case err != nil:
		return c, fmt.Errorf("asking credential helper %s from %s for registry %s: %w", name, f.path, c.Host, helperError(ctx, err))
	case found.Username == "<token>":
		c.IdentityToken = found.Secret
	default:
		c.User, c.Password = found.Username, found.Secret
	}
	return c, nil
}

// helperError returns why a helper failed: the context's cause if it has ended.
func helperError(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// program adapts a credential helper's process to the interface of the library.
type program struct{ command *exec.Cmd }

func (p program) Input(in io.Reader) { p.command.Stdin = in }

// Output returns what the helper prints. If the helper fails, the library copies that to its error, so Output leaves out
// what may be credentials.
func (p program) Output() ([]byte, error) {
	out, err := p.command.Output()
	if err != nil && bytes.HasPrefix(bytes.TrimSpace(out), []byte("{")) {
		return nil, err
	}
	return out, err
}
