// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"fabric-builder-docker/test/peer"
)

// sample is a chaincode in testdata/chaincodes, and the text in it that a new version changes.
type sample struct{ packageType, dir, file, text string }

var (
	goSample   = sample{"golang", "go", "main.go", "kv: starting"}
	nodeSample = sample{"node", "node", "lib/kv.js", "no value for key"}
	javaSample = sample{"java", "java", "src/main/java/org/example/kv/KV.java", "no value for key"}

	kvModulesSample = sample{"java", "java-kv-modules", "contract/src/main/java/org/example/kv/KV.java", "no value for key"}
	modulesSample   = sample{"java", "java-modules", "app/src/main/java/org/example/app/Main.java", "last words"}
)

// sources holds directories with chaincodes, each created once.
type sources struct{ dir string }

// plain returns the unchanged sample.
func (s sources) plain(of sample) string { return filepath.Join("testdata", "chaincodes", of.dir) }

// changed returns a changed copy of a source, created at the first call.
func (s sources) changed(name, from string, change func(dir string) error) (string, error) {
	dir := filepath.Join(s.dir, name)
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	half := dir + ".half"
	if err := errors.Join(os.RemoveAll(half), os.CopyFS(half, os.DirFS(from))); err != nil {
		return "", fmt.Errorf("copying a chaincode: %w", err)
	}
	if err := change(half); err != nil {
		return "", fmt.Errorf("making %q: %w", name, err)
	}
	return dir, os.Rename(half, dir)
}

// goWithDependency needs one more module.
func (s sources) goWithDependency(ctx context.Context) (string, error) {
	return s.changed("go-dependency", s.plain(goSample), func(dir string) error {
		const code = "package main\n\nimport \"github.com/google/uuid\"\n\nvar token = uuid.NewString()\n"
		if err := os.WriteFile(filepath.Join(dir, "token.go"), []byte(code), 0o644); err != nil {
			return err
		}
		return tool(ctx, dir, "go", "mod", "tidy")
	})
}

// goVendored contains its modules.
func (s sources) goVendored(ctx context.Context) (string, error) {
	return s.changed("go-vendored", s.plain(goSample), func(dir string) error { return tool(ctx, dir, "go", "mod", "vendor") })
}

// goOther is another module with other packages, which needs the same modules.
func (s sources) goOther() (string, error) {
	return s.changed("go-other", s.plain(goSample), func(dir string) error { return replaceAll(dir, "example.com/kv", "example.com/other") })
}

// nodeWithDependency needs one more package, so package.json and the lock file differ.
func (s sources) nodeWithDependency(ctx context.Context) (string, error) {
	return s.changed("node-dependency", s.plain(nodeSample), func(dir string) error {
		return tool(ctx, dir, "npm", "install", "--package-lock-only", "--ignore-scripts", "--save-exact", "is-odd@3.0.1")
	})
}

// nodeOther has the same dependencies and another name, which is in package.json and the lock file.
func (s sources) nodeOther() (string, error) {
	return s.changed("node-other", s.plain(nodeSample), func(dir string) error {
		return replaceIn(dir, `"name": "kv"`, `"name": "other"`, "package.json", "package-lock.json")
	})
}

// nodeUnlocked has no lock file.
func (s sources) nodeUnlocked() (string, error) {
	return s.changed("node-unlocked", s.plain(nodeSample), func(dir string) error {
		return os.Remove(filepath.Join(dir, "package-lock.json"))
	})
}

// pack packs a source as the peer's CLI does, with a salt in its text that makes it new content.
func (s sources) pack(of sample, dir, label, salt string) ([]byte, error) {
	copied, err := os.MkdirTemp("", "bench-source")
	if err != nil {
		return nil, fmt.Errorf("copying a chaincode: %w", err)
	}
	defer os.RemoveAll(copied)
	if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
		return nil, fmt.Errorf("copying a chaincode: %w", err)
	}
	if salt != "" {
		if err := replaceIn(copied, of.text, salt+" "+of.text, of.file); err != nil {
			return nil, err
		}
	}
	var pkg bytes.Buffer
	err = peer.Pack(&pkg, peer.Source{Label: label, Path: ".", Type: of.packageType, CodeDir: copied})
	return pkg.Bytes(), err
}

// replaceIn replaces a text in files of a directory, each of which must contain it.
func replaceIn(dir, old, new string, names ...string) error {
	for _, name := range names {
		path := filepath.Join(dir, name)
		content, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("changing a chaincode: %w", err)
		}
		if !bytes.Contains(content, []byte(old)) {
			return fmt.Errorf("changing a chaincode: %s holds no %q", path, old)
		}
		if err := os.WriteFile(path, bytes.ReplaceAll(content, []byte(old), []byte(new)), 0o644); err != nil {
			return fmt.Errorf("changing a chaincode: %w", err)
		}
	}
	return nil
}

// replaceAll replaces all occurrences of a text in Go files and go.mod.
func replaceAll(dir, old, new string) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".go" && entry.Name() != "go.mod" {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(path, bytes.ReplaceAll(content, []byte(old), []byte(new)), 0o644)
	})
}

// tool runs a language's own tool on this machine.
func tool(ctx context.Context, dir, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("running %s %s: %w\n%s", name, strings.Join(args, " "), err, said)
	}
	return nil
}
