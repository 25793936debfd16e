package platform

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"fabric-builder-docker/internal/config"
)

// goBuild is the script of the build container. Its arguments are the directory to build from, the module mode
// (vendor, readonly or gopath), the package to build, how to link (static or dynamic), and what go.mod asks for: its
// go and its toolchain line, both perhaps empty.
//
// A package whose dependencies use cgo is linked as the built-in controller does it, static and external: what the
// builder image links against is not in the runtime image. All others are built without cgo: same result, in half the
// time. Most packages need no cgo, so that build runs while the go command looks for cgo, and is thrown away when it
// finds any. Dynamic is the built-in's dynamicLink: no flags at all, as the builder image is set up.
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
mode=$2 target=$3 link=$4 go=$5 toolchain=$6 used=
trap explain EXIT
cd "$1"
if [ "$mode" = gopath ]; then
	export GO111MODULE=off GOPATH="` + InputDir + `${GOPATH:+:$GOPATH}"
	mode=
else
	mode=-mod=$mode
fi
prepare
if [ "$link" = dynamic ]; then
	go build -v $mode -o ` + OutputDir + `/chaincode "$target"
	exit
fi
directory=$(mktemp -d)
mkfifo "$directory/output"
exec 3<>"$directory/output" 4<"$directory/output"
CGO_ENABLED=0 go build -v $mode $gcflags -ldflags '-s -w' -o ` + OutputDir + `/chaincode "$target" >&3 2>&3 3>&- 4<&- &
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
	CGO_ENABLED=1 go build -v $mode -ldflags "-linkmode external -extldflags '-static'" -o ` + OutputDir + `/chaincode "$target"
fi
`

// goPrepare is what the scripts of builds have in common. They say which Go they have. Its tools live for a second and
// hardly ever need to collect garbage: they do so from GOMEMLIMIT on, which Go knows since 1.19. Debug information is
// not linked, so it is not compiled either, unless the operator has flags of their own for the compiler.
const goPrepare = `set -e
number() (
	version=${1#go}
	IFS=.
	set -- ${version%%[!0-9.]*}
	echo $((${1:-0} * 1000000 + ${2:-0} * 1000 + ${3:-0}))
)
prepare() {
	version=$(go version)
	echo "$version"
	used=${version#go version } used=${used%% *}
	if [ -n "$GOMEMLIMIT" ] && [ "$(number "$used")" -ge 1019000 ]; then
		export GOGC="${GOGC:-off}"
	fi
	gcflags=-gcflags=all=-dwarf=false
	case "$GOFLAGS" in
	*gcflags*) gcflags= ;;
	esac
}
`

// goTransport are variables that say where modules come from, goOutput those that can change what is built.
var (
	goTransport = []string{"GOPROXY", "GOSUMDB", "GONOSUMDB", "GONOPROXY", "GOPRIVATE", "GOINSECURE"}
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
	plan := r.goPlan(goBuild, path.Join(InputDir, layout.dir), layout.mode, layout.target, r.goLink(), asked.version, asked.toolchain)
	plan.Rooted = r.atRoot
	if own := environment(r.settings.Builder.Build.Environment); layout.mode == "vendor" && len(own.pick("GOOS", "GOARCH")) == 0 {
		plan.Vendor = r.at(path.Join(layout.dir, "vendor"))
	}
	return plan, nil
}

// goMemory is from where on each of Go's tools collects garbage.
const goMemory = "GOMEMLIMIT=512MiB"

// goPlan is the plan of anything that a Go image does: a script with its arguments.
func (r request) goPlan(script string, args ...string) Plan {
	output := r.environ.pick(goOutput...)
	environment := []string{"GOCACHE=" + CacheDir + "/build", "GOMODCACHE=" + CacheDir + "/mod"}
	if r.settings.Builder.Build.Memory == 0 { // what a limit leaves is not known
		environment = append(environment, goMemory)
	}
	environment = append(environment, output...)
	environment = append(environment, r.environ.pick(goTransport...)...)
	environment = append(environment, r.environ.pick(proxies...)...)
	return Plan{
		Builder:     Image{r.settings.Chaincode.Builder, "chaincode.builder"},
		Runtime:     Image{r.settings.Chaincode.Golang.Runtime, "chaincode.golang.runtime"},
		Command:     append([]string{"/bin/sh", "-c", script, "build"}, args...),
		Environment: environment,
		Settings:    output,
		RunsNoCode:  true,
		Caches:      []Cache{{r.goCache(), CacheDir}},
		Target:      "/usr/local/bin",
	}
}

// goLibrary compiles the standard library as builds use it. Its argument is how they link.
const goLibrary = goPrepare + `cd /
prepare
if [ "$1" = dynamic ]; then
	exec go build std
fi
CGO_ENABLED=0 go build $gcflags std
`

// ForGoLibrary plans how the standard library gets into the cache that golang builds share, ahead of the first of
// them. Where they share none there is nothing to do it for.
func ForGoLibrary(settings config.Settings, environ []string) Plan {
	r := request{settings: settings, environ: settings.BuildEnvironment(environ)}
	plan := r.goPlan(goLibrary, r.goLink())
	plan.Type = "golang"
	plan.Environment = config.Environment(plan.Environment).With(settings.Builder.Build.Environment...)
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
	text, _ := fs.ReadFile(r.source, r.at(path.Join(layout.dir, "go.mod")))
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

// goCache is the name of the cache volume, empty for none. Builds may use one at the same time, and go build runs no
// code of a package.
func (r request) goCache() string {
	const all = "golang"
	switch scope := r.settings.Builder.Cache.Scope; scope {
	case config.CacheOff:
		return ""
	case config.CacheLabel:
		return r.labelled(all)
	case config.CacheMSP:
		msp := r.environ.value("CORE_PEER_LOCALMSPID")
		if msp == "" {
			return r.labelled(all) // the closer bounds, where the organisation is not told
		}
		return all + "-msp-" + volumePart(msp)
	}
	return all
}

func startGolang(l launch) []string {
	return []string{"chaincode", "-peer.address=" + l.peerAddress}
}
