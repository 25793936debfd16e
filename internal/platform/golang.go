package platform

import (
	"errors"
	"fmt"
	"path"
	"strings"
)

// goBuild is the script of the build container. Its arguments are the module mode and the package to build.
//
// A package whose dependencies use cgo is linked as the built-in controller does it, static and external: what the
// builder image links against is not in the runtime image. All others are built without cgo: same result, in half the
// time.
const goBuild = `set -e
cd ` + InputDir + `/src
go version
cgo=$(CGO_ENABLED=1 go list -mod="$1" -deps -f '{{if and .CgoFiles (not .Standard)}}{{.ImportPath}}{{end}}' "$2")
if [ -z "$cgo" ]; then
	CGO_ENABLED=0 go build -v -mod="$1" -ldflags '-s -w' -o ` + OutputDir + `/chaincode "$2"
else
	CGO_ENABLED=1 go build -v -mod="$1" -ldflags "-linkmode external -extldflags '-static'" -o ` + OutputDir + `/chaincode "$2"
fi
`

// goTransport are variables that say where modules come from, goOutput those that can change what is built.
var (
	goTransport = []string{"GOPROXY", "GOSUMDB", "GONOSUMDB", "GONOPROXY", "GOPRIVATE", "GOINSECURE"}
	goOutput    = []string{"GOFLAGS", "GOTOOLCHAIN"}
)

func planGolang(r request) (Plan, error) {
	if !r.exists("src/go.mod") {
		return Plan{}, errors.New("the package has no src/go.mod: a Go chaincode is packaged as a module")
	}
	target, err := goTarget(r.pkg.Path)
	if err != nil {
		return Plan{}, err
	}
	mode := "readonly"
	if r.exists("src/vendor") {
		mode = "vendor"
	}
	output := r.environ.pick(goOutput...)
	environment := []string{"GOCACHE=" + CacheDir + "/build", "GOMODCACHE=" + CacheDir + "/mod"}
	environment = append(environment, output...)
	environment = append(environment, r.environ.pick(goTransport...)...)
	environment = append(environment, r.environ.pick(proxies...)...)
	return Plan{
		Builder:     Image{r.settings.Chaincode.Builder, "chaincode.builder"},
		Runtime:     Image{r.settings.Chaincode.Golang.Runtime, "chaincode.golang.runtime"},
		Command:     []string{"/bin/sh", "-c", goBuild, "build", mode, target},
		Environment: environment,
		Settings:    output,
		Cache:       "golang",
		Target:      "/usr/local/bin",
	}, nil
}

// goTarget is the package to build, from inside src: an import path, or a directory there.
func goTarget(name string) (string, error) {
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

func startGolang(peerAddress string) []string {
	return []string{"chaincode", "-peer.address=" + peerAddress}
}
