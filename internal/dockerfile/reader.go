// SPDX-License-Identifier: Apache-2.0

package dockerfile

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

// The instructions that this package looks at.
const (
	arg       = "arg"
	from      = "from"
	copyFiles = "copy"
	add       = "add"
	run       = "run"
	onbuild   = "onbuild"
)

// scratch is the base of stages without one.
const scratch = "scratch"

// reader collects what the instructions of a Dockerfile use.
type reader struct {
	parser *parser
	podman bool
	words  *shell.Lex
	args   arguments // those in front of the first stage, which FROM may use
	stages []stage
	mounts bool
	remote string
}

// add adds an instruction. What ONBUILD holds counts for the stage that it is in: that finds more, and never less, than what
// the stages do that have this stage as their base.
func (r *reader) add(i *instruction) error {
	switch i.name {
	case arg:
		if len(r.stages) == 0 {
			return r.addArguments(i)
		}
	case from:
		return r.addStage(i)
	case add:
		if r.remote == "" {
			r.remote = remoteSource(i.rest)
		}
		return r.addSources(i)
	case copyFiles, run:
		return r.addSources(i)
	case onbuild:
		if inner := r.parser.nested(i); inner != nil {
			return r.add(inner)
		}
	}
	return nil
}

func (r *reader) addArguments(i *instruction) error {
	for _, word := range r.parser.splitWords(i.rest) {
		name, value, hasDefault := strings.Cut(word, "=")
		if given, ok := r.args.given[name]; ok {
			r.args.values[name] = given
			continue
		}
		if !hasDefault {
			continue
		}
		value, err := r.expand(value)
		if err != nil {
			return err
		}
		r.args.values[name] = value
	}
	return nil
}

func (r *reader) addStage(i *instruction) error {
	words := space.Split(i.rest, -1)
	base, err := r.expand(words[0])
	if err != nil {
		return err
	}
	if base == "" {
		return fmt.Errorf("FROM %s names no image: a build argument that it uses has no value (see builder.buildArgs)", i.rest)
	}
	added := stage{sources: []reference{{name: base}}}
	if len(words) == 3 && strings.EqualFold(words[1], "as") {
		added.name = strings.ToLower(words[2])
	}
	r.stages = append(r.stages, added)
	return nil
}

func (r *reader) expand(word string) (string, error) {
	expanded, _, err := r.words.ProcessWord(word, r.args)
	return expanded, err
}

// plainFlag matches a flag that all engines read alike. It has been parsed already, so quotes in it were escaped.
var plainFlag = regexp.MustCompile("^[^\"'\\\\`\\x80-\\x{10FFFF}]*$")

// addSources adds the images and stages that an instruction reads files of.
func (r *reader) addSources(i *instruction) error {
	for _, flag := range i.flags {
		key, value, _ := strings.Cut(strings.TrimPrefix(flag, "--"), "=")
		if !plainFlag.MatchString(flag) {
			return fmt.Errorf("quotes, escapes and characters other than ASCII are not supported in %q, "+
				"because engines read them in different ways", flag)
		}
		var err error
		switch strings.ToLower(key) {
		case "from":
			err = r.addSource(value, true)
		case "mount":
			err = r.addMount(value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// remote matches what ADD downloads, and variables, which may hold that.
var remote = regexp.MustCompile(`\$|://|@.*:|^github\.com/|\.git(#|$)`)

// remoteSource returns the first source of ADD that may be remote.
func remoteSource(rest string) string {
	var words []string
	if json.Unmarshal([]byte(rest), &words) != nil {
		words = strings.Fields(rest)
	}
	for n, word := range words {
		plain := strings.NewReplacer(`"`, "", "'", "", `\`, "", "`", "").Replace(word)
		if n < len(words)-1 && remote.MatchString(plain) {
			return word
		}
	}
	return ""
}

func (r *reader) addSource(name string, indexed bool) error {
	switch {
	case strings.Contains(name, "$"): // BuildKit expands nothing here, other engines may
		return fmt.Errorf("variables are not supported in from=%s: begin a stage with FROM and use its name", name)
	case name == "", len(r.stages) == 0: // the engine will complain
		return nil
	}
	current := &r.stages[len(r.stages)-1]
	current.sources = append(current.sources, reference{name, indexed})
	return nil
}

// addMount adds what a mount uses. Without a type, it is a bind mount.
func (r *reader) addMount(mount string) error {
	if r.podman && strings.Contains(mount, "$") {
		return fmt.Errorf("variables are not supported in --mount=%s", mount)
	}
	harmless := false
	for field := range strings.SplitSeq(mount, ",") {
		key, value, _ := strings.Cut(field, "=")
		switch strings.ToLower(strings.TrimSpace(key)) {
		case "from":
			if err := r.addSource(value, false); err != nil {
				return err
			}
		case "type":
			harmless = slices.Contains([]string{"tmpfs", "secret", "ssh"}, strings.ToLower(value))
			r.mounts = r.mounts || !harmless // even if another type follows
		}
	}
	r.mounts = r.mounts || !harmless
	return nil
}
