// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
)

// state is the ledger: one value per channel, chaincode name, collection and key. A later peer on the same directory
// finds it.
type state struct {
	file   string
	mutex  sync.Mutex
	values map[string][]byte
}

// write is a change made by a transaction.
type write struct {
	key    string
	value  []byte
	delete bool
}

func loadState(file string) (*state, error) {
	s := &state{file: file, values: map[string][]byte{}}
	raw, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading state: %w", err)
	}
	if err := json.Unmarshal(raw, &s.values); err != nil {
		return nil, fmt.Errorf("parsing state: %w", err)
	}
	return s, nil
}

// stateKey returns the key of a value. It is JSON because a key may contain any separator.
func stateKey(channel, name, collection, key string) string {
	raw, _ := json.Marshal([]string{channel, name, collection, key}) // strings always encode
	return string(raw)
}

func (s *state) get(key string) []byte {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.values[key]
}

func (s *state) commit(writes []write) error {
	if len(writes) == 0 {
		return nil
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for _, w := range writes {
		if w.delete {
			delete(s.values, w.key)
		} else {
			s.values[w.key] = w.value
		}
	}
	raw, err := json.Marshal(s.values)
	if err != nil {
		return fmt.Errorf("encoding state: %w", err)
	}
	if err := os.WriteFile(s.file, raw, 0o600); err != nil {
		return fmt.Errorf("writing state: %w", err)
	}
	return nil
}
