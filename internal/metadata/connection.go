// SPDX-License-Identifier: Apache-2.0

package metadata

import (
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"fabric-builder-docker/internal/regular"
)

// ConnectionFile is the name of the file that tells the peer how to connect to chaincode that runs as a service. It is
// at the root of a package, in OUTPUT_DIR, and in releasedServer below RELEASE_DIR.
const ConnectionFile = "connection.json"

// releasedServer is the directory below RELEASE_DIR where the peer looks for connection.json. If it finds one, it never
// calls run.
var releasedServer = filepath.Join("chaincode", "server")

// Connection holds the fields of connection.json. Unknown fields are preserved.
type Connection struct {
	Address            string   `json:"address"` // host:port, or another address that gRPC takes
	Domain             string   `json:"domain,omitempty"`
	DialTimeout        Duration `json:"dial_timeout,omitempty"`
	TLSRequired        bool     `json:"tls_required"`
	ClientAuthRequired bool     `json:"client_auth_required,omitempty"`
	ClientKey          string   `json:"client_key,omitempty"` // PEM, like the two below
	ClientCert         string   `json:"client_cert,omitempty"`
	RootCert           string   `json:"root_cert,omitempty"`

	unknown map[string]json.RawMessage
}

// Duration is a duration in the format of time.ParseDuration, such as 10s, or a template for one.
type Duration string

// UnmarshalJSON accepts a string or a number of nanoseconds.
func (d *Duration) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		return nil
	}
	var nanoseconds float64
	if err := json.Unmarshal(data, &nanoseconds); err == nil {
		if math.Abs(nanoseconds) >= math.MaxInt64 {
			return fmt.Errorf("%q is more than 292 years", "dial_timeout")
		}
		*d = Duration(time.Duration(nanoseconds).String())
		return nil
	}
	return json.Unmarshal(data, (*string)(d))
}

// ReadConnection reads connection.json in dir. It does not call Check, because the fields of a package's connection.json
// may be templates.
func ReadConnection(dir string) (Connection, error) {
	path := filepath.Join(dir, ConnectionFile)
	var c Connection
	if err := readJSON(path, &c); err != nil {
		return Connection{}, err
	}
	if err := readJSON(path, &c.unknown); err != nil {
		return Connection{}, err
	}
	maps.DeleteFunc(c.unknown, func(name string, _ json.RawMessage) bool { return isConnectionField(name) })
	return c, nil
}

// isConnectionField reports whether name is a known key. Like encoding/json, it ignores case.
func isConnectionField(name string) bool {
	fields := reflect.TypeFor[Connection]()
	for i := range fields.NumField() {
		tag, _, _ := strings.Cut(fields.Field(i).Tag.Get("json"), ",")
		if tag != "" && strings.EqualFold(tag, name) {
			return true
		}
	}
	return false
}

// Render returns the connection with every string field replaced by the result of render. If TLS is not required, it
// removes the key and the certificates instead of rendering them. Its errors show what the package says, and never a result,
// which may contain an operator's values.
func (c Connection) Render(render func(text string) (string, error)) (Connection, error) {
	fields := []struct {
		name  string
		text  *string
		check func(text string) error // nil: not checked alone
	}{
		{"address", &c.Address, checkAddress}, {"domain", &c.Domain, nil}, {"dial_timeout", (*string)(&c.DialTimeout), checkTimeout},
		{"root_cert", &c.RootCert, nil}, {"client_cert", &c.ClientCert, nil}, {"client_key", &c.ClientKey, nil},
	}
	if !c.TLSRequired {
		c.ClientAuthRequired, c.RootCert, c.ClientCert, c.ClientKey = false, "", "", ""
		fields = fields[:3]
	}
	for _, field := range fields {
		rendered, err := render(*field.text)
		if err != nil {
			return Connection{}, fmt.Errorf("rendering %q of %s: %w", field.name, ConnectionFile, err)
		}
		if *field.text != "" && field.check != nil {
			if err := field.check(rendered); err != nil {
				return Connection{}, fmt.Errorf("checking %s: invalid %q %.100q: %w", ConnectionFile, field.name, *field.text, err)
			}
		}
		*field.text = rendered
	}
	return c, nil
}

// IsTooFast reports whether the peer would give up before any connection can be made: a number without a unit counts
// nanoseconds. Without a time-out, the peer waits for 3 seconds.
func (c Connection) IsTooFast() bool {
	timeout, err := time.ParseDuration(string(c.DialTimeout))
	return err == nil && timeout > 0 && timeout < time.Millisecond
}

// Check returns an error if a peer could not use the connection. The error contains nothing of the fields' content.
func (c Connection) Check() error {
	if err := c.check(); err != nil {
		return fmt.Errorf("checking %s: %w", ConnectionFile, err)
	}
	return nil
}

func (c Connection) check() error {
	if c.Address == "" {
		return fmt.Errorf("%q is missing: expected host:port", "address")
	}
	if err := checkAddress(c.Address); err != nil {
		return fmt.Errorf("invalid %q: %w", "address", err)
	}
	if err := checkTimeout(string(c.DialTimeout)); err != nil {
		return fmt.Errorf("invalid %q: %w", "dial_timeout", err)
	}
	if !c.TLSRequired {
		return nil
	}
	if err := checkPEM("root_cert", c.RootCert, "tls_required", "CERTIFICATE"); err != nil || !c.ClientAuthRequired {
		return err
	}
	return errors.Join(
		checkPEM("client_key", c.ClientKey, "client_auth_required", "PRIVATE KEY"),
		checkPEM("client_cert", c.ClientCert, "client_auth_required", "CERTIFICATE"),
	)
}

// checkTimeout returns an error without the value, which may be an operator's.
func checkTimeout(text string) error {
	if timeout, err := time.ParseDuration(text); text != "" && (err != nil || timeout < 0) {
		return errors.New("expected a duration such as 10s")
	}
	return nil
}

// checkPEM returns an error unless text contains at least one PEM block of the given kind. requiredBy is the field that
// makes it mandatory.
func checkPEM(name, text, requiredBy, kind string) error {
	if text == "" {
		return fmt.Errorf("%q is missing: it is required because %q is true", name, requiredBy)
	}
	for rest := []byte(text); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return fmt.Errorf("%q contains no PEM %s", name, strings.ToLower(kind))
		}
		if strings.HasSuffix(block.Type, kind) {
			return nil
		}
	}
}

// Write writes connection.json to dir. Only its owner can read it, since it may contain a key.
func (c Connection) Write(dir string) error {
	path := filepath.Join(dir, ConnectionFile)
	fail := func(err error) error { return fmt.Errorf("writing %s: %w", path, reason(err)) }
	known, err := json.Marshal(c)
	if err != nil {
		return fail(err)
	}
	all := maps.Clone(c.unknown)
	if err := json.Unmarshal(known, &all); err != nil {
		return fail(err)
	}
	data, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return fail(err)
	}
	if err := regular.WriteFile(path, append(data, '\n'), 0o600); err != nil {
		return fail(err)
	}
	return nil
}

// Release copies the state database indexes and, for chaincode as a service, connection.json from OUTPUT_DIR to
// RELEASE_DIR. It checks everything before it writes anything.
func Release(outputDir, releaseDir string) error {
	if absent(filepath.Join(outputDir, ConnectionFile)) {
		return ReleaseStateDB(outputDir, releaseDir)
	}
	connection, err := ReadConnection(outputDir)
	if err != nil {
		return err
	}
	if err := connection.Check(); err != nil {
		return err
	}
	if err := ReleaseStateDB(outputDir, releaseDir); err != nil {
		return err
	}
	dir := filepath.Join(releaseDir, releasedServer)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("creating %s: %w", dir, reason(err))
	}
	return connection.Write(dir)
}
