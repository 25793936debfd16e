package launch

import (
	"bufio"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
)

// rest gives back what the launch alone has needed, since a peer has one of us for each chaincode and most of them
// only wait: the heap that is free now, and the parts of the program that have run and will hardly run again. Those
// are pages of a file that the system reads again, or finds in its cache, when they are touched.
func rest() {
	debug.FreeOSMemory()
	maps, err := os.Open("/proc/self/smaps")
	if err != nil { // not on this system
		return
	}
	defer maps.Close()
	executable, err := os.Executable()
	if err != nil {
		return
	}
	for _, m := range clean(bufio.NewScanner(maps), executable) {
		_, _, _ = syscall.Syscall(syscall.SYS_MADVISE, m.start, m.end-m.start, syscall.MADV_DONTNEED)
	}
}

// mapping is a part of a process's memory.
type mapping struct{ start, end uintptr }

// clean are the mappings of a file that nobody can write to and nobody has written to, which would have made their pages
// anonymous: what they hold stands in the file as well. The lines are those of smaps.
func clean(lines *bufio.Scanner, file string) []mapping {
	var found []mapping
	var current mapping
	ours := false
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		switch {
		case len(fields) >= 5 && !strings.HasSuffix(fields[0], ":"):
			ours = len(fields) == 6 && fields[5] == file && strings.HasPrefix(fields[1], "r-") && current.parse(fields[0])
		case len(fields) >= 2 && fields[0] == "Anonymous:" && ours:
			if fields[1] == "0" {
				found = append(found, current)
			}
			ours = false
		}
	}
	return found
}

// parse reads START-END in hexadecimal digits.
func (m *mapping) parse(text string) bool {
	from, to, _ := strings.Cut(text, "-")
	start, startErr := strconv.ParseUint(from, 16, strconv.IntSize)
	end, endErr := strconv.ParseUint(to, 16, strconv.IntSize)
	m.start, m.end = uintptr(start), uintptr(end)
	return startErr == nil && endErr == nil && m.start < m.end
}
