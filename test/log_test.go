// SPDX-License-Identifier: Apache-2.0

package test_test

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/cli"
	"fabric-builder-docker/internal/install"
	"fabric-builder-docker/internal/launch"
	"fabric-builder-docker/internal/platform"
	"fabric-builder-docker/test/fakeengine"
)

const (
	logHash  = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
	logLabel = "basic_1.0"
	logID    = logLabel + ":" + logHash
	logShort = logLabel + ":001122334455 | "
)

// site is a peer's directories, an engine, and the two programs that write to the log.
type site struct {
	engine   *fakeengine.Engine
	scratch  string // of the package
	home     string
	launches string // RUN_METADATA_DIR
	output   string // OUTPUT_DIR
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{engine: fakeengine.New(t), scratch: filepath.Join(t.TempDir(), "fabric-"+logLabel+"-"+logHash+"123456789"), home: t.TempDir(), launches: t.TempDir()}
	s.output = filepath.Join(s.scratch, "bld")
	s.engine.AddImage(fakeengine.Image{Name: "ccenv:1", Layers: []string{"sha256:a"}, User: "chaincode"})
	s.engine.AddImage(fakeengine.Image{Name: "baseos:1", Layers: []string{"sha256:b"}, User: "500:500"})
	s.engine.SetProgram(compiles)
	s.write(t, "src/src/go.mod", "module basic\n")
	s.write(t, "src/src/main.go", "package main\n")
	s.write(t, "metadata/metadata.json", fmt.Sprintf(`{"type":"golang","label":%q,"path":""}`, logLabel))
	s.configure(t, "")
	require.NoError(t, os.Mkdir(s.output, 0o700))
	description := fmt.Sprintf(`{"chaincode_id":%q,"peer_address":"peer0.org1.example.com:7052","mspid":"Org1MSP","client_cert":"","client_key":"","root_cert":""}`, logID)
	require.NoError(t, os.WriteFile(filepath.Join(s.launches, "chaincode.json"), []byte(description), 0o600))
	return s
}

func (s *site) write(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join(s.scratch, name)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
}

// configure writes config.yaml. more is what the section builder has besides.
func (s *site) configure(t *testing.T, more string) {
	t.Helper()
	text := fmt.Sprintf("vm: {endpoint: %q}\nchaincode: {builder: ccenv:1, golang: {runtime: baseos:1}}\nbuilder: {fabricVersion: 3.1.3, dockerNamespace: hyperledger%s}\n", s.engine.Host(), more)
	require.NoError(t, os.WriteFile(filepath.Join(s.home, "config.yaml"), []byte(text), 0o600))
}

// stderr is what a program has written so far.
type stderr struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *stderr) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *stderr) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// await waits until text has been written.
func (s *stderr) await(text string) {
	for late := time.After(time.Minute); !strings.Contains(s.String(), text); {
		select {
		case <-late:
			return
		case <-time.After(time.Millisecond):
		}
	}
}

func (s *site) build(out *stderr) int {
	return cli.Program{Name: "build", Arguments: []string{"SOURCE_DIR", "METADATA_DIR", "OUTPUT_DIR"}}.Run(
		[]string{filepath.Join(s.scratch, "src"), filepath.Join(s.scratch, "metadata"), s.output}, nil, &bytes.Buffer{}, out,
		func(ctx context.Context, process cli.Process) error {
			process.Home = s.home
			return install.Build(ctx, process)
		})
}

func (s *site) run(out *stderr) int {
	return cli.Program{Name: "run", Arguments: []string{"OUTPUT_DIR", "RUN_METADATA_DIR"}}.Run(
		[]string{s.output, s.launches}, nil, &bytes.Buffer{}, out,
		func(ctx context.Context, process cli.Process) error {
			process.Home = s.home
			return launch.Run(ctx, process)
		})
}

// compiles is a build that succeeds.
func compiles(p *fakeengine.Process) int {
	fmt.Fprint(p.Stdout, "go version go1.26.1 linux/amd64\nbasic\n[ERROR] build: forged\n")
	p.Files.Add(platform.OutputDir+"/chaincode", tar.Header{Typeflag: tar.TypeReg, Mode: 0o755}, "binary")
	return 0
}

// hangs is a build that prints something and then goes on until it is killed.
func hangs(p *fakeengine.Process) int {
	fmt.Fprint(p.Stdout, "resolving example.com/slow\n")
	<-p.Killed
	return 137
}

// assertAttributed fails the test if a line does not say which package or chaincode it is about.
func assertAttributed(t *testing.T, out *stderr) []string {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	for _, line := range lines {
		switch {
		case strings.HasPrefix(line, logShort):
		case strings.HasPrefix(line, "[") && strings.Contains(line, " build: "):
			assert.Contains(t, line, "label="+logLabel+" package_id="+logID)
		case strings.HasPrefix(line, "[") && strings.Contains(line, " run: "):
			assert.Contains(t, line, "chaincode_id="+logID)
		default:
			t.Errorf("no package in line %q", line)
		}
	}
	return lines
}

// Several builds and runs write to one log, and a client learns only "exit status 1": so each line says what it is about, and
// the last one of a failure says why.
func TestEveryLineOfABuildNamesItsPackage(t *testing.T) {
	for name, test := range map[string]struct {
		prepare func(*testing.T, *site)
		program fakeengine.Program
		signal  bool // when the build has begun
		status  int
		has     []string // somewhere
		last    []string // in the last line
	}{
		"success": {status: 0, has: []string{"building for Fabric", "build: building: ", "the code is built"}, last: []string{"[INFO]  build: built: ", "image_id=", "took="}},
		"success, all output": {
			prepare: func(t *testing.T, s *site) { s.configure(t, ", build: {output: all}") },
			has:     []string{logShort + "basic\n", logShort + "[ERROR] build: forged\n"}, last: []string{"build: built: "},
		},
		"image there already": {
			prepare: func(t *testing.T, s *site) { require.Zero(t, s.build(&stderr{})) },
			has:     []string{"the image exists already"}, last: []string{"build: built: "},
		},
		"does not compile": {
			program: func(p *fakeengine.Process) int {
				fmt.Fprint(p.Stderr, "./main.go:5:2: undefined: x\nexit status 1\n")
				return 1
			},
			status: 1, has: []string{logShort + "./main.go:5:2: undefined: x\n"}, last: []string{"[ERROR] build: the build ended with exit status 1: ./main.go:5:2: undefined: x"},
		},
		"out of memory": {
			program: func(p *fakeengine.Process) int {
				fmt.Fprint(p.Stderr, "linking\n")
				return p.OutOfMemory()
			},
			status: 1, has: []string{logShort + "linking\n"}, last: []string{"[ERROR] build: the build ran out of memory", "builder.build.memory"},
		},
		"time-out": {
			prepare: func(t *testing.T, s *site) { s.configure(t, ", buildTimeout: 5s") }, program: hangs,
			status: 1, has: []string{logShort + "resolving example.com/slow\n"}, last: []string{"[ERROR] build: the build took too long: more than 5s, see builder.buildTimeout"},
		},
		"signal": {
			program: hangs, signal: true,
			status: 1, has: []string{logShort + "resolving example.com/slow\n"}, last: []string{`[ERROR] build: building the image: stopped by signal "terminated"`},
		},
		"no engine": {
			prepare: func(t *testing.T, s *site) {
				text := "vm: {endpoint: unix:///not/there.sock}\nbuilder: {fabricVersion: 3.1.3}\n"
				require.NoError(t, os.WriteFile(filepath.Join(s.home, "config.yaml"), []byte(text), 0o600))
			},
			status: 1, last: []string{"[ERROR] build: no container engine answers at unix:///not/there.sock"},
		},
		"no base image": {
			prepare: func(_ *testing.T, s *site) { s.engine.RemoveImage("ccenv:1") },
			status:  1, has: []string{"pulling an image"}, last: []string{`[ERROR] build: cannot pull builder image "ccenv:1"`, "chaincode.builder"},
		},
		"wrong settings": {
			prepare: func(t *testing.T, s *site) { s.configure(t, ", pids: x") },
			status:  1, last: []string{"[ERROR] build: ", "config.yaml", "builder.pids"},
		},
		"no chaincode": {
			prepare: func(t *testing.T, s *site) { require.NoError(t, os.RemoveAll(filepath.Join(s.scratch, "src", "src"))) },
			status:  1, last: []string{"[ERROR] build: planning the build of a golang package"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, out := newSite(t), &stderr{}
			if test.prepare != nil {
				test.prepare(t, s)
			}
			if test.program != nil {
				s.engine.SetProgram(test.program)
			}
			if test.signal {
				s.engine.SetProgram(func(p *fakeengine.Process) int {
					out.await("build: building: ")
					fmt.Fprint(p.Stdout, "resolving example.com/slow\n")
					syscall.Kill(syscall.Getpid(), syscall.SIGTERM)
					<-p.Killed
					return 137
				})
			}
			assert.Equal(t, test.status, s.build(out), out)
			lines := assertAttributed(t, out)
			for _, text := range test.has {
				assert.Contains(t, out.String(), text)
			}
			for _, text := range test.last {
				assert.Contains(t, lines[len(lines)-1], text)
			}
		})
	}
}

func TestEveryLineOfABuildThatFollowsNamesItsPackage(t *testing.T) {
	for name, test := range map[string]struct {
		status int
		last   string
	}{
		"success":          {0, "build: built: "},
		"does not compile": {1, "[ERROR] build: the build ended with exit status 1: ./main.go:5:2: undefined: x"},
	} {
		t.Run(name, func(t *testing.T) {
			s, leader, follower := newSite(t), &stderr{}, &stderr{}
			other := *s
			other.output = filepath.Join(t.TempDir(), "bld")
			followed := make(chan int, 1)
			s.engine.SetProgram(func(p *fakeengine.Process) int {
				go func() { followed <- s.build(follower) }()
				follower.await("waiting for it")
				s.engine.AwaitStreams(t, fakeengine.Logs, 1)
				s.engine.AwaitStreams(t, fakeengine.Wait, 2)
				if test.status == 0 {
					return compiles(p)
				}
				fmt.Fprint(p.Stderr, "./main.go:5:2: undefined: x\n")
				return 1
			})
			assert.Equal(t, test.status, s.build(leader), leader)
			assert.Equal(t, test.status, <-followed, follower)
			for _, out := range []*stderr{leader, follower} {
				lines := assertAttributed(t, out)
				assert.Contains(t, lines[len(lines)-1], test.last)
			}
		})
	}
}

func TestEveryLineOfALaunchNamesItsChaincode(t *testing.T) {
	for name, test := range map[string]struct {
		prepare func(*testing.T, *site)
		program fakeengine.Program
		signal  bool // when the chaincode runs
		status  int
		has     []string
		last    []string
	}{
		"ends with an error": {
			program: func(p *fakeengine.Process) int {
				fmt.Fprint(p.Stderr, "cannot reach the peer\n[ERROR] run: forged\r\n")
				return 3
			},
			status: 3, has: []string{logShort + "cannot reach the peer\n", logShort + "[ERROR] run: forged\n"}, last: []string{"[ERROR] run: the chaincode has ended: ", "exit_status=3"},
		},
		"stop": {program: fakeengine.Serve(143), signal: true, status: 143, has: []string{"the chaincode's container is running"}, last: []string{"[INFO]  run: the chaincode was stopped: ", "terminated"}},
		"no engine": {
			prepare: func(t *testing.T, s *site) {
				require.NoError(t, os.WriteFile(filepath.Join(s.home, "config.yaml"), []byte("vm: {endpoint: unix:///not/there.sock}\n"), 0o600))
			},
			status: 1, last: []string{"[ERROR] run: no container engine answers at unix:///not/there.sock"},
		},
		"a refused start": {
			prepare: func(_ *testing.T, s *site) {
				s.engine.On(fakeengine.Start, fakeengine.Fail(500, "no space left on device"))
			},
			status: 1, last: []string{"[ERROR] run: starting the chaincode: ", "no space left on device"},
		},
		"no record": {
			prepare: func(t *testing.T, s *site) {
				require.NoError(t, os.Remove(filepath.Join(s.output, "build-record.json")))
			},
			status: 1, last: []string{"[ERROR] run: ", "build-record.json"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, out := newSite(t), &stderr{}
			require.Zero(t, s.build(&stderr{}))
			if test.prepare != nil {
				test.prepare(t, s)
			}
			s.engine.SetProgram(test.program)
			if test.signal {
				go func() {
					out.await("is running")
					syscall.Kill(syscall.Getpid(), syscall.SIGTERM)
				}()
			}
			assert.Equal(t, test.status, s.run(out), out)
			lines := assertAttributed(t, out)
			for _, text := range test.has {
				assert.Contains(t, out.String(), text)
			}
			for _, text := range test.last {
				assert.Contains(t, lines[len(lines)-1], text)
			}
		})
	}
}
