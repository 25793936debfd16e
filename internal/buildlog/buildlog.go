// SPDX-License-Identifier: Apache-2.0

// Package buildlog receives what the containers of one build print. It shows all of it as it comes, or keeps it and sums it
// up: a build that succeeds prints a hundred lines that nobody reads, and of one that fails every line matters.
package buildlog

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// Limits of what is kept, in bytes: the beginning and the end of the output. The middle is cut.
const (
	keptHead = 256 << 10
	keptTail = 256 << 10 // at least; at most twice as much
)

// Log is the output of one build. It is safe for concurrent use.
type Log struct {
	mu       sync.Mutex
	out      io.Writer // takes whole lines
	prefix   string    // with which all lines begin
	all      bool      // show lines as they come
	head     []byte
	older    []byte // the tail, in two halves
	recent   []byte
	cut      int // lines between head and tail that are not kept
	lines    int
	compiled int
	tool     string
	summary  string              // of npm, Maven or Gradle
	modules  map[string]struct{} // downloads of the go command, which searches and compiles at the same time
	fetched  int                 // downloads of Maven and Gradle
	warnings int
	rank     int // of reason; 0: none
	reason   string
	last     string
	next     bool   // the next line is the reason
	hint     string // see Hint
}

// New returns a Log whose lines begin with prefix. With all, it shows them as they come.
func New(out io.Writer, prefix string, all bool) *Log {
	return &Log{out: out, prefix: prefix, all: all, modules: map[string]struct{}{}}
}

// maxModules limits how many downloads are told apart.
const maxModules = 10_000

// Write takes whole lines that begin with the prefix.
func (l *Log) Write(lines []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range bytes.Lines(lines) {
		if !l.read(strings.TrimSpace(strings.TrimPrefix(string(line), l.prefix))) {
			continue
		}
		if l.all {
			if _, err := l.out.Write(line); err != nil {
				return len(lines), err
			}
			continue
		}
		l.keep(line)
	}
	return len(lines), nil
}

func (l *Log) keep(line []byte) {
	switch {
	case l.older == nil && l.recent == nil && len(l.head)+len(line) <= keptHead:
		l.head = append(l.head, line...)
		return
	case len(l.recent)+len(line) > keptTail:
		l.cut += bytes.Count(l.older, []byte("\n"))
		l.older, l.recent = l.recent, l.older[:0]
	}
	l.recent = append(l.recent, line...)
}

// Show shows what is kept: the build has failed.
func (l *Log) Show() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.out.Write(l.head)
	if l.cut > 0 {
		fmt.Fprintf(l.out, "%s[… %d lines cut here: builder.build.output: all shows them as they come …]\n", l.prefix, l.cut)
	}
	l.out.Write(l.older)
	l.out.Write(l.recent)
	l.forget()
	l.all = true // what comes late
}

// Forget drops what is kept: a step has succeeded, and another one begins.
func (l *Log) Forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.forget()
	l.lines, l.compiled, l.fetched, l.warnings, l.rank = 0, 0, 0, 0, 0
	l.tool, l.summary, l.reason, l.last, l.hint = "", "", "", "", ""
	clear(l.modules)
}

func (l *Log) forget() { l.head, l.older, l.recent, l.cut = nil, nil, nil, 0 }

var (
	goVersion  = regexp.MustCompile(`^go version (\S+) (\S+)$`)
	goPackage  = regexp.MustCompile(`^[a-zA-Z0-9_.~+-]+(/[a-zA-Z0-9_.~+-]+)*$`)
	downloaded = regexp.MustCompile(`^(\[INFO\] )?Downloaded from |^Download https?://`)
	ended      = regexp.MustCompile(`^(added|changed|removed) \d+ packages?.*|^up to date.*|^BUILD SUCCESSFUL.*|^\[INFO\] Total time: .*`)
	warning    = regexp.MustCompile(`^(npm (warn|WARN)|\[WARNING\])`)
)

// colour matches what changes the colour on a terminal. Maven ends with lines of nothing else.
var colour = regexp.MustCompile("\x1b\\[[0-9;]*m")

// read notes what a line says, and reports whether it is to be shown.
func (l *Log) read(line string) bool {
	if strings.Contains(line, "\x1b") {
		line = strings.TrimSpace(colour.ReplaceAllString(line, ""))
	}
	if line == "" {
		return true
	}
	if module, ok := strings.CutPrefix(line, "go: downloading "); ok {
		if _, again := l.modules[module]; again {
			return false
		}
		if len(l.modules) < maxModules {
			l.modules[module] = struct{}{}
		}
	}
	l.lines, l.last = l.lines+1, line
	version := goVersion.FindStringSubmatch(line)
	switch {
	case version != nil:
		l.tool = version[1] + " " + version[2]
	case l.tool != "" && goPackage.MatchString(line):
		l.compiled++
	case downloaded.MatchString(line):
		l.fetched++
	case ended.MatchString(line):
		l.summary = strings.TrimPrefix(line, "[INFO] ")
	case warning.MatchString(line):
		l.warnings++
	}
	l.readReason(line)
	l.readHint(line)
	return true
}

// Fields returns what the output says, as keys and values for the log.
func (l *Log) Fields() []any {
	l.mu.Lock()
	defer l.mu.Unlock()
	var fields []any
	for _, field := range []struct {
		key   string
		value any
		zero  bool
	}{
		{"toolchain", l.tool, l.tool == ""},
		{"packages_compiled", l.compiled, l.tool == ""},
		{"downloads", len(l.modules) + l.fetched, len(l.modules)+l.fetched == 0},
		{"result", l.summary, l.summary == ""},
		{"warnings", l.warnings, l.warnings == 0},
		{"output_lines", l.lines, false},
	} {
		if !field.zero {
			fields = append(fields, field.key, field.value)
		}
	}
	return fields
}

// reasons match the lines that say why a build has failed, the best first.
var reasons = []*regexp.Regexp{
	regexp.MustCompile(`^the package requires Go `),
	regexp.MustCompile(`\.go:\d+(:\d+)?: |\.java:\[\d+,\d+\]|\.(java|kt):\d+: error: `),
	regexp.MustCompile(`^\[ERROR\] (Failed to execute goal|Plugin |Failed to read|Non-resolvable )|^npm (ERR!|error) (\d{3}|[A-Z].* )|^go: [^df]`),
	regexp.MustCompile(`^npm (ERR!|error) code|(?i)^(error|fatal)\b`),
}

func (l *Log) readReason(line string) {
	if l.next {
		l.next, l.rank, l.reason = false, len(reasons)-1, line
	}
	if line == "* What went wrong:" && l.rank < len(reasons)-1 {
		l.next = true
	}
	for i, pattern := range reasons {
		if rank := len(reasons) - i; rank > l.rank && pattern.MatchString(line) {
			l.rank, l.reason = rank, line
		}
	}
}

// Reason returns the line that says best why the build has failed, the last one if none is known to, in at most 300 bytes.
func (l *Log) Reason() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	reason := l.reason
	if reason == "" {
		reason = l.last
	}
	if len(reason) > 300 {
		reason = strings.ToValidUTF8(reason[:300], "") + "…"
	}
	return reason
}

// hints match what tools print when a build does not get out, the most telling first, with the setting that helps.
var hints = []struct {
	pattern func() *regexp.Regexp
	hint    string
}{
	{later(`certificate signed by unknown authority|SELF_SIGNED_CERT|UNABLE_TO_(GET_ISSUER_CERT|VERIFY_LEAF)|PKIX path building failed|` +
		`self[- ]signed certificate|unable to get (local )?issuer certificate|unable to verify the first certificate|certificate verify failed|SSL certificate problem`),
		"the build does not trust a server's or a proxy's certificate: builder.build.caBundle takes the one of its authority"},
	{later(`(?i)\b407 proxy|\bE407\b|HTTP/1\.\d 407|status code:? 407|proxy authentication required|authenticate to the proxy`),
		"the proxy wants a name and a password: HTTPS_PROXY and HTTP_PROXY in builder.build.environment can hold them, http://USER:PASSWORD@HOST:PORT"},
	{later(`(?i)\b40[13] (unauthorized|forbidden)|\bE40[13]\b|status code:? 40[13]|reason phrase:? (unauthorized|forbidden)|not authorized|incorrect or missing password`),
		"a registry refuses the build's credentials: builder.build.secrets takes the file that holds them, such as ~/.netrc, ~/.npmrc or ~/.m2/settings.xml"},
	{later(`(?i)no such host|server misbehaving|ENOTFOUND|EAI_AGAIN|unknown ?host|name or service not known|temporary failure in name resolution|i/o timeout|ETIMEDOUT|ECONNREFUSED|` +
		`connection refused|(connection|connect) timed out|network is unreachable|no route to host|ENETUNREACH|EHOSTUNREACH`),
		"the build does not reach a server: HTTPS_PROXY and mirrors stand in builder.build.environment, its network in builder.build.network"},
	{later(`\bE404\b|^npm (ERR!|error) 404 `),
		"npm asks the public registry unless NPM_CONFIG_REGISTRY in builder.build.environment, or an .npmrc in builder.build.secrets, names another one"},
}

// later compiles a pattern when it is needed: each run links this, and hardly any builds.
func later(pattern string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })
}

// hintWords are parts of all lines that hints match. Builds print many lines, and looking for these is several times faster.
var hintWords = []string{
	"ertificate", "_CERT", "PKIX", "407", "roxy", "40", "uthorized", "orbidden", "password", "host", "HOST", "misbehaving", "ENOTFOUND", "AGAIN",
	"service not known", "resolution", "imeout", "TIMEDOUT", "REFUSED", "refused", "timed out", "reachable", "UNREACH", "E404", "oute to",
}

func (l *Log) readHint(line string) {
	if !slices.ContainsFunc(hintWords, func(word string) bool { return strings.Contains(line, word) }) {
		return
	}
	for _, h := range hints {
		if l.hint == h.hint {
			return
		}
		if h.pattern().MatchString(line) {
			l.hint = h.hint
			return
		}
	}
}

// Hint returns which setting may help if the build has failed because it cannot download something, or an empty string.
func (l *Log) Hint() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.hint
}

// Round rounds a duration so that it reads well: 412ms, 1.2s, 3m5s.
func Round(d time.Duration) time.Duration {
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond)
	case d < time.Minute:
		return d.Round(100 * time.Millisecond)
	}
	return d.Round(time.Second)
}

// Progress returns how many lines have come, and the last one, in at most 120 bytes.
func (l *Log) Progress() (lines int, last string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines, strings.ToValidUTF8(l.last[:min(len(l.last), 120)], "")
}
