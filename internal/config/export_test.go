// SPDX-License-Identifier: Apache-2.0

package config

import (
	"io/fs"
	"os"
	"reflect"
	"testing"

	"fabric-builder-docker/internal/host"
)

// TestMain keeps the tests independent of a peer that may be installed on this machine.
func TestMain(m *testing.M) {
	coreDirs, mountinfo, findPeer = nil, os.DevNull, noPeer
	os.Exit(m.Run())
}

func noPeer() (host.Peer, error) { return host.Peer{}, host.ErrNoPeer }

// UsePeer replaces the peer that is found, or the error.
func UsePeer(t *testing.T, peer host.Peer, err error) {
	t.Cleanup(func() { findPeer = noPeer })
	findPeer = func() (host.Peer, error) { return peer, err }
}

// UseCoreDirs replaces the directories that are searched for core.yaml.
func UseCoreDirs(t *testing.T, dirs ...string) {
	before := coreDirs
	t.Cleanup(func() { coreDirs = before })
	coreDirs = dirs
}

// UseMounts replaces the file that lists the mounts of this process.
func UseMounts(t *testing.T, path string) {
	before := mountinfo
	t.Cleanup(func() { mountinfo = before })
	mountinfo = path
}

// CloseFile makes a file unreadable, even for root.
func CloseFile(t *testing.T, path string) {
	before := readFile
	t.Cleanup(func() { readFile = before })
	readFile = func(name string) ([]byte, error) {
		if name == path {
			return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
		}
		return before(name)
	}
}

// Value returns the value of a key, or nil for a nil pointer.
func (k Key) Value() any {
	value := k.value
	if value.Kind() == reflect.Pointer {
		if value.IsNil() {
			return nil
		}
		value = value.Elem()
	}
	return value.Interface()
}
