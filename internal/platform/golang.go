// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"fabric-builder-docker/internal/config"
	"fabric-builder-docker/internal/metadata"
)

// goBuild is the script of a golang build. Its arguments are those of goEnter, then the result of goKey: the key and the
// patterns of packages to compile with it.
//
// It runs only tools that are written in Go: the go command, the compiler, the assembler and the internal linker (-libgcc
// keeps that from running gcc). Their results go into a cache that all packages share. gcc and ld do not withstand hostile
// input (an object file can make them run a program), so a package that needs them is not built here: the script downloads
// the package's modules and ends with [NeedsC], and goBuildC takes over.
//
// The assembler opens every file that an #include names. The go command does not hash those in other directories, so a module
// could include a file of the package that is built, and the shared cache would give its code to other packages. If a package
// depends on such a module, all but the standard library is compiled under a key for all uploaded files. A module whose assembly
// includes nothing but headers and assembly of its own directory, by plain names, needs no key.
//
// Since most packages need no C, the script starts the build while it searches the dependencies for cgo and object files,
// and abandons that build if it finds any. If the operator or the image sets CGO_ENABLED, the script does not search.
const goBuild = goEnter + `key=$1
shift
if [ "$mode" = -mod=readonly ]; then
	find_modules
fi
if [ -n "$key" ] && [ -n "$others" ]; then # GOFLAGS would override the flag with the key: use a separate cache instead
	export GOCACHE="$GOCACHE/$key"
	set --
fi
compile() { # patterns of packages to compile with the key...
	count=$#
	if [ -n "$nodebug" ]; then
		set -- "$@" "-gcflags=all=$nodebug"
	fi
	while [ $count -gt 0 ]; do
		set -- "$@" "-gcflags=$1=$nodebug -I=$key"
		if [ "$1" = all ]; then
			set -- "$@" "-gcflags=std=$nodebug"
		fi
		shift
		count=$((count - 1))
	done
	export CGO_ENABLED=0
	exec go build -v $mode "$@" "-ldflags=-s -w -linkmode=internal -libgcc=none" -o ` + OutputDir + `/chaincode "$target"
}
foreign() ( # prints how assembly of modules includes files that may not be the module's
	export CGO_ENABLED=0 LC_ALL=C
	if [ "$mode" != -mod=readonly ]; then
		return
	fi
	dirs=$(go list $mode -e -deps -f '{{if and .SFiles (not .Standard)}}{{.Dir}}{{end}}' "$target" 2>/dev/null) || echo unknown
	echo "$dirs" | while IFS= read -r dir; do
		case $dir in
		"$GOMODCACHE"/*) grep -ahs include "$dir"/*.s "$dir"/*.h || true ;;
		esac
	done | grep -avE '^[[:space:]]*(#[[:space:]]*include[[:space:]]+"[A-Za-z0-9_-][A-Za-z0-9_.-]*[.][hs]"[[:space:]]*(//[^*]*)?|//[^*]*)$' || true
)
compile_apart() ( # so that no other package gets the results
	key=$(cd ` + InputDir + ` && find . -type f -exec sha256sum {} + | sort | sha256sum)
	key=${key%% *}
	if [ -n "$others" ]; then
		export GOCACHE="$GOCACHE/$key"
		compile
	fi
	compile all
)
search() {
	go list $mode -deps -f '{{if and (or .CgoFiles .SwigFiles .SwigCXXFiles .SysoFiles) (not .Standard)}}{{.ImportPath}}{{end}}' "$target"
}
case "$link$CGO_ENABLED" in
static0)
	if [ -n "$(foreign)" ]; then
		compile_apart
		exit
	fi
	(compile "$@")
	exit
	;;
static1 | dynamic*)
	search >/dev/null
	exit $needs_c
	;;
esac
directory=$(mktemp -d)
mkfifo "$directory/output"
exec 3<>"$directory/output" 4<"$directory/output"
compile "$@" >&3 2>&3 3>&- 4<&- &
exec 3>&-
abandon() {
	kill $! 2>/dev/null || true
	wait $! 2>/dev/null || true # the shell prints "Terminated" to stderr
}
found=$(export CGO_ENABLED=1 && search 4<&-) || {
	status=$?
	abandon
	exit $status
}
if [ -n "$found" ]; then
	abandon
	exit $needs_c
fi
if [ -n "$(foreign 4<&-)" ]; then
	abandon
	compile_apart 4<&-
	exit
fi
cat <&4 >&2
wait $!
`

// goModules is the script that collects the modules of a golang build with C. Its arguments are those of goEnter. Its output
// is a module cache with the modules that this build needs and no others.
const goModules = goEnter + `find_modules
list() {
	(export CGO_ENABLED=1 && go list $mode -deps "$target" >/dev/null)
	(export CGO_ENABLED=0 && go list $mode -e -deps "$target" >/dev/null 2>&1) || true
}
list
export GOPROXY="file://$GOMODCACHE/cache/download" GONOPROXY=none GOSUMDB=off GOMODCACHE=` + goModulesOutput + `
mkdir -p "$GOMODCACHE"
list
`

// goModulesOutput ends in the same name as goModuleCache, because it is copied into CacheDir as a whole.
const goModulesOutput = OutputDir + "/mod"

// goBuildC is the script of a golang build that needs gcc and ld. Its arguments are those of goEnter.
//
// The build must be assumed to run code of the package: besides what the package's own files can do, ld looks in the
// current directory, which is the upload, for the files that its scripts name. The build has no network, its caches are
// removed with its container, and it starts from the standard library as compiled by goStandard.
//
// The program is linked statically with the external linker, as the built-in controller does, because the runtime image
// lacks the libraries of the builder image. Linking dynamically corresponds to the built-in controller's dynamicLink: no
// linker flags, so the setup of the builder image decides.
const goBuildC = goEnter + `cp -R ` + goStandardCache + `/. "$GOCACHE"
if [ "$link" = static ]; then
	export CGO_ENABLED=1
	go build -v $mode "-ldflags=-linkmode external -extldflags '-static'" -o ` + OutputDir + `/chaincode "$target"
else
	go build -v $mode -o ` + OutputDir + `/chaincode "$target"
fi
`

// NeedsC is the exit status of a golang build whose package needs a C compiler or an external linker.
const NeedsC = 97

// goEnter begins the scripts of golang builds. Its arguments, which it shifts away, are the directory to build in, the
// module mode (vendor, readonly or gopath), the package to build, how to link (static or dynamic), the Go version and
// the toolchain in go.mod (each empty if go.mod has none), and whether to use the go command's index (on or off).
//
// If a build fails and the package requires a newer Go than the build has, the last line of output says so. The script
// compares go.mod with the versions that the go command reports. It does not parse error messages.
const goEnter = goPrepare + `needs_c=97
explain() {
	status=$?
	if [ $status -ne 0 ] && [ $status -ne $needs_c ] && [ -n "$go$toolchain" ]; then
		asked=$go has=$used
		if [ -z "$used" ]; then
			if [ "$(number "$toolchain")" -gt "$(number "$go")" ]; then
				asked=$toolchain
			fi
			has=$(cd / && GOTOOLCHAIN=local go env GOVERSION) || has=
		fi
		if [ -n "$has" ] && [ "$(number "$has")" -lt "$(number "$asked")" ]; then
			echo "the package requires Go ${asked#go}, but this build uses Go ${has#go}: set chaincode.builder to an image with a newer Go, or set GOTOOLCHAIN to let the go command download one" >&2
		fi
	fi
	exit $status
}
mode=$2 target=$3 link=$4 go=$5 toolchain=$6 index=$7 used=
trap explain EXIT
cd "$1"
shift 7
if [ "$index" = off ]; then
	export GODEBUG="${GODEBUG:+$GODEBUG,}goindex=0"
fi
if [ "$mode" = gopath ]; then
	export GO111MODULE=off GOPATH="` + InputDir + `${GOPATH:+:$GOPATH}"
	mode=
else
	export GO111MODULE=on # as the built-in controller does: an image may set off
	mode=-mod=$mode
fi
prepare
`

// goPrepare defines the shell functions that the build scripts share.
//
// prepare prints the Go version and sets the environment. Go's tools run for about a second each and hardly ever need to
// collect garbage, so they only do when they reach GOMEMLIMIT, which exists since Go 1.19. Programs without cgo are
// linked without debug information, so the compiler need not generate it, unless GOFLAGS has other compiler flags.
// Programs contain no build paths and no version control stamp: the upload contains no version control files, and
// version control tools execute what a package's own settings name.
//
// find_modules puts the modules of the builder image ahead of all other sources, as a file:// proxy. The go command does
// not ask proxies for private modules, so the script first fetches those from the image with GONOPROXY=none. If GOPROXY
// is not set, modules come from Go's public proxy alone, as with the built-in controller: with direct, a package could
// choose the servers to download from and the tools to use.
const goPrepare = `set -e
number() (
	version=${1#go}
	IFS=.
	set -- ${version%%[!0-9.]*}
	echo $((${1:-0} * 1000000 + ${2:-0} * 1000 + ${3:-0}))
)
prepare() {
	image_modules=${GOMODCACHE:-}
	export GOCACHE=` + goBuildCache + ` GOMODCACHE=` + goModuleCache + `
	version=$(go version)
	echo "$version"
	used=${version#go version } used=${used%% *}
	if [ -n "$GOMEMLIMIT" ] && [ "$(number "$used")" -ge 1019000 ]; then
		export GOGC="${GOGC:-off}"
	fi
	nodebug=-dwarf=false others=
	case "$GOFLAGS" in
	*gcflags*) nodebug= others=yes ;;
	esac
	stamp=
	if [ "$(number "$used")" -ge 1018000 ]; then
		stamp=-buildvcs=false
	fi
	export GOFLAGS="-trimpath $stamp $GOFLAGS"
}
find_modules() {
	if [ -z "$GOPROXY" ]; then
		GOPROXY=$(go env GOPROXY)
		export GOPROXY="${GOPROXY%,direct}"
	fi
	modules=${GOPATH:-$HOME/go}
	modules=${image_modules:-${modules%%:*}/pkg/mod}/cache/download
	if [ ! -d "$modules" ]; then
		return
	fi
	if [ -n "$(go env GONOPROXY)" ]; then
		GOPROXY="file://$modules" GONOPROXY=none go list $mode -e -deps "$target" >/dev/null 2>&1 || true
	fi
	GOPROXY="file://$modules,$GOPROXY"
}
`

// Paths of the caches in build containers.
const (
	goBuildCache  = CacheDir + "/build"
	goModuleCache = CacheDir + "/mod"
	// goModuleProxy has the modules of a build with C. The go command verifies a toolchain each time that it uses it, which
	// needs the checksum database unless GOPROXY is one file:// URL and GOSUMDB is off. All modules are verified by then.
	goModuleProxy = "file://" + goModuleCache + "/cache/download"
	// goStandardCache is the build cache in the image that goStandardPlan makes.
	goStandardCache = CacheDir + "/std"
)

// goTransport lists the variables that decide where modules come from, goOutput those that can change the output.
var (
	goTransport = []string{"GOAUTH", "GOINSECURE", "GONOPROXY", "GONOSUMDB", "GOPRIVATE", "GOPROXY", "GOSUMDB", "NETRC"}
	goOutput    = []string{"GOFLAGS", "GOTOOLCHAIN"}
)

func planGolang(r request) (Plan, error) {
	name, err := goPath(r.pkg.Path)
	if err != nil {
		return Plan{}, err
	}
	r = r.findCode("go.mod", path.Join(name, "go.mod"))
	layout, err := r.goLayout(name)
	if err != nil {
		return Plan{}, err
	}
	required := r.readGoVersions(layout)
	key, patterns := r.goKey(layout)
	index := "on"
	if r.goRedirects(layout) {
		index = "off"
	}
	args := []string{path.Join(InputDir, layout.dir), layout.mode, layout.target, r.goLink(), required.version, required.toolchain, index}
	plan := r.goPlan(goBuild, slices.Concat(args, []string{key}, patterns)...)
	plan.CodeAtRoot = r.atRoot
	if !r.atRoot && layout.mode == "gopath" {
		plan.LeftOut = append(slices.Clone(plan.LeftOut), goPathPackages)
	}
	plan.WithC = r.goPlanC(layout, args)
	return plan, nil
}

// goPathPackages is the directory from which the go command, in GOPATH mode, takes compiled packages without checking them.
const goPathPackages = "/pkg"

// goPlanC returns the plan of a build that needs gcc and ld.
func (r request) goPlanC(layout goLayout, args []string) *Plan {
	plan := r.goPlan(goBuildC, args...)
	plan.Environment = append(r.goToolEnvironment(), "GOPROXY="+goModuleProxy, "GOSUMDB=off")
	plan.Caches = []Cache{{Path: goBuildCache}, {Path: goModuleCache}}
	plan.RunsNoCode, plan.NoNetwork = false, true
	plan.Base = r.goStandardPlan()
	if layout.mode == "readonly" {
		modules := r.goPlan(goModules, args...)
		plan.Modules = &modules
	}
	return &plan
}

// goToolVariables matches the variables that Go's and C's tools read. Others, which may be secret, do not reach a build that
// may run code of the package.
var goToolVariables = []string{
	"GOAMD64", "GOARM*", "GO386", "GOMIPS*", "GOPPC64", "GORISCV64", "GODEBUG", "GOEXPERIMENT", "GOFIPS140", "GOFLAGS", "GOTOOLCHAIN",
	"GOWORK", "GOTMPDIR",
	"GOGC", "GOMAXPROCS", "GOMEMLIMIT", "GCCGO*", "CGO_*", "CC", "CXX", "FC", "AR", "PKG_CONFIG*",
	"CPATH", "*_INCLUDE_PATH", "LIBRARY_PATH", "LD_LIBRARY_PATH", "PATH", "LANG", "LC_*", "SOURCE_DATE_EPOCH",
}

// goToolEnvironment returns the environment of a build with C, sorted.
func (r request) goToolEnvironment() environment {
	return slices.DeleteFunc(slices.Sorted(slices.Values(r.buildEnvironment(goOutput...))), func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return r.isTransport(name) || !slices.ContainsFunc(goToolVariables, func(pattern string) bool {
			matched, _ := path.Match(pattern, name)
			return matched
		})
	})
}

// goMemory is the memory use at which each of Go's tools starts to collect garbage.
const goMemory = "GOMEMLIMIT=512MiB"

// goLeftOut lists the names of files that are not uploaded. Version control systems execute what their settings name,
// and compilers load precompiled headers into memory without checking them.
var goLeftOut = []string{".git", ".hg", ".svn", ".bzr", ".fslckout", "_FOSSIL_", "*.gch", "*.pch"}

// goModTime is the modification time of uploads. The go command keeps an index of package directories in the build cache,
// which tells files apart by name, size and time. All uploads have the same paths, so with equal times it would confuse the
// imports, build constraints and #cgo lines of two packages. It does not index files that are less than two seconds old,
// because they may still change, so it never indexes files dated in the future.
var goModTime = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)

// goPlan returns a plan that runs a script with arguments in the Go builder image.
func (r request) goPlan(script string, args ...string) Plan {
	environment := r.buildEnvironment(slices.Concat(goOutput, goTransport, proxies)...)
	plan := Plan{
		Builder:     Image{r.settings.Chaincode.Builder, "chaincode.builder"},
		Runtime:     Image{r.settings.Chaincode.Golang.Runtime, "chaincode.golang.runtime"},
		Command:     append([]string{"/bin/sh", "-c", script, "build"}, args...),
		Environment: environment,
		ModTime:     goModTime,
		LeftOut:     goLeftOut,
		RunsNoCode:  true,
		Caches: []Cache{
			{Name: r.goCacheName("go-build"), Path: goBuildCache, Environment: slices.Sorted(slices.Values(environment))},
			{Name: r.goCacheName("go-modules"), Path: goModuleCache, Environment: slices.Sorted(slices.Values(environment))},
		},
		Target: "/usr/local/bin",
	}
	if r.settings.Builder.Build.Memory == 0 { // with a limit, it is not known how much one tool may use
		plan.Tuning = []string{goMemory}
	}
	return plan
}

// goLibrary is the script that compiles the standard library into the cache of builds without C.
const goLibrary = goPrepare + `cd /
prepare
CGO_ENABLED=0 go build ${nodebug:+"-gcflags=all=$nodebug"} std
`

// NewGoLibraryPlan plans a build that compiles Go's standard library into the cache that golang builds share. The name
// of the cache is empty if they share none. If the plan has a Base, builds start from that instead.
func NewGoLibraryPlan(settings config.Settings, environ []string) (Plan, error) {
	r := request{settings: settings, environ: settings.BuildEnvironment(environ)}
	plan := r.goPlan(goLibrary)
	plan.Type = "golang"
	if settings.Chaincode.Golang.DynamicLink { // all builds use C then
		plan.Base = r.goStandardPlan()
	}
	err := r.give(&plan) // for the names of the caches
	return plan, err
}

// goFetch downloads the modules of a package and drops the secrets, before it executes the build. Its arguments are those of
// goEnter, then the build's command. The assembler opens every file that a package names in an #include, so a package could put
// a secret into its program or into an error. It ends with what the go command says of a module that it cannot download: the
// build, which has no proxy any more, would not say why.
const goFetch = "set -e\n(\n" + goEnter + `if [ "$mode" = -mod=readonly ]; then
	find_modules
	(export CGO_ENABLED="${CGO_ENABLED:-1}" && go list $mode -deps "$target" >/dev/null)
	(export CGO_ENABLED=0 && go list $mode -e -deps "$target" >/dev/null 2>&1) || true
fi
)
shift 7
rm -f ` + MemoryDir + `/[0-9]*
unset $` + privateVariable + ` ` + privateVariable + `
export GOPROXY=off
exec "$@"
`

// goEntered is the number of arguments of goEnter.
const goEntered = 7

// goStandard is the script that compiles the standard library for builds with C. Its argument is how to link. Its output
// is a build cache that contains nothing from a package.
const goStandard = goPrepare + `cd /
go version >/dev/null 2>&1 || export GOTOOLCHAIN=local # another one cannot be downloaded without the settings for modules
prepare
export GOCACHE=` + OutputDir + `
if [ "$1" = static ]; then
	export CGO_ENABLED=1
fi
exec go build std
`

// goStandardPlan plans the image that builds with C start from: the builder image with the standard library.
func (r request) goStandardPlan() *Plan {
	plan := r.goPlan(goStandard, r.goLink())
	plan.Environment = r.goToolEnvironment()
	plan.Type = "golang-std"
	plan.Runtime = plan.Builder
	plan.DigestInputs = plan.Environment
	plan.Caches = nil
	plan.Target = goStandardCache
	return &plan
}

// goLink returns how to link packages, static or dynamic.
func (r request) goLink() string {
	if r.settings.Chaincode.Golang.DynamicLink {
		return "dynamic"
	}
	return "static"
}

// goLayout is a layout of a golang package.
type goLayout struct {
	dir    string // directory to build in, relative to InputDir
	mode   string // vendor, readonly or gopath
	target string // package to build
}

// goLayout returns the first of the built-in controller's five layouts that matches the package.
func (r request) goLayout(name string) (goLayout, error) {
	inside := path.Join("src", name)
	switch {
	case r.isFile("src/go.mod") && r.isDir("src/vendor"):
		return goLayout{"src", "vendor", name}, nil
	case r.isFile("src/go.mod"):
		return goLayout{"src", "readonly", name}, nil
	case r.isFile(path.Join(inside, "go.mod")) && r.isDir(path.Join(inside, "vendor")):
		return goLayout{inside, "vendor", "."}, nil
	case r.isFile(path.Join(inside, "go.mod")):
		return goLayout{inside, "readonly", "."}, nil
	case r.containsAny(r.sourcePath(inside), "*.go"):
		return goLayout{"src", "gopath", name}, nil
	case inside == "src":
		return goLayout{}, errors.New("the package has neither src/go.mod nor Go files in src")
	}
	return goLayout{}, fmt.Errorf("the package has no src/go.mod, no %s/go.mod, and no Go files in %s", inside, inside)
}

// goPath checks the path in metadata.json, which is an import path or a directory relative to src, and returns the
// package to build.
func goPath(name string) (string, error) {
	switch cleaned := path.Clean(name); {
	case name == "":
		return ".", nil
	case strings.HasPrefix(name, "-"):
		return "", fmt.Errorf("invalid path %q in metadata.json: expected a Go import path or a directory inside src", name)
	case path.IsAbs(name), cleaned == "..", strings.HasPrefix(cleaned, "../"):
		return "", fmt.Errorf("path %q in metadata.json is outside the package: expected a Go import path or a directory inside src", name)
	}
	return name, nil
}

// goVersions holds the go and toolchain lines of go.mod, empty if there are none.
type goVersions struct{ version, toolchain string }

// readGoVersions reads the versions of Go that go.mod requires. It does not check go.mod, since the go command does.
func (r request) readGoVersions(layout goLayout) goVersions {
	var required goVersions
	if layout.mode == "gopath" {
		return required
	}
	text, _ := metadata.ReadFile(r.content.FS, r.sourcePath(path.Join(layout.dir, "go.mod")))
	for line := range strings.Lines(string(text)) {
		switch words := strings.Fields(line); {
		case len(words) < 2:
		case words[0] == "go":
			required.version = words[1]
		case words[0] == "toolchain":
			required.toolchain = words[1]
		}
	}
	return required
}

// goCacheName returns the name of a cache according to builder.cache.scope, or an empty name for no cache. Concurrent
// builds can share a cache, and go build runs no code of a package.
func (r request) goCacheName(kind string) string {
	switch scope := r.settings.Builder.Cache.Scope; scope {
	case config.CacheOff:
		return ""
	case config.CacheLabel:
		return r.cacheNameByLabel(kind)
	case config.CacheMSP:
		msp := r.environ.value("CORE_PEER_LOCALMSPID")
		if msp == "" {
			return r.cacheNameByLabel(kind) // the narrower scope if the MSP is not known
		}
		return kind + "-msp-" + volumePart(msp)
	}
	return kind
}

func startGolang(l launch) []string {
	return []string{"chaincode", "-peer.address=" + l.peerAddress}
}
