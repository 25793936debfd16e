// Package platform knows how each kind of package is built and started: which images, which command, which input,
// which caches, which directory the result goes to. It follows what the peer's built-in Docker controller does for
// the same package (peer contract, "What the built-in Docker controller does for each language").
package platform

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"fabric-builder-docker/internal/config"
	"fabric-builder-docker/internal/metadata"
)

// Where a build container finds its input and leaves its output, as in the official builder images.
const (
	InputDir  = "/chaincode/input"
	OutputDir = "/chaincode/output"
	CacheDir  = "/chaincode/cache"
)

// Way is how a package becomes something that runs.
type Way int

const (
	Container  Way = iota // built in a build container
	Prebuilt              // an image that is there already, by digest
	Dockerfile            // built by the engine from a Dockerfile
	Service               // it runs elsewhere; nothing is built
)

// Plan is how one package becomes an image.
type Plan struct {
	Type        string // golang, node
	Way         Way    // which of the other fields count
	Builder     Image
	Runtime     Image
	Command     []string // of the build container
	Environment []string // of the build container, KEY=VALUE; none of it reaches the image
	Settings    []string // what of the settings changes the output, for the content digest; never proxies or credentials
	Cache       string   // name of the cache volume on CacheDir; empty: none
	Target      string   // where the output stands in the image
}

// Image is a base image and the setting that names it.
type Image struct {
	Name    string
	Setting string
}

// platform is one kind of package.
type platform struct {
	plan  func(request) (Plan, error)
	start func(peerAddress string) []string
}

// request is what a plan is made from.
type request struct {
	pkg      metadata.Package
	source   fs.FS // SOURCE_DIR
	settings config.Settings
	environ  environment // of the program
}

var platforms = map[string]platform{
	"golang": {plan: planGolang, start: startGolang},
	"node":   {plan: planNode, start: startNode},
}

// Claims says whether packages of that type, in lower case, are ours.
func Claims(packageType string) bool {
	_, ok := platforms[packageType]
	return ok
}

// For plans the build of a package. Environ is the program's own environment: settings of the language's tools that
// are found there are handed to the build.
func For(pkg metadata.Package, source fs.FS, settings config.Settings, environ []string) (Plan, error) {
	p, err := find(pkg.Type)
	if err != nil {
		return Plan{}, err
	}
	plan, err := p.plan(request{pkg, source, settings, environ})
	if err != nil {
		return Plan{}, fmt.Errorf("planning the build of a %s package: %w", pkg.Type, err)
	}
	plan.Type = pkg.Type
	return plan, nil
}

// Start is the command of a chaincode's container.
func Start(packageType, peerAddress string) ([]string, error) {
	p, err := find(packageType)
	if err != nil {
		return nil, err
	}
	return p.start(peerAddress), nil
}

func find(packageType string) (platform, error) {
	p, ok := platforms[packageType]
	if !ok {
		return platform{}, fmt.Errorf("type %q is not known: this builder serves golang and node", packageType)
	}
	return p, nil
}

// environment is KEY=VALUE pairs.
type environment []string

// pick is those of the named variables that are set and not empty.
func (e environment) pick(names ...string) []string {
	var picked []string
	for _, variable := range e {
		name, value, _ := strings.Cut(variable, "=")
		if value != "" && slices.Contains(names, name) {
			picked = append(picked, variable)
		}
	}
	slices.Sort(picked)
	return picked
}

// proxies lead a build out of its network. Tools know them in both cases.
var proxies = []string{"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"}

// exists says whether the package has that file or directory.
func (r request) exists(name string) bool {
	_, err := fs.Stat(r.source, path.Clean(name))
	return err == nil
}
