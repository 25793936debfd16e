package metadata

import (
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// ConnectionFile is the file that says how the peer connects to a chaincode that runs as a service: at the root of a
// package, in OUTPUT_DIR, and in releasedServer of RELEASE_DIR.
const ConnectionFile = "connection.json"

// releasedServer is where the peer looks for it. When it is there, the peer never calls run.
var releasedServer = filepath.Join("chaincode", "server")

// Connection is what connection.json says. Fields that this program does not know are kept.
type Connection struct {
	Address            string   `json:"address"` // host:port
	Domain             string   `json:"domain,omitempty"`
	DialTimeout        Duration `json:"dial_timeout,omitempty"`
	TLSRequired        bool     `json:"tls_required"`
	ClientAuthRequired bool     `json:"client_auth_required,omitempty"`
	ClientKey          string   `json:"client_key,omitempty"` // PEM, as the two below
	ClientCert         string   `json:"client_cert,omitempty"`
	RootCert           string   `json:"root_cert,omitempty"`

	others map[string]json.RawMessage
}

// Duration is a time as connection.json has it: a text such as 10s. A number of nanoseconds is one as well, in a file.
type Duration string

// UnmarshalJSON reads a text or a number.
func (d *Duration) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		return nil
	}
	var nanoseconds float64
	if err := json.Unmarshal(data, &nanoseconds); err == nil {
		*d = Duration(time.Duration(nanoseconds).String())
		return nil
	}
	return json.Unmarshal(data, (*string)(d))
}

// ReadConnection reads connection.json in a directory. Check is the caller's: what a package holds are templates.
func ReadConnection(dir string) (Connection, error) {
	path := filepath.Join(dir, ConnectionFile)
	var c Connection
	if err := readJSON(path, &c); err != nil {
		return Connection{}, err
	}
	if err := readJSON(path, &c.others); err != nil {
		return Connection{}, err
	}
	maps.DeleteFunc(c.others, func(name string, _ json.RawMessage) bool { return isConnectionField(name) })
	return c, nil
}

// isConnectionField says whether a key is one of the known ones, which encoding/json matches without regard to case.
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

// Render passes every text of a connection through a function, as templates. Without TLS there are no keys and
// certificates to render, and none are kept.
func (c Connection) Render(render func(text string) (string, error)) (Connection, error) {
	texts := []struct {
		name string
		text *string
	}{
		{"address", &c.Address}, {"domain", &c.Domain}, {"dial_timeout", (*string)(&c.DialTimeout)},
		{"root_cert", &c.RootCert}, {"client_cert", &c.ClientCert}, {"client_key", &c.ClientKey},
	}
	if !c.TLSRequired {
		c.ClientAuthRequired, c.RootCert, c.ClientCert, c.ClientKey = false, "", "", ""
		texts = texts[:3]
	}
	for _, t := range texts {
		rendered, err := render(*t.text)
		if err != nil {
			return Connection{}, fmt.Errorf("rendering %q of %s: %w", t.name, ConnectionFile, err)
		}
		*t.text = rendered
	}
	return c, nil
}

// Check says why a peer could not connect. It never shows a key.
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
	host, port, err := net.SplitHostPort(c.Address)
	if number, portErr := strconv.Atoi(port); err != nil || portErr != nil || host == "" || number < 1 || number > 65535 {
		return fmt.Errorf("%q is %q: expected host:port", "address", c.Address)
	}
	if c.DialTimeout != "" {
		if timeout, err := time.ParseDuration(string(c.DialTimeout)); err != nil || timeout < 0 {
			return fmt.Errorf("%q is %q: expected a duration such as 10s", "dial_timeout", c.DialTimeout)
		}
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

// checkPEM wants at least one block of that kind.
func checkPEM(name, text, reason, kind string) error {
	if text == "" {
		return fmt.Errorf("%q is missing, and %q is true", name, reason)
	}
	for rest := []byte(text); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return fmt.Errorf("%q holds no %s in PEM", name, strings.ToLower(kind))
		}
		if strings.HasSuffix(block.Type, kind) {
			return nil
		}
	}
}

// Write writes connection.json into a directory, for its owner alone: there may be a key in it.
func (c Connection) Write(dir string) error {
	path := filepath.Join(dir, ConnectionFile)
	fail := func(err error) error { return fmt.Errorf("writing %s: %w", path, reason(err)) }
	known, err := json.Marshal(c)
	if err != nil {
		return fail(err)
	}
	all := maps.Clone(c.others)
	if err := json.Unmarshal(known, &all); err != nil {
		return fail(err)
	}
	data, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return fail(err)
	}
	if err := os.WriteFile(path, append(data, '\n'), 0o600); err != nil {
		return fail(err)
	}
	return nil
}

// Release hands a build to the peer: the indexes of the state database, and the connection of a chaincode that runs as
// a service, where there is one. It checks everything before it writes anything.
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
		return fmt.Errorf("making %s: %w", dir, reason(err))
	}
	return connection.Write(dir)
}
