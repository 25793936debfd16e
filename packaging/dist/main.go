// SPDX-License-Identifier: Apache-2.0

// dist writes what a release has for one platform: a tarball with the programs, and an archive of an image with them. The
// programs must have been built. The same files give the same bytes. "make dist" calls it.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// name begins the names of all release files, and is that of the image.
const name = "fabric-builder-docker"

// phases are the programs.
var phases = []string{"detect", "build", "release", "run"}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "dist:", err)
		os.Exit(1)
	}
}

// release is what to write.
type release struct {
	source       string // the module's directory
	programs     string // the directory of the built programs
	architecture string
	version      string
	commit       string // empty: unknown
	date         time.Time
	out          string // the directory to write to
}

func run(args []string) error {
	var r release
	flags := flag.NewFlagSet("dist", flag.ContinueOnError)
	flags.StringVar(&r.source, "source", ".", "the module's `directory`")
	flags.StringVar(&r.programs, "programs", "", "the `directory` of the built programs")
	flags.StringVar(&r.architecture, "architecture", "", "their `architecture`, in Go's words")
	flags.StringVar(&r.version, "version", "", "their `version`")
	flags.StringVar(&r.commit, "commit", "", "the `commit` they were built of")
	flags.StringVar(&r.out, "out", "dist", "the `directory` to write to")
	seconds := flags.Int64("date", 0, "the date of all files, in `seconds` since 1970")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 || r.programs == "" || r.architecture == "" || r.version == "" {
		return errors.New("expected -programs, -architecture, -version, and no arguments")
	}
	r.date = time.Unix(*seconds, 0).UTC()
	if err := r.writeTarball(); err != nil {
		return err
	}
	return r.writeImage()
}

// base returns the beginning of the names of the release files, and the only directory at the top of the tarball.
func (r release) base() string {
	return fmt.Sprintf("%s-%s-linux-%s", name, r.version, r.architecture)
}

// file is a file of a release.
type file struct {
	name       string
	path       string // where its content is
	executable bool
}

// installed returns the files that an operator needs, as packaging/Dockerfile has them as well.
func (r release) installed() []file {
	var files []file
	for _, phase := range phases {
		files = append(files, file{"bin/" + phase, filepath.Join(r.programs, phase), true})
	}
	return append(files,
		file{name: "config.yaml", path: filepath.Join(r.source, "packaging", "config.yaml")},
		file{name: "LICENSE", path: filepath.Join(r.source, "LICENSE")},
		file{name: "NOTICE", path: filepath.Join(r.source, "NOTICE")},
	)
}

// documents returns the README, and what it links to. Hidden files are an editor's.
func (r release) documents() ([]file, error) {
	files := []file{{name: "README.md", path: filepath.Join(r.source, "README.md")}}
	err := filepath.WalkDir(filepath.Join(r.source, "docs"), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() || strings.HasPrefix(entry.Name(), ".") {
			return err
		}
		relative, err := filepath.Rel(r.source, path)
		files = append(files, file{name: filepath.ToSlash(relative), path: path})
		return err
	})
	return files, err
}
