package platform

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"fabric-builder-docker/internal/config"
)

// goBuild is the script of the build container. Its arguments are the directory to build from, the module mode
// (vendor, readonly or gopath), the package to build, how to link (static or dynamic), what go.mod asks for (its go and
// its toolchain line, each empty where there is none), and what goKey says: a key, and the packages that are compiled under it.
//
// A package whose dependencies use cgo is linked as the built-in controller does it, static and external: what the
// builder image links against is not in the runtime image. All others are built without cgo: same result, in half the
// time. Most packages need no cgo, so that build runs while the go command looks for cgo, and is thrown away when it
// finds any. Where CGO_ENABLED is set, by the operator or in the image, nothing is looked for. Dynamic is the
// built-in's dynamicLink: no flags for the linker, as the builder image is set up.
//
// A build that fails under an older Go than the package asks for ends with a line that says so. What is compared are
// go.mod and the versions that the go command tells, never the text of an error.
const goBuild = goPrepare + `explain() {
	status=$?
	if [ $status -ne 0 ] && [ -n "$go$toolchain" ]; then
		asked=$go has=$used
		if [ -z "$used" ]; then
			if [ "$(number "$toolchain")" -gt "$(number "$go")" ]; then
				asked=$toolchain
			fi
			has=$(cd / && GOTOOLCHAIN=local go env GOVERSION) || has=
		fi
		if [ -n "$has" ] && [ "$(number "$has")" -lt "$(number "$asked")" ]; then
			echo "the package asks for Go ${asked#go} and the build has ${has#go}: set chaincode.builder to an image with a newer Go, or GOTOOLCHAIN so that the go command fetches one" >&2
		fi
	fi
	exit $status
}
mode=$2 target=$3 link=$4 go=$5 toolchain=$6 key=$7 used=
trap explain EXIT
cd "$1"
shift 7
if [ "$mode" = gopath ]; then
	export GO111MODULE=off GOPATH="` + InputDir + `${GOPATH:+:$GOPATH}"
	mode=
else
	mode=-mod=$mode
fi
prepare
if [ "$mode" = -mod=readonly ]; then
	find_modules
fi
if [ -n "$key" ] && [ -n "$others" ]; then # they win, so a key among ours would be lost: a cache of its own does the same
	export GOCACHE="$GOCACHE/$key"
	set --
fi
compile() { # CGO_ENABLED, flags for the linker, flags for the compiler, packages to compile under the key...
	if [ -n "$1" ]; then
		export CGO_ENABLED="$1"
	fi
	ldflags=$2 flags=$3
	shift 3
	count=$#
	if [ -n "$flags" ]; then
		set -- "$@" "-gcflags=all=$flags"
	fi
	while [ $count -gt 0 ]; do
		set -- "$@" "-gcflags=$1=$flags -I=$key"
		if [ "$1" = all ]; then
			set -- "$@" "-gcflags=std=$flags"
		fi
		shift
		count=$((count - 1))
	done
	exec go build -v $mode "$@" ${ldflags:+"-ldflags=$ldflags"} -o ` + OutputDir + `/chaincode "$target"
}
external="-linkmode external -extldflags '-static'"
case "$link$CGO_ENABLED" in
dynamic*)
	(compile "" "" "" "$@")
	exit
	;;
static0)
	(compile 0 "-s -w" "$nodebug" "$@")
	exit
	;;
static1)
	(compile 1 "$external" "" "$@")
	exit
	;;
esac
directory=$(mktemp -d)
mkfifo "$directory/output"
exec 3<>"$directory/output" 4<"$directory/output"
compile 0 "-s -w" "$nodebug" "$@" >&3 2>&3 3>&- 4<&- &
exec 3>&-
abandon() {
	kill $! 2>/dev/null || true
	wait $! 2>/dev/null || true # which says "Terminated"
}
cgo=$(CGO_ENABLED=1 go list $mode -deps -f '{{if and .CgoFiles (not .Standard)}}{{.ImportPath}}{{end}}' "$target" 4<&-) || {
	status=$?
	abandon
	exit $status
}
if [ -z "$cgo" ]; then
	cat <&4 >&2
	wait $!
else
	abandon
	(compile 1 "$external" "" "$@")
fi
`

// goPrepare is what the scripts of builds have in common. They say which Go they have. Its tools live for a second and
// hardly ever need to collect garbage: they do so from GOMEMLIMIT on, which Go knows since 1.19. Debug information is
// not linked without cgo, so it is not compiled either, unless there are flags of others for the compiler.
//
// No program holds a path of the build, and none is stamped with a state of version control: what is uploaded has none,
// and the tools that would be asked run what a package's own settings name.
//
// Modules that the builder image brings are one more source, ahead of all others. Private ones are not asked of any
// proxy, so those are fetched from there first. Where nobody has set GOPROXY, modules come from Go's public proxy alone,
// as with the built-in controller: the last resort would let a package choose servers, and tools that talk to them.
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

// Where builds have their caches.
const (
	goBuildCache  = CacheDir + "/build"
	goModuleCache = CacheDir + "/mod"
)

// goTransport are variables that say where modules come from, goOutput those that can change what is built.
var (
	goTransport = []string{"GOAUTH", "GOINSECURE", "GONOPROXY", "GONOSUMDB", "GOPRIVATE", "GOPROXY", "GOSUMDB", "NETRC"}
	goOutput    = []string{"GOFLAGS", "GOTOOLCHAIN"}
)

func planGolang(r request) (Plan, error) {
	name, err := goPath(r.pkg.Path)
	if err != nil {
		return Plan{}, err
	}
	r = r.rooted("go.mod", path.Join(name, "go.mod"))
	layout, err := r.goLayout(name)
	if err != nil {
		return Plan{}, err
	}
	asked := r.goAsked(layout)
	key, keyed := r.goKey(layout)
	args := []string{path.Join(InputDir, layout.dir), layout.mode, layout.target, r.goLink(), asked.version, asked.toolchain, key}
	plan := r.goPlan(goBuild, append(args, keyed...)...)
	plan.CodeAtRoot = r.atRoot
	return plan, nil
}

// goMemory is from where on each of Go's tools collects garbage.
const goMemory = "GOMEMLIMIT=512MiB"

// goLeftOut are the names of files that no build gets. Version control systems run what their settings name, and a
// compiler that finds a precompiled header maps it into its memory as it is.
var goLeftOut = []string{".git", ".hg", ".svn", ".bzr", ".fslckout", "_FOSSIL_", "*.gch", "*.pch"}

// goPlan is the plan of anything that a Go image does: a script with its arguments.
func (r request) goPlan(script string, args ...string) Plan {
	given := r.given(slices.Concat(goOutput, goTransport, proxies)...)
	plan := Plan{
		Builder:     Image{r.settings.Chaincode.Builder, "chaincode.builder"},
		Runtime:     Image{r.settings.Chaincode.Golang.Runtime, "chaincode.golang.runtime"},
		Command:     append([]string{"/bin/sh", "-c", script, "build"}, args...),
		Environment: given,
		LeftOut:     goLeftOut,
		RunsNoCode:  true,
		Caches: []Cache{
			{r.goCache("go-build"), goBuildCache, r.output(given)},
			{r.goCache("go-modules"), goModuleCache, given.without(proxies...)},
		},
		Target: "/usr/local/bin",
	}
	if r.settings.Builder.Build.Memory == 0 { // what a limit leaves is not known
		plan.Tuning = []string{goMemory}
	}
	return plan
}

// goLibrary compiles the standard library as builds use it. Its argument is how they link.
const goLibrary = goPrepare + `cd /
prepare
case "$1$CGO_ENABLED" in
dynamic* | static1) exec go build std ;;
esac
CGO_ENABLED=0 go build ${nodebug:+"-gcflags=all=$nodebug"} std
`

// ForGoLibrary plans how the standard library gets into the cache that golang builds share, ahead of the first of
// them. Where they share none there is nothing to do it for.
func NewGoLibraryPlan(settings config.Settings, environ []string) Plan {
	r := request{settings: settings, environ: settings.BuildEnvironment(environ)}
	plan := r.goPlan(goLibrary, r.goLink())
	plan.Type = "golang"
	return plan
}

// goLink is how packages are linked, static or dynamic.
func (r request) goLink() string {
	if r.settings.Chaincode.Golang.DynamicLink {
		return "dynamic"
	}
	return "static"
}

// goLayout is where a Go package is built from, how, and what of it.
type goLayout struct{ dir, mode, target string }

// goLayout finds out which of the built-in controller's five layouts a package has, in its order.
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
	case r.holds(r.at(inside), "*.go"):
		return goLayout{"src", "gopath", name}, nil
	case inside == "src":
		return goLayout{}, errors.New("the package has no src/go.mod, and no Go files in src to build without one")
	}
	return goLayout{}, fmt.Errorf("the package has no src/go.mod, no %s/go.mod, and no Go files in %s to build without one", inside, inside)
}

// goPath is the package to build, from inside src: an import path, or a directory there.
func goPath(name string) (string, error) {
	switch cleaned := path.Clean(name); {
	case name == "":
		return ".", nil
	case strings.HasPrefix(name, "-"):
		return "", fmt.Errorf("path %q of metadata.json is no Go package", name)
	case path.IsAbs(name), cleaned == "..", strings.HasPrefix(cleaned, "../"):
		return "", fmt.Errorf("path %q of metadata.json leads out of the package: expected a Go import path or a directory inside src", name)
	}
	return name, nil
}

// goVersions are the versions of Go that a module asks for, as go.mod has them; empty where it does not.
type goVersions struct{ version, toolchain string }

// goAsked reads them. A go.mod that is not right is the go command's to complain about.
func (r request) goAsked(layout goLayout) goVersions {
	var asked goVersions
	if layout.mode == "gopath" {
		return asked
	}
	text, _ := fs.ReadFile(r.content.FS, r.at(path.Join(layout.dir, "go.mod")))
	for line := range strings.Lines(string(text)) {
		switch words := strings.Fields(line); {
		case len(words) < 2:
		case words[0] == "go":
			asked.version = words[1]
		case words[0] == "toolchain":
			asked.toolchain = words[1]
		}
	}
	return asked
}

// goCache is the name of a cache for those who share it, empty for none. Builds may use one at the same time, and go
// build runs no code of a package.
func (r request) goCache(kind string) string {
	switch scope := r.settings.Builder.Cache.Scope; scope {
	case config.CacheOff:
		return ""
	case config.CacheLabel:
		return r.labelled(kind)
	case config.CacheMSP:
		msp := r.environ.value("CORE_PEER_LOCALMSPID")
		if msp == "" {
			return r.labelled(kind) // the closer bounds, where the organisation is not told
		}
		return kind + "-msp-" + volumePart(msp)
	}
	return kind
}

func startGolang(l launch) []string {
	return []string{"chaincode", "-peer.address=" + l.peerAddress}
}
