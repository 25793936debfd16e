package platform

import (
	"path"
	"slices"
	"strings"
)

// The systems and processors that the go command knows in names of files, see "go help buildconstraint". One that came
// later is missing here, and its files are taken for ours.
var (
	goSystems = strings.Fields(`aix android darwin dragonfly freebsd hurd illumos ios js linux nacl netbsd openbsd plan9
		solaris wasip1 windows zos`)
	goProcessors = strings.Fields(`386 amd64 amd64p32 arm armbe arm64 arm64be loong64 mips mipsle mips64 mips64le
		mips64p32 mips64p32le ppc ppc64 ppc64le riscv riscv64 s390 s390x sparc sparc64 wasm`)
)

// IsForeignGo says whether the go command leaves a file out on Linux with that processor because of its name alone,
// NAME_SYSTEM_PROCESSOR.go and the like, whatever stands in it.
func IsForeignGo(name, processor string) bool {
	if extension := path.Ext(name); extension != ".go" && extension != ".s" || !slices.Contains(goProcessors, processor) {
		return false
	}
	name, _, _ = strings.Cut(path.Base(name), ".")
	_, constraint, ok := strings.Cut(name, "_") // linux.go has none
	if !ok {
		return false
	}
	parts := strings.Split(constraint, "_")
	if last := len(parts) - 1; parts[last] == "test" {
		parts = parts[:last]
	}
	n := len(parts)
	switch {
	case n == 0:
		return false
	case n >= 2 && slices.Contains(goSystems, parts[n-2]) && slices.Contains(goProcessors, parts[n-1]):
		return parts[n-2] != "linux" || parts[n-1] != processor
	case slices.Contains(goSystems, parts[n-1]):
		return parts[n-1] != "linux"
	case slices.Contains(goProcessors, parts[n-1]):
		return parts[n-1] != processor
	}
	return false
}
