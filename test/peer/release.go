// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"time"
)

var indexFile = regexp.MustCompile(`^statedb/couchdb/(collections/[A-Za-z0-9_-]+/)?indexes/.*[.]json$`)

// Indexes returns the CouchDB index files in RELEASE_DIR, by their path in it. Like the peer, it fails if anything is
// not a regular file.
func (b Build) Indexes() (map[string][]byte, error) {
	found := map[string][]byte{}
	err := filepath.WalkDir(b.Release, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		if !entry.Type().IsRegular() {
			return fmt.Errorf("%s is not a regular file", path)
		}
		name, err := filepath.Rel(b.Release, path)
		if err != nil || !indexFile.MatchString(name) {
			return err
		}
		found[name], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading release: %w", err)
	}
	return found, nil
}

// Connection is the connection.json of a chaincode that runs as a server.
type Connection struct {
	Address            string   `json:"address"`
	Domain             string   `json:"domain"`
	DialTimeout        Duration `json:"dial_timeout"`
	TLSRequired        bool     `json:"tls_required"`
	ClientAuthRequired bool     `json:"client_auth_required"`
	ClientKey          string   `json:"client_key"`
	ClientCert         string   `json:"client_cert"`
	RootCert           string   `json:"root_cert"`
}

// Duration is a time.Duration that is "10s" or a number of nanoseconds in JSON.
type Duration time.Duration

// UnmarshalJSON parses both forms.
func (d *Duration) UnmarshalJSON(raw []byte) error {
	var value any
	if err := json.Unmarshal(raw, &value); err != nil {
		return err
	}
	switch value := value.(type) {
	case float64:
		*d = Duration(value)
		return nil
	case string:
		parsed, err := time.ParseDuration(value)
		*d = Duration(parsed)
		return err
	default:
		return errors.New("invalid duration")
	}
}

// Connection reads connection.json as the peer does at a launch. It returns nil if there is none, in which case the
// peer calls run.
func (b Build) Connection() (*Connection, error) {
	raw, err := os.ReadFile(filepath.Join(b.Release, "chaincode", "server", "connection.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading connection.json: %w", err)
	}
	connection := &Connection{}
	if err := json.Unmarshal(raw, connection); err != nil {
		return nil, fmt.Errorf("parsing connection.json: %w", err)
	}
	if connection.DialTimeout == 0 {
		connection.DialTimeout = Duration(3 * time.Second)
	}
	return connection, connection.check()
}

func (c *Connection) check() error {
	switch {
	case c.Address == "":
		return errors.New("chaincode address not provided")
	case !c.TLSRequired:
		return nil
	case c.ClientAuthRequired && c.ClientKey == "":
		return errors.New("chaincode tls key not provided")
	case c.ClientAuthRequired && c.ClientCert == "":
		return errors.New("chaincode tls cert not provided")
	case c.RootCert == "":
		return errors.New("chaincode tls root cert not provided")
	default:
		return nil
	}
}
