package config

import (
	"io/fs"
	"os"
	"reflect"
	"testing"
)

// The tests' settings must not depend on a peer that this machine may have.
func TestMain(m *testing.M) {
	coreDirs, mountinfo = nil, os.DevNull
	os.Exit(m.Run())
}

// UseCoreDirs makes these the directories where core.yaml is looked for.
func UseCoreDirs(t *testing.T, dirs ...string) {
	before := coreDirs
	t.Cleanup(func() { coreDirs = before })
	coreDirs = dirs
}

// UseMounts makes this file the list of mounts.
func UseMounts(t *testing.T, path string) {
	before := mountinfo
	t.Cleanup(func() { mountinfo = before })
	mountinfo = path
}

// CloseFile makes a file unreadable, for root as well.
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

// Value is the value of a key; nil for a pointer that is nil.
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
