// SPDX-License-Identifier: Apache-2.0

package figures_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/figures"
	"fabric-builder-docker/test/promtext"
)

// Enough for everything but a test that waits for it to pass.
const limit = time.Minute

const pulls = `fabric_chaincode_builder_pulls_total{result="pulled"}`

// In a child process, this program counts pulls in a directory and says so after each.
func TestMain(m *testing.M) {
	directory, times := os.Getenv("FIGURES_DIRECTORY"), os.Getenv("FIGURES_TIMES")
	if directory == "" {
		os.Exit(m.Run())
	}
	if size, err := strconv.ParseUint(os.Getenv("FIGURES_FILE_SIZE"), 10, 64); err == nil {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: size, Max: size}); err != nil {
			panic(err)
		}
	}
	log := &warnings{}
	f := figures.New(directory, log)
	for n, _ := strconv.Atoi(times); n > 0; n-- {
		f.Add(figures.Pulls, 1, figures.Pulled)
		f.Save(limit)
		fmt.Println("saved")
	}
	fmt.Fprint(os.Stderr, strings.Join(log.lines, "\n"))
}

// child returns a process that counts that many pulls.
func child(t *testing.T, directory string, times int, environ ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(environ, "FIGURES_DIRECTORY="+directory, fmt.Sprintf("FIGURES_TIMES=%d", times))
	return cmd
}

// warnings takes the place of the log.
type warnings struct{ lines []string }

func (w *warnings) Warn(message string, fields ...any) {
	w.lines = append(w.lines, message+": "+fmt.Sprint(fields...))
}

// read returns what the file holds, which must be well formed.
func read(t *testing.T, directory string) map[string]float64 {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(directory, figures.FileName))
	require.NoError(t, err)
	values, err := promtext.Parse(string(text))
	require.NoError(t, err)
	return values
}

// assertNothingElse fails the test if anything but the file is left in the directory.
func assertNothingElse(t *testing.T, directory string) {
	t.Helper()
	entries, err := os.ReadDir(directory)
	require.NoError(t, err)
	for _, entry := range entries {
		assert.Equal(t, figures.FileName, entry.Name())
	}
}

func TestTheFileIsInPrometheusFormat(t *testing.T) {
	directory, log := t.TempDir(), &warnings{}
	before := syscall.Umask(0o077) // the collector runs as another user than the peer
	defer syscall.Umask(before)
	f := figures.New(directory, log)
	f.Add(figures.Builds, 1, "golang", figures.Built)
	f.Add(figures.Builds, 1, "wasm\"\n", figures.Failed)
	f.Add(figures.BuildSeconds, 0.1, figures.Waiting)
	f.Add(figures.BuildSeconds, 0.2, figures.Waiting)
	f.Add(figures.Exits, 1, figures.Ended, "2")
	f.Add(figures.Exits, 1, figures.Ended, "3")
	f.Save(limit)
	assert.Empty(t, log.lines)

	values := read(t, directory)
	for series, want := range map[string]float64{
		`builds_total{type="golang",result="built"}`:             1,
		`builds_total{type="other",result="failed"}`:             1,
		`build_seconds_total{phase="waiting_for_other_builder"}`: 0.3,
		`exits_total{cause="ended",status="2"}`:                  1,
		`exits_total{cause="ended",status="other"}`:              1,
		`exits_total{cause="stopped",status="143"}`:              0, // so that the first one is an increase
		`builds_total{type="node",result="timed_out"}`:           0,
		`rebuilds_total`:                         0,
		`pulls_total{result="failed"}`:           0,
		`launches_total{result="started"}`:       0,
		`launch_seconds_total`:                   0,
		`oom_kills_total{container="chaincode"}`: 0,
	} {
		got, there := values["fabric_chaincode_builder_"+series]
		assert.True(t, there, series)
		assert.Equal(t, want, got, series)
	}
	assert.Less(t, len(values), 150, "a bounded number of series, whatever packages are called")
	info, err := os.Stat(filepath.Join(directory, figures.FileName))
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o644), info.Mode())
	assertNothingElse(t, directory)
}

func TestWithoutADirectoryNothingIsCounted(t *testing.T) {
	f := figures.New("", nil)
	f.Add(figures.Rebuilds, 1)
	f.Save(0)
}

// Peers share a machine, and a directory: none of their programs may lose what another has counted, and the collector reads
// whole files at any time.
func TestManyProcessesLoseNothing(t *testing.T) {
	const processes, times = 12, 30
	directory := t.TempDir()
	var children []*exec.Cmd
	for range processes {
		cmd := child(t, directory, times)
		cmd.Stderr = &strings.Builder{}
		require.NoError(t, cmd.Start())
		children = append(children, cmd)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for _, cmd := range children {
			assert.NoError(t, cmd.Wait())
			assert.Empty(t, cmd.Stderr.(*strings.Builder).String())
		}
	}()
	for last, reads := 0.0, 0; ; reads++ {
		if _, err := os.Stat(filepath.Join(directory, figures.FileName)); err == nil {
			now := read(t, directory)[pulls]
			require.GreaterOrEqual(t, now, last)
			last = now
		}
		select {
		case <-ended:
			assert.EqualValues(t, processes*times, read(t, directory)[pulls])
			assertNothingElse(t, directory)
			return
		default:
		}
	}
}

// The lock ends with its holder, and the next one removes what that has left.
func TestProcessesThatAreKilledBreakNothing(t *testing.T) {
	directory, said := t.TempDir(), 0
	for n := range 20 {
		cmd := child(t, directory, 1_000_000)
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		lines := bufio.NewScanner(out)
		for range n + 1 {
			require.True(t, lines.Scan())
			said++
		}
		require.NoError(t, cmd.Process.Kill())
		for lines.Scan() {
			said++
		}
		_ = cmd.Wait()
	}
	log := &warnings{}
	require.NoError(t, os.WriteFile(filepath.Join(directory, ".fabric_chaincode_builder.tmp"), []byte("half a li"), 0o600))
	f := figures.New(directory, log)
	f.Add(figures.Pulls, 1, figures.Pulled)
	f.Save(limit)
	assert.Empty(t, log.lines)
	got := read(t, directory)[pulls]
	assert.GreaterOrEqual(t, got, float64(said+1))
	assert.LessOrEqual(t, got, float64(said+1+20), "a process that is killed has counted at most one that it has not said")
	assertNothingElse(t, directory)
}

func TestAFileOfSomebodyElseOrABrokenOneStays(t *testing.T) {
	directory := t.TempDir()
	f := figures.New(directory, &warnings{})
	f.Add(figures.Pulls, 1, figures.Pulled)
	f.Save(limit)
	good, err := os.ReadFile(filepath.Join(directory, figures.FileName))
	require.NoError(t, err)
	line := pulls + " 1\n"
	change := func(to string) string {
		require.Contains(t, string(good), line)
		return strings.Replace(string(good), line, to, 1)
	}
	for name, test := range map[string]struct{ text, reason string }{
		"somebody else's":    {"# HELP a_total Some.\n# TYPE a_total counter\na_total 1\n", "not the builder's own"},
		"no text":            {"\x00\x01\x02", "not the builder's own"},
		"cut in a line":      {string(good[:len(good)-9]), "its end is missing"},
		"cut after a line":   {string(good[:strings.Index(string(good), line)+len(line)]), "its end is missing"},
		"the first line":     {string(good[:strings.Index(string(good), "\n")+1]), "its end is missing"},
		"more at the end":    {string(good) + "a 1\n", "its end is missing"},
		"an empty line":      {change("\n"), "not a metric of the builder"},
		"another metric":     {change("node_load1 1\n"), "not a metric of the builder"},
		"no value":           {change(pulls + "\n"), "no series and value"},
		"no number":          {change(pulls + " one\n"), "no value"},
		"not a number":       {change(pulls + " NaN\n"), "no value"},
		"a label left open":  {change(`fabric_chaincode_builder_pulls_total{result="pulled} 1` + "\n"), "no series"},
		"a label's escape":   {change(`fabric_chaincode_builder_pulls_total{result="\p"} 1` + "\n"), "no series"},
		"labels left open":   {change(`fabric_chaincode_builder_pulls_total{result="pulled" 1` + "\n"), "no series"},
		"a series twice":     {change(line + line), "a series twice"},
		"larger than a file": {string(good) + strings.Repeat("x", 1<<20), "larger than 1 MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			directory, log := t.TempDir(), &warnings{}
			path := filepath.Join(directory, figures.FileName)
			require.NoError(t, os.WriteFile(path, []byte(test.text), 0o640))
			f := figures.New(directory, log)
			for range 2 {
				f.Add(figures.Pulls, 1, figures.Pulled)
				f.Save(limit)
			}
			require.Len(t, log.lines, 1, "one warning")
			assert.Contains(t, log.lines[0], test.reason)
			assert.Contains(t, log.lines[0], path)
			assert.Contains(t, log.lines[0], "builder.metrics.directory")
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			assert.Equal(t, test.text, string(text))
			assertNothingElse(t, directory)
		})
	}
}

func TestWhatIsNoFileStays(t *testing.T) {
	for name, test := range map[string]struct {
		make   func(path string) error
		reason string
	}{
		"a link":      {func(path string) error { return os.Symlink("/dev/null", path) }, "not the builder's own"},
		"a FIFO":      {func(path string) error { return syscall.Mkfifo(path, 0o600) }, "not the builder's own"},
		"a directory": {func(path string) error { return os.Mkdir(path, 0o700) }, "not the builder's own"},
		"a directory in the place of the new file": {func(path string) error {
			return os.MkdirAll(filepath.Join(filepath.Dir(path), ".fabric_chaincode_builder.tmp", "x"), 0o700)
		}, "directory not empty"},
	} {
		t.Run(name, func(t *testing.T) {
			directory, log := t.TempDir(), &warnings{}
			require.NoError(t, test.make(filepath.Join(directory, figures.FileName)))
			f := figures.New(directory, log)
			f.Add(figures.Rebuilds, 1)
			f.Save(limit)
			require.Len(t, log.lines, 1)
			assert.Contains(t, log.lines[0], test.reason)
		})
	}
}

// An operator who empties the file begins at 0.
func TestAnEmptyFileIsAsGoodAsNone(t *testing.T) {
	directory, log := t.TempDir(), &warnings{}
	require.NoError(t, os.WriteFile(filepath.Join(directory, figures.FileName), nil, 0o600))
	f := figures.New(directory, log)
	f.Add(figures.Pulls, 1, figures.Pulled)
	f.Save(limit)
	assert.Empty(t, log.lines)
	assert.EqualValues(t, 1, read(t, directory)[pulls])
}

// While a peer is upgraded, two versions add to one file.
func TestWhatALaterVersionCountsStays(t *testing.T) {
	directory, log := t.TempDir(), &warnings{}
	path := filepath.Join(directory, figures.FileName)
	f := figures.New(directory, log)
	f.Add(figures.Pulls, 1, figures.Pulled)
	f.Save(limit)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	const series, family = `fabric_chaincode_builder_pulls_total{result="a \"b\" \\ c, {d}\n"} 7`, "# HELP fabric_chaincode_builder_x_total New.\n" +
		"# TYPE fabric_chaincode_builder_x_total counter\nfabric_chaincode_builder_x_total{a=\"b\"} 2.5\nfabric_chaincode_builder_x_total{a=\"c d\"} 1\n"
	later := strings.Replace(string(text), "# HELP fabric_chaincode_builder_launches", series+"\n# HELP fabric_chaincode_builder_launches", 1)
	later = strings.Replace(later, "# EOF\n", family+"# EOF\n", 1)
	require.NoError(t, os.WriteFile(path, []byte(later), 0o644))
	f.Add(figures.Pulls, 1, figures.Pulled)
	f.Save(limit)
	require.Empty(t, log.lines)
	values := read(t, directory)
	assert.EqualValues(t, 2, values[pulls])
	text, err = os.ReadFile(path)
	require.NoError(t, err)
	assert.Contains(t, string(text), series+"\n")
	assert.Contains(t, string(text), family)
}

func TestAnUnusableDirectoryIsOneWarning(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	fifo := filepath.Join(t.TempDir(), "fifo")
	require.NoError(t, syscall.Mkfifo(fifo, 0o600))
	for directory, reason := range map[string]string{
		filepath.Join(t.TempDir(), "missing"): "no such file or directory",
		file:                                  "not a directory",
		fifo:                                  "not a directory",
	} {
		log := &warnings{}
		f := figures.New(directory, log)
		for range 2 {
			f.Add(figures.Rebuilds, 1)
			f.Save(limit)
		}
		require.Len(t, log.lines, 1)
		assert.Contains(t, log.lines[0], reason)
	}
}

// The limit for the size of files ends a write as a full disk does.
func TestAFullDiskKeepsTheFileThatIsThere(t *testing.T) {
	directory := t.TempDir()
	f := figures.New(directory, &warnings{})
	f.Add(figures.Pulls, 1, figures.Pulled)
	f.Save(limit)
	out, err := child(t, directory, 2, "FIGURES_FILE_SIZE=1000").CombinedOutput()
	require.NoError(t, err)
	assert.Contains(t, string(out), "file too large")
	assert.Equal(t, 1, strings.Count(string(out), "cannot write the figures"), string(out))
	assert.EqualValues(t, 1, read(t, directory)[pulls])
	assertNothingElse(t, directory)
}

// Root may write to any directory, so these run as another user.
func TestADirectoryOfAnotherUser(t *testing.T) {
	for name, test := range map[string]struct {
		mode   os.FileMode
		reason string
	}{
		"read-only":  {0o555, "permission denied"},
		"unreadable": {0o333, "permission denied"},
		"shared":     {0o777, ""},
	} {
		t.Run(name, func(t *testing.T) {
			root, err := os.MkdirTemp("", "figures") // not in that of the test, which is root's alone
			require.NoError(t, err)
			t.Cleanup(func() { os.RemoveAll(root) })
			require.NoError(t, os.Chmod(root, 0o755))
			directory, program := filepath.Join(root, "metrics"), filepath.Join(root, "program")
			require.NoError(t, os.Mkdir(directory, 0o700))
			self, err := os.ReadFile(os.Args[0])
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(program, self, 0o755))
			f := figures.New(directory, &warnings{})
			f.Add(figures.Pulls, 1, figures.Pulled)
			f.Save(limit)
			require.NoError(t, os.Chmod(directory, test.mode))

			cmd := child(t, directory, 1)
			cmd.Path = program
			if os.Getuid() == 0 {
				cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
			}
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, string(out))
			if test.reason == "" {
				assert.NotContains(t, string(out), "cannot write")
				assert.EqualValues(t, 2, read(t, directory)[pulls], "also if another user has made the file")
				return
			}
			assert.Contains(t, string(out), test.reason)
			assert.EqualValues(t, 1, read(t, directory)[pulls])
		})
	}
}

// A program that has stopped while it holds the lock holds nobody up, and what it has kept from being counted is counted later.
func TestALockThatIsHeld(t *testing.T) {
	directory, log := t.TempDir(), &warnings{}
	holder, err := os.Open(directory)
	require.NoError(t, err)
	require.NoError(t, syscall.Flock(int(holder.Fd()), syscall.LOCK_EX))
	f := figures.New(directory, log)
	f.Add(figures.Pulls, 1, figures.Pulled)
	f.Save(10 * time.Millisecond)
	f.Save(10 * time.Millisecond)
	require.Len(t, log.lines, 1)
	assert.Contains(t, log.lines[0], "other programs hold the lock")
	assertNothingElse(t, directory)
	require.NoError(t, holder.Close())
	f.Add(figures.Pulls, 1, figures.Pulled)
	f.Save(limit)
	assert.EqualValues(t, 2, read(t, directory)[pulls])
}
