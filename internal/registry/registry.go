// Package registry finds credentials for image registries, in Docker's own config.json: auths, credHelpers, credsStore,
// identity tokens.
//
// Reading the file, matching its old and new forms of a registry's name and speaking to credential helpers is done by
// the Docker CLI's own packages. What differs: nothing is read from the process's environment behind the caller's
// back, a helper has a time-out and gets no stderr of ours, since the peer would wait for whoever keeps that open,
// and no error repeats what a helper has printed, since that may be the secret.
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
)

// Hub is the registry of names that name none.
const Hub = "docker.io"

// hubKey is the name that config.json has for it.
const hubKey = "https://index.docker.io/v1/"

// helperTimeout bounds a credential helper: some ask a service for a token of the hour.
const helperTimeout = 30 * time.Second

// Credentials let somebody into a registry.
type Credentials struct {
	User          string // empty with an identity token
	Password      string
	IdentityToken string
	Host          string // of the registry
}

// Any says whether there are any.
func (c Credentials) Any() bool { return c.Password != "" || c.IdentityToken != "" }

// File is where credentials are looked up.
type File struct {
	path     string // empty: nowhere
	expected bool   // somebody has named it: it has to be there
	environ  []string
}

// Open chooses the file: the one that is configured, a file or the directory that holds config.json; else
// $DOCKER_CONFIG/config.json; else .docker/config.json in the home directory.
func Open(configured string, environ []string) File {
	f := File{environ: environ}
	switch dir := value(environ, "DOCKER_CONFIG"); {
	case configured != "":
		f.path, f.expected = configured, true
		if info, err := os.Stat(configured); err == nil && info.IsDir() {
			f.path = filepath.Join(configured, config.ConfigFileName)
		}
	case dir != "":
		f.path = filepath.Join(dir, config.ConfigFileName)
	default:
		if home := home(environ); home != "" {
			f.path = filepath.Join(home, ".docker", config.ConfigFileName)
		}
	}
	return f
}

// home is the home directory. The peer hands no HOME on, so the system's own list of users is asked.
func home(environ []string) string {
	if home := value(environ, "HOME"); home != "" {
		return home
	}
	if who, err := user.Current(); err == nil {
		return who.HomeDir
	}
	return ""
}

func value(environ []string, name string) string {
	found := ""
	for _, variable := range environ {
		if value, ok := strings.CutPrefix(variable, name+"="); ok {
			found = value
		}
	}
	return found
}

// Path is the file, whether it is there or not.
func (f File) Path() string { return f.path }

// Host is the registry of an image's name.
func Host(image string) (string, error) {
	named, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return "", fmt.Errorf("reading the name of image %q: %w", image, err)
	}
	return reference.Domain(named), nil
}

// For finds the credentials for a registry. Without any, the result is empty but for the host.
func (f File) For(ctx context.Context, host string) (Credentials, error) {
	none := Credentials{Host: host}
	parsed, err := f.read()
	if err != nil || parsed == nil {
		return none, err
	}
	key := host
	if host == Hub || host == "index."+Hub {
		key = hubKey
	}
	if helper := helperOf(parsed, key); helper != "" {
		return f.ask(ctx, helper, key, none)
	}
	found, err := credentials.NewFileStore(parsed).Get(key)
	if err != nil {
		return none, fmt.Errorf("looking up registry %s in %s: %w", host, f.path, err)
	}
	none.User, none.Password, none.IdentityToken = found.Username, found.Password, found.IdentityToken
	return none, nil
}

// read reads the file; nil when there is none.
func (f File) read() (*configfile.ConfigFile, error) {
	if f.path == "" {
		return nil, nil
	}
	data, err := os.ReadFile(f.path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !f.expected:
		return nil, nil
	case errors.Is(err, fs.ErrPermission) && !f.expected:
		return nil, nil // of the user whose home directory this is said to be; it is no file of ours
	case err != nil:
		return nil, fmt.Errorf("reading the credentials of registries: %w", err)
	}
	parsed, err := config.LoadFromReader(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("reading the credentials of registries: %s: %w", f.path, err)
	}
	return parsed, nil
}

// helperOf is the helper for a registry; empty when the file itself holds the credentials.
func helperOf(file *configfile.ConfigFile, key string) string {
	if helper, ok := file.CredentialHelpers[key]; ok {
		return helper
	}
	return file.CredentialsStore
}

// ask asks a credential helper.
func (f File) ask(ctx context.Context, helper, key string, c Credentials) (Credentials, error) {
	name := "docker-credential-" + helper
	ctx, cancel := context.WithTimeoutCause(ctx, helperTimeout, fmt.Errorf("no answer within %v", helperTimeout))
	defer cancel()
	found, err := client.Get(func(args ...string) client.Program {
		command := exec.CommandContext(ctx, name, args...)
		command.Env = f.environ
		if value(f.environ, "HOME") == "" { // which helpers need for files of their own
			command.Env = append(slices.Clone(f.environ), "HOME="+home(f.environ))
		}
		command.WaitDelay = time.Second
		return program{command}
	}, key)
	switch {
	case helpers.IsErrCredentialsNotFound(err):
		return c, nil
	case err != nil:
		return c, fmt.Errorf("asking the credential helper %s of %s for registry %s: %w", name, f.path, c.Host, reason(ctx, err))
	case found.Username == "<token>":
		c.IdentityToken = found.Secret
	default:
		c.User, c.Password = found.Username, found.Secret
	}
	return c, nil
}

// reason is why a helper failed.
func reason(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// program is a credential helper as the library wants it.
type program struct{ command *exec.Cmd }

func (p program) Input(in io.Reader) { p.command.Stdin = in }

// Output is what the helper prints. The library repeats it when the helper fails: what may be credentials is left out.
func (p program) Output() ([]byte, error) {
	out, err := p.command.Output()
	if err != nil && bytes.HasPrefix(bytes.TrimSpace(out), []byte("{")) {
		return nil, err
	}
	return out, err
}
