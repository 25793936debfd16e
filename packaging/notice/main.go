// SPDX-License-Identifier: Apache-2.0

// notice DIR prints the notices and licences of everything that the four programs link: the modules of the module in DIR, and
// Go's standard library. "make notice" writes them to the file NOTICE.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

const header = `fabric-builder-docker
Copyright the authors of fabric-builder-docker

Licensed under the Apache License, Version 2.0: see the file LICENSE.

The programs contain the software listed here. Below the list are its notices and licences, each text once, under the names of
all that come with it.

`

const rule = "================================================================================\n"

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "notice:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	if len(args) != 1 {
		return errors.New("expected the module's directory")
	}
	texts, err := collect(args[0])
	if err != nil {
		return err
	}
	_, err = io.WriteString(out, format(texts))
	return err
}

// module is what a linked package belongs to.
type module struct {
	Path    string
	Version string
	Dir     string
	Main    bool
}

// text is a notice or a licence.
type text struct {
	owner string // module and version
	name  string // the file, below the module
	body  string
}

// collect returns the texts of all packages that the programs link on any of the platforms of a release: those in the
// directory of each package and in the directories above it, up to the module's.
func collect(dir string) ([]text, error) {
	dirs := map[string]module{} // directory of a package -> its module
	for _, architecture := range []string{"amd64", "arm64"} {
		if err := listPackages(dir, architecture, dirs); err != nil {
			return nil, err
		}
	}
	goroot, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return nil, fmt.Errorf("finding Go's sources: %w", err)
	}
	found := map[string]text{}
	standard := module{Path: "Go standard library", Dir: strings.TrimSpace(string(goroot))}
	if err := readTexts(standard.Dir, standard, found); err != nil {
		return nil, err
	}
	for dir, module := range dirs {
		for ; strings.HasPrefix(dir, module.Dir); dir = filepath.Dir(dir) {
			if err := readTexts(dir, module, found); err != nil {
				return nil, err
			}
		}
	}
	if err := checkComplete(dirs, found); err != nil {
		return nil, err
	}
	return slices.SortedFunc(maps.Values(found), func(a, b text) int {
		return strings.Compare(a.owner+"\n"+a.name, b.owner+"\n"+b.name)
	}), nil
}

// listPackages adds the packages of other modules that the programs link.
func listPackages(dir, architecture string, dirs map[string]module) error {
	cmd := exec.Command("go", "list", "-deps", "-json=Dir,Module", "./cmd/...")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+architecture)
	cmd.Stderr = os.Stderr
	output, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("listing packages: %w", err)
	}
	for decoder := json.NewDecoder(bytes.NewReader(output)); ; {
		var found struct {
			Dir    string
			Module *module
		}
		err := decoder.Decode(&found)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("parsing the list of packages: %w", err)
		}
		if found.Module != nil && !found.Module.Main {
			dirs[found.Dir] = *found.Module
		}
	}
}

// wanted are the files to look for. LICENSE.docs of go-digest is left out: the programs contain no documentation.
var wanted = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|patents)(\.(md|txt|libyaml))?$`)

func readTexts(dir string, module module, found map[string]text) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("reading the sources of %s: %w", module.Path, err)
	}
	for _, entry := range entries {
		if !wanted.MatchString(entry.Name()) || entry.IsDir() {
			continue
		}
		path := filepath.Join(dir, entry.Name())
		body, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("reading a licence of %s: %w", module.Path, err)
		}
		name, err := filepath.Rel(module.Dir, path)
		if err != nil {
			return err
		}
		found[path] = text{owner: strings.TrimSpace(module.Path + " " + module.Version), name: name, body: string(body)}
	}
	return nil
}

// checkComplete reports a module without a licence in its top directory.
func checkComplete(dirs map[string]module, found map[string]text) error {
	licensed := map[string]bool{}
	for path := range found {
		if name := strings.ToLower(filepath.Base(path)); strings.HasPrefix(name, "licen") || strings.HasPrefix(name, "copying") {
			licensed[filepath.Dir(path)] = true
		}
	}
	for _, module := range dirs {
		if !licensed[module.Dir] {
			return fmt.Errorf("finding the licence of %s in %s: %w", module.Path, module.Dir, fs.ErrNotExist)
		}
	}
	return nil
}

// format lists the owners, and writes each text once below the names of the files that have it.
func format(texts []text) string {
	var out, owners strings.Builder
	files := map[string][]string{} // text without its line breaks -> files that have it
	bodies := map[string]string{}
	var order []string
	last := ""
	for _, t := range texts {
		key := strings.Join(strings.Fields(t.body), " ")
		if files[key] == nil {
			order = append(order, key)
			bodies[key] = t.body
		}
		files[key] = append(files[key], t.owner+": "+filepath.ToSlash(t.name))
		if t.owner != last {
			fmt.Fprintf(&owners, "  %s\n", t.owner)
			last = t.owner
		}
	}
	out.WriteString(header + owners.String())
	for _, key := range order {
		body := strings.Trim(strings.ReplaceAll(bodies[key], "\r\n", "\n"), "\n")
		fmt.Fprintf(&out, "\n%s%s\n%s\n%s\n", rule, strings.Join(files[key], "\n"), rule, body)
	}
	return out.String()
}
