// SPDX-License-Identifier: Apache-2.0

package test_test

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// external lists the commands of others that the documentation may show.
var external = []string{
	"apt-get", "cd", "cp", "curl", "docker", "docker-compose", "echo", "export", "git", "grep", "install", "ln", "mkdir", "mv", "peer", "rm", "sh", "sha256sum", "stat", "sudo", "tar",
	"./network.sh", "usermod", "sysctl", "systemctl",
}

// phases are the programs of this module that operators call.
var phases = []string{"detect", "build", "release", "run"}

// commands checks the commands of documentation against what they name.
type commands struct {
	help    func(program string) string
	targets map[string]bool
	makeful string // the Makefile
}

func newCommands(t *testing.T) commands {
	t.Helper()
	makefile, err := os.ReadFile("../Makefile")
	require.NoError(t, err)
	c := commands{targets: map[string]bool{}, makeful: string(makefile)}
	for _, match := range regexp.MustCompile(`(?m)^\.PHONY: (.*)$`).FindAllStringSubmatch(c.makeful, -1) {
		for _, target := range strings.Fields(match[1]) {
			c.targets[target] = true
		}
	}
	c.help = func(program string) string {
		text, known := helps.Load(program)
		if !known {
			text = helpOf(t, program)
			helps.Store(program, text)
		}
		return text.(string)
	}
	return c
}

// helps keeps what helpOf has returned: the programs are built once.
var helps sync.Map

// sources has the packages of the programs that the documentation calls.
var sources = map[string]string{
	"detect": "./cmd/detect", "build": "./cmd/build", "release": "./cmd/release", "run": "./cmd/run",
	"withengine": "./test/withengine", "testpeer": "./test/peer/cmd/testpeer", "faults": "./test/faults", "bench": "./test/bench",
}

// helpOf returns the help of a program, and of its command if the name has a second word.
func helpOf(t *testing.T, program string) string {
	t.Helper()
	words := strings.Fields(program)
	file := filepath.Join(t.TempDir(), words[0])
	build := exec.Command("go", "build", "-o", file, sources[words[0]])
	build.Dir = ".."
	output, err := build.CombinedOutput()
	require.NoError(t, err, string(output))
	help := exec.Command(file, append(words[1:], "--help")...)
	var text bytes.Buffer
	help.Stdout, help.Stderr = &text, &text
	require.NoError(t, help.Run(), text.String())
	return text.String()
}

// check returns what is wrong with a command line, such as "make test    # run all tests".
func (c commands) check(line string) []string {
	var wrong []string
	for _, command := range split(line) {
		wrong = append(wrong, c.checkCommand(command)...)
	}
	return wrong
}

// split splits a line into commands and their words, as a shell does with quotes, comments and the operators | & ; within.
// Brackets, which mark what may be left out, and "..." are dropped.
func split(line string) [][]string {
	var all [][]string
	var words []string
	var word strings.Builder
	var quote rune
	endWord := func() {
		if text := strings.Trim(word.String(), "[]()"); text != "" && text != "..." {
			words = append(words, text)
		}
		word.Reset()
	}
	endCommand := func() {
		if endWord(); len(words) > 0 {
			all = append(all, words)
		}
		words = nil
	}
	for _, r := range line {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '"' || r == '\''):
			quote = r
		case quote == 0 && r == '#' && word.Len() == 0:
			endCommand()
			return all
		case quote == 0 && strings.ContainsRune("|&;", r) && !strings.HasSuffix(word.String(), ">"): // not 2>&1
			endCommand()
		case quote == 0 && (r == ' ' || r == '\t'):
			endWord()
		default:
			word.WriteRune(r)
		}
	}
	endCommand()
	return all
}

var (
	assignment = regexp.MustCompile(`^[A-Z_]+=`)
	flagWord   = regexp.MustCompile(`^--?[a-z]`)
)

func (c commands) checkCommand(args []string) []string {
	switch args = withoutPrefixes(args); {
	case len(args) > 2 && path.Base(args[0]) == "sh" && args[1] == "-c":
		return c.check(args[2])
	case len(args) == 0:
		return nil
	}
	wrong := missingFiles(args)
	name, rest := args[0], args[1:]
	base := path.Base(name)
	switch {
	case name == "make":
		return append(wrong, c.checkMake(rest)...)
	case name == "go":
		return append(wrong, checkGo(rest)...)
	case sources[base] != "":
		return append(wrong, c.checkFlags(base, rest)...)
	case name == "docker":
		for i, arg := range rest { // docker exec PEER …/bin/run --list, docker exec PEER sh -c '…'
			if strings.HasPrefix(arg, builderDir+"/bin/") || path.Base(arg) == "sh" {
				return append(wrong, c.checkCommand(rest[i:])...)
			}
		}
		return wrong
	case slices.Contains(external, name):
		return wrong
	}
	return append(wrong, "unknown command "+name)
}

// withoutPrefixes removes what may stand in front of a command: variables, and sudo with its user.
func withoutPrefixes(args []string) []string {
	for len(args) > 0 {
		switch {
		case len(args) > 2 && args[0] == "sudo" && args[1] == "-u":
			args = args[3:]
		case args[0] == "sudo" || assignment.MatchString(args[0]):
			args = args[1:]
		default:
			return args
		}
	}
	return args
}

// missingFiles returns the arguments that name a file of this module that does not exist.
func missingFiles(args []string) []string {
	var wrong []string
	for _, arg := range args {
		if _, value, ok := strings.Cut(arg, "="); ok {
			arg = value
		}
		arg = strings.TrimPrefix(strings.TrimPrefix(arg, "$FABRIC_BUILDER_DOCKER/"), "./")
		first, rest, _ := strings.Cut(arg, "/")
		if first == "bin" && !slices.Contains(phases, rest) && rest != "" {
			wrong = append(wrong, "no program "+arg)
		}
		if !slices.Contains([]string{"cmd", "docs", "internal", "packaging", "test", "testdata", ".ci"}, first) || rest == "" {
			continue
		}
		if _, err := os.Stat(filepath.Join("..", strings.TrimSuffix(arg, "/..."))); err != nil {
			wrong = append(wrong, "no file "+arg)
		}
	}
	return wrong
}

func (c commands) checkMake(args []string) []string {
	var wrong []string
	for _, arg := range args {
		variable, _, set := strings.Cut(arg, "=")
		switch {
		case set && !strings.Contains(c.makeful, "$("+variable+")"):
			wrong = append(wrong, "make knows no variable "+variable)
		case !set && !c.targets[arg] && !strings.Contains(c.makeful, " := "+arg+"\n"): // a target that a variable names
			wrong = append(wrong, "make has no target "+arg)
		}
	}
	return wrong
}

// checkGo checks the tests that go test shall run.
func checkGo(args []string) []string {
	if at := slices.Index(args, "-run"); at >= 0 && at+1 < len(args) && args[at+1] != "REGEX" && args[at+1] != "NAME" {
		pattern, err := regexp.Compile(args[at+1])
		if err != nil {
			return []string{err.Error()}
		}
		if !slices.ContainsFunc(allTests(), pattern.MatchString) {
			return []string{"no test is called " + args[at+1]}
		}
	}
	return nil
}

// allTests returns the names of the module's tests.
var allTests = sync.OnceValue(func() []string {
	var names []string
	_ = filepath.WalkDir("..", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && name != ".." && strings.HasPrefix(entry.Name(), ".") { // .work holds an engine's files
			return fs.SkipDir
		}
		if err == nil && strings.HasSuffix(name, "_test.go") {
			code, _ := os.ReadFile(name)
			for _, match := range testFunc.FindAllSubmatch(code, -1) {
				names = append(names, string(match[1]))
			}
		}
		return nil
	})
	return names
})

// checkFlags looks the options up in the help of a program of this module.
func (c commands) checkFlags(program string, args []string) []string {
	if program == "testpeer" && len(args) > 0 {
		program, args = program+" "+args[0], args[1:]
	}
	var wrong []string
	for _, arg := range args {
		if arg == "--" {
			break
		}
		name, _, _ := strings.Cut(arg, "=")
		if !flagWord.MatchString(name) || name == "--help" || name == "-h" {
			continue
		}
		// Package flag lists -keep, and accepts --keep as well.
		known := regexp.MustCompile(`(?m)(^|[\s\[|,])--?` + regexp.QuoteMeta(strings.TrimLeft(name, "-")) + `([\s\],=]|$)`)
		if !known.MatchString(c.help(program)) {
			wrong = append(wrong, program+" has no option "+name)
		}
	}
	return wrong
}

// isShell reports whether a block shows commands: it says so, or its first line begins like one.
func (b block) isShell() bool {
	if b.language != "" {
		return slices.Contains([]string{"sh", "bash", "shell", "console"}, b.language)
	}
	first, _, _ := strings.Cut(strings.TrimSpace(b.lines[0]), " ")
	return sources[path.Base(first)] != "" || first == "make" || first == "go" || slices.Contains(external, first)
}

// commands returns the commands of a block: a line that ends with \ goes on.
func (b block) commands() []string {
	text := strings.ReplaceAll(strings.Join(b.lines, "\n"), "\\\n", " ")
	return slices.DeleteFunc(strings.Split(text, "\n"), func(line string) bool {
		line = strings.TrimSpace(line)
		return line == "" || strings.HasPrefix(line, "#")
	})
}

func TestEveryCommandOfTheDocumentationExists(t *testing.T) {
	c, checked := newCommands(t), 0
	for _, p := range pages(t) {
		for _, b := range p.blocks {
			if len(b.lines) == 0 || !b.isShell() {
				continue
			}
			for _, command := range b.commands() {
				checked++
				for _, wrong := range c.check(command) {
					t.Errorf("%s:%d: %s: %s", p.name, b.line, strings.TrimSpace(command), wrong)
				}
			}
		}
	}
	assert.Greater(t, checked, 20, "commands are no longer found")
}

// ourSpan matches commands within a sentence: a program with an option, a target of make.
var ourSpan = regexp.MustCompile("`((?:\\S*/)?(?:detect|build|release|run|withengine) --?[a-z][^`]*|make [a-z][^`]*)`")

func TestEveryCommandInASentenceExists(t *testing.T) {
	c, checked := newCommands(t), 0
	for _, p := range pages(t) {
		if p.name == "CHANGELOG.md" {
			continue // it also names what was removed
		}
		for _, match := range ourSpan.FindAllStringSubmatch(strings.Join(p.prose, "\n"), -1) {
			checked++
			for _, wrong := range c.check(strings.ReplaceAll(match[1], "\n", " ")) {
				t.Errorf("%s: %s: %s", p.name, match[0], wrong)
			}
		}
	}
	assert.Greater(t, checked, 20, "commands are no longer found")
}

// The checks find what they are for.
func TestWrongCommandsAreFound(t *testing.T) {
	c := newCommands(t)
	for line, want := range map[string]string{
		"make tset":                             "make has no target tset",
		`make bench BNECH="-n 1"`:               "make knows no variable BNECH",
		"bin/biuld --list":                      "no program bin/biuld",
		"bin/build --lsit":                      "build has no option --lsit",
		"bin/build --list --all":                "build has no option --all",
		"bin/run --list 2>&1 | gerp x":          "unknown command gerp",
		"docker build -f packaging/Dokerfile .": "no file packaging/Dokerfile",
		"sudo -u peer bin/build --lsit":         "build has no option --lsit",
		"docker exec PEER sh -c '/opt/hyperledger/docker_builder/bin/build --anwe *.tar.gz'": "build has no option --anwe",
		"go test ./test/e3e":                                               "no file test/e3e",
		"go test ./test/e2e -run TestNoSuch":                               "no test is called TestNoSuch",
		"docker exec PEER /opt/hyperledger/docker_builder/bin/run --prune": "run has no option --prune",
		".work/testpeer invoke -bilder . -- get colour":                    "testpeer invoke has no option -bilder",
		".work/tools/withengine --hold":                                    "withengine has no option --hold",
	} {
		assert.Contains(t, c.check(line), want, line)
	}
	for _, line := range []string{
		"make", "make test   # run all tests", `make bench BENCH="-n 1 -only 'Go one line|Node'"`, "bin/build --prune [--yes] [BUILDS_DIR ...]",
		"bin/detect  SOURCE_DIR METADATA_DIR && echo accepted", "docker exec PEER /opt/hyperledger/docker_builder/bin/run --list",
		".work/testpeer invoke -builder . -dir /tmp/peer -tls -- put -colour blue", "go build -o .work/testpeer ./test/peer/cmd/testpeer",
	} {
		assert.Empty(t, c.check(line), line)
	}
}
