// SPDX-License-Identifier: Apache-2.0

// Package terminal gives tests a pseudo terminal.
package terminal

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// Terminal is a pseudo terminal, and what was written to it.
type Terminal struct {
	Slave *os.File // is a terminal to the program under test

	master *os.File
	mu     sync.Mutex
	text   bytes.Buffer
}

// Open opens a terminal with so many columns. It is closed when the test ends.
func Open(t testing.TB, columns int) *Terminal {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	t.Cleanup(func() { master.Close() })
	require.NoError(t, unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0))
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	require.NoError(t, err)
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	t.Cleanup(func() { slave.Close() })
	terminal := &Terminal{Slave: slave, master: master}
	terminal.Resize(t, columns)
	go terminal.read()
	return terminal
}

// Resize sets the number of columns.
func (p *Terminal) Resize(t testing.TB, columns int) {
	t.Helper()
	require.NoError(t, unix.IoctlSetWinsize(int(p.master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: uint16(columns)}))
}

func (p *Terminal) read() {
	for buffer := make([]byte, 4096); ; {
		n, err := p.master.Read(buffer)
		p.mu.Lock()
		p.text.Write(buffer[:n])
		p.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// String returns what was written, with \r\n for a newline, as terminals have it.
func (p *Terminal) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

// Await waits until text was written.
func (p *Terminal) Await(t testing.TB, text string) {
	t.Helper()
	require.Eventually(t, func() bool { return strings.Contains(p.String(), text) }, time.Minute, time.Millisecond, "%q is not in what was written", text)
}
