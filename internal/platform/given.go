// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"bytes"
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"fabric-builder-docker/internal/config"
	"fabric-builder-docker/internal/regular"
)

// Given is what a build gets from the operator besides its environment. None of it reaches an image, a volume or the
// configuration of a container: the secret parts come through the standard input of the build container into memory.
type Given struct {
	Secrets   []Secret // sorted by Place
	Variables []string // KEY=VALUE; those that may hold passwords
	Way       string   // a hash of all that decides how the build gets what it downloads; empty: nothing does
	ahead     []string // a command that takes the build's as further arguments: it drops the secrets; nil: the build has them
	CABundle  []byte   // certificates that the build trusts besides those of its image, in PEM; nil: none
}

// Secret is a file with a secret.
type Secret struct {
	Place   string // absolute, or beginning with ~/ for the home directory of the image's user
	Content []byte
	hash    string
}

// MaxSecrets is the limit of all secret files of a build together, in bytes. Every engine accepts as much, in base64, for a
// container that does not run yet.
const MaxSecrets = 20 << 10

// maxCABundle limits the size of the CA bundle, in bytes. Those of operating systems have about 250 KB.
const maxCABundle = 4 << 20

// readGiven reads the secret files and the CA bundle.
func (r request) readGiven() (Given, error) {
	var given Given
	size := 0
	secrets := r.settings.Builder.Build.Secrets
	for _, place := range slices.Sorted(maps.Keys(secrets)) {
		content, err := regular.ReadFile(secrets[place], MaxSecrets)
		if err != nil {
			return Given{}, fmt.Errorf("reading the secret file for %s (builder.build.secrets): %w", place, err)
		}
		if size += len(content); size > MaxSecrets {
			return Given{}, fmt.Errorf("the secret files in builder.build.secrets have more than %d bytes together: a build cannot get more", MaxSecrets)
		}
		hash, err := hashSecret(place, content)
		if err != nil {
			return Given{}, err
		}
		given.Secrets = append(given.Secrets, Secret{place, content, hash})
	}
	if file := r.settings.Builder.Build.CABundle; file != "" {
		text, err := regular.ReadFile(file, maxCABundle)
		if err == nil {
			given.CABundle, err = certificates(text)
		}
		if err != nil {
			return Given{}, fmt.Errorf("reading the CA bundle %s (builder.build.caBundle): %w", file, err)
		}
	}
	return given, nil
}

// CheckGiven returns an error if a build could not get what the settings give to it.
func CheckGiven(settings config.Settings) error {
	_, err := request{settings: settings}.readGiven()
	return err
}

// certificates returns the certificates in a PEM file without the text around them, which not every tool can read.
func certificates(text []byte) ([]byte, error) {
	var all bytes.Buffer
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue // a private key, for example, is not for builds
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return nil, err
		}
		if err := pem.Encode(&all, &pem.Block{Type: block.Type, Bytes: block.Bytes}); err != nil {
			return nil, err
		}
	}
	if all.Len() == 0 {
		return nil, errors.New("it holds no certificate: expected PEM")
	}
	return all.Bytes(), nil
}

// hashIterations makes it slow to guess a weak password from the name of a volume or an image: about 20 ms for each try.
const hashIterations = 100_000

func hashSecret(place string, content []byte) (string, error) {
	key, err := pbkdf2.Key(sha256.New, string(content), []byte("fabric-builder-docker "+place), hashIterations, sha256.Size)
	if err != nil {
		return "", fmt.Errorf("hashing the secret file for %s: %w", place, err)
	}
	return hex.EncodeToString(key), nil
}

// key identifies what is given. Builds share a cache or a snapshot only if they are given the same: these may hold what only
// its owner may download.
func (g Given) key() []string {
	var key []string
	for _, secret := range g.Secrets {
		key = append(key, "secret "+secret.Place+"="+secret.hash)
	}
	if g.CABundle != nil {
		sum := sha256.Sum256(g.CABundle)
		key = append(key, "CA bundle="+hex.EncodeToString(sum[:]))
	}
	return key
}

// loginFiles are the names of files that only hold names and passwords.
var loginFiles = []string{".netrc", "_netrc", ".git-credentials"}

// digestInputs returns the secret files that can change the result of a build: a settings.xml or an .npmrc also configures.
func (g Given) digestInputs(r request) []string {
	var inputs []string
	for _, secret := range g.Secrets {
		if !slices.Contains(loginFiles, path.Base(secret.Place)) && !r.isTransport(secret.Place) {
			inputs = append(inputs, "secret "+secret.Place+"="+secret.hash)
		}
	}
	return inputs
}

// give completes a plan of a build in a container by what the operator gives to it. A build with C, which may run any code of
// the package and has no network, gets nothing; the step before, which collects its modules, does.
func (r request) give(plan *Plan) error {
	given, err := r.readGiven()
	if err != nil {
		return err
	}
	plan.DigestInputs = append(plan.DigestInputs, given.digestInputs(r)...)
	if plan.Snapshot != nil {
		plan.Snapshot.Environment = append(plan.Snapshot.Environment, given.key()...)
	}
	if given.Way, err = r.way(*plan, given); err != nil {
		return err
	}
	plan.setGiven(given)
	if plan.WithC != nil && plan.WithC.Modules != nil {
		plan.WithC.Modules.setGiven(given)
	}
	return nil
}

// way returns the hash for [Given]. It is slow to compute if it may be that of a password.
func (r request) way(plan Plan, given Given) (string, error) {
	parts, private := given.key(), len(given.Secrets) > 0
	for _, variable := range plan.Environment {
		if name, _, _ := strings.Cut(variable, "="); r.isTransport(name) {
			parts, private = append(parts, variable), private || isPrivate(variable)
		}
	}
	if len(parts) == 0 {
		return "", nil
	}
	slices.Sort(parts)
	text := strings.Join(parts, "\n")
	if !private { // nearly always: each build has it, also if the image exists
		sum := sha256.Sum256([]byte(text))
		return hex.EncodeToString(sum[:8]), nil
	}
	hash, err := hashSecret("way", []byte(text))
	return hash[:min(len(hash), 16)], err
}

func (p *Plan) setGiven(given Given) {
	for i := range p.Caches {
		p.Caches[i].Environment = append(p.Caches[i].Environment, given.key()...)
	}
	given.Variables = slices.DeleteFunc(slices.Clone(p.Environment), func(variable string) bool { return !isPrivate(variable) })
	if p.Type == "java" {
		given.Variables = append(given.Variables, javaProxies(p.Environment)...)
	}
	p.Environment = slices.DeleteFunc(slices.Clone(p.Environment), isPrivate)
	p.Given = given
	if isGoBuild := p.WithC != nil; isGoBuild && len(given.Input()) > 0 {
		p.Given.ahead = append([]string{"/bin/sh", "-c", goFetch, "fetch"}, p.Command[4:4+goEntered]...)
	}
}

var (
	// privateName matches names of variables that usually hold a secret.
	privateName = regexp.MustCompile(`(?i)token|password|passwd|secret|_auth`)
	// userInURL matches a URL that may hold a password.
	userInURL = regexp.MustCompile(`://[^/\s]+@`)
	// shellName matches the names of variables that a shell can set.
	shellName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)
)

// isPrivate reports whether a variable may hold a secret, which "docker inspect" must not show: its name says so, or it holds a
// URL with a password.
func isPrivate(variable string) bool {
	name, value, _ := strings.Cut(variable, "=")
	switch {
	case !shellName.MatchString(name):
		return false
	case slices.Contains(proxies, name):
		return strings.Contains(value, "@") // it may do without a scheme
	}
	return privateName.MatchString(name) || userInURL.MatchString(value)
}
