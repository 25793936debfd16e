// SPDX-License-Identifier: Apache-2.0

// Package platform plans how each type of package is built and started: which images, command, input and caches it needs,
// and which directory of the image receives the output. The plans follow what the peer's built-in Docker controller does
// for the same package (docs/parity.md).
package platform

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"fabric-builder-docker/internal/config"
	"fabric-builder-docker/internal/content"
	"fabric-builder-docker/internal/metadata"
)

// Directories in build containers. The official builder images expect the same input and output directories.
const (
	InputDir  = "/chaincode/input"
	OutputDir = "/chaincode/output"
	CacheDir  = "/chaincode/cache"
)

// Kind is the kind of a build.
type Kind int

const (
	Container  Kind = iota // a build container builds the package
	Prebuilt               // the package names an image by digest, which is pulled
	Dockerfile             // the engine builds an image from the package's Dockerfile
	Service                // the chaincode runs as a service elsewhere, and nothing is built
)

// Plan describes how to build the image of one package.
type Plan struct {
	Type          string // golang, node, java, docker, k8s, ccaas, external
	Kind          Kind   // decides which of the other fields are used
	Builder       Image
	Runtime       Image
	Command       []string  // of the build container
	Environment   []string  // KEY=VALUE; environment of the build container, none of which reaches the image
	Tuning        []string  // KEY=VALUE; more variables for the build container, which only affect its speed
	Given         Given     // what else the operator gives to the build
	BuildArgs     []string  // KEY=VALUE; build arguments of a Dockerfile
	DigestInputs  []string  // settings and variables that can change the output; part of the content digest
	CodeAtRoot    bool      // the code is at the root of the package; it is uploaded to src/ all the same
	Executables   []string  // files to upload with the execute bit, whatever their mode in the package
	ModTime       time.Time // of the uploaded files; zero: 1970
	LeftOut       []string  // names of files and directories not to upload; patterns for path.Match
	Caches        []Cache
	NoNetwork     bool   // the build gets no network, whatever the settings say
	RunsNoCode    bool   // the build runs no code of the package or its dependencies, so it may use the chaincode's network
	Target        string // directory of the image that receives the output
	FabricVersion string // for the label and variable that the built-in controller sets on images

	WithC            *Plan              // takes over if the build ends with [NeedsC]; nil for other types than golang
	Modules          *Plan              // run before a build without a network; its output goes into CacheDir. nil: not needed
	Base             *Plan              // makes the image to build in from the builder image, without the package; nil: the builder image is used
	Snapshot         *Snapshot          // what to build ahead of the code; nil if everything is built together
	NoSnapshotReason string             // for the log: why a package of a type with snapshots has none
	Unpinned         string             // why the versions of dependencies are chosen by a build; empty: the package pins them
	NPMStart         *metadata.NPMStart // how to start the chaincode without npm; nil if it needs npm
}

// Image is a base image and the setting that names it. Setting is empty for a prebuilt image, which the package names.
type Image struct {
	Name    string
	Setting string
}

// platform plans packages of one type and starts their chaincode.
type platform struct {
	plan  func(request) (Plan, error)
	start func(launch) []string // nil if the chaincode runs as a service
}

// request holds the inputs of a plan.
type request struct {
	pkg      metadata.Package
	content  *content.Package // SOURCE_DIR
	atRoot   bool             // whether the code is at the root of the package instead of in src/
	settings config.Settings
	environ  environment // environment of this program
}

// launch holds the inputs of a start command.
type launch struct {
	record      metadata.Record
	settings    config.Settings
	peerAddress string
}

var platforms = map[string]platform{
	"golang":   {plan: planGolang, start: startGolang},
	"node":     {plan: planNode, start: startNode},
	"java":     {plan: planJava, start: startJava},
	"docker":   {plan: planDocker, start: startImage},
	"k8s":      {plan: planImage, start: startImage},
	"ccaas":    {plan: planService},
	"external": {plan: planService},
}

// NewPlan plans the build of a package. environ is the environment of this program. The build gets the variables in it
// that configure the tools of the language, and everything in builder.build.environment.
func NewPlan(pkg metadata.Package, content *content.Package, settings config.Settings, environ []string) (Plan, error) {
	p, err := find(pkg.Type)
	if err != nil {
		return Plan{}, err
	}
	r := request{pkg: pkg, content: content, settings: settings, environ: settings.BuildEnvironment(environ)}
	plan, err := p.plan(r)
	if err != nil {
		return Plan{}, fmt.Errorf("planning the build of a %s package: %w", pkg.Type, err)
	}
	if err := plan.checkImages(settings); err != nil {
		return Plan{}, err
	}
	plan.Type = pkg.Type
	if plan.Kind == Container {
		plan.FabricVersion = settings.Builder.FabricVersion
		plan.DigestInputs = append(plan.DigestInputs, r.withoutTransport(plan.Environment)...)
		if err := r.give(&plan); err != nil {
			return Plan{}, err
		}
	}
	return plan, nil
}

// checkImages returns an error if a setting of the plan's images does not hold the name of one.
func (p Plan) checkImages(settings config.Settings) error {
	for _, image := range []Image{p.Builder, p.Runtime} {
		if image.Setting == "" {
			continue
		}
		if err := settings.CheckImage(image.Setting, image.Name); err != nil {
			return err
		}
	}
	return nil
}

// CheckRun returns an error if run cannot start chaincode of the given type.
func CheckRun(packageType string) error {
	p, err := find(packageType)
	if err != nil {
		return err
	}
	if p.start == nil {
		return fmt.Errorf("chaincode of type %s runs as a service: the peer connects to it, and there is nothing to run", packageType)
	}
	return nil
}

// StartCommand returns the command of the chaincode container, or nil for the command of the image.
func StartCommand(record metadata.Record, settings config.Settings, peerAddress string) ([]string, error) {
	if err := CheckRun(record.Type); err != nil {
		return nil, err
	}
	return platforms[record.Type].start(launch{record, settings, peerAddress}), nil
}

func find(packageType string) (platform, error) {
	p, ok := platforms[packageType]
	if !ok {
		last := len(config.KnownTypes) - 1
		return platform{}, fmt.Errorf("unknown package type %q: this builder handles %s and %s",
			packageType, strings.Join(config.KnownTypes[:last], ", "), config.KnownTypes[last])
	}
	return p, nil
}

// planService plans a package without code, which only says how to connect to the chaincode.
func planService(request) (Plan, error) { return Plan{Kind: Service}, nil }

// findCode returns the request with atRoot set if the code is at the root of the package. Packages made by hand may have
// it there: they have no src/, or their src/ belongs to the code, because the root contains one of the manifests and src/
// contains none.
func (r request) findCode(manifests ...string) request {
	r.atRoot = false
	if !r.isDir("src") {
		r.atRoot = true
		return r
	}
	r.atRoot = !r.containsAny("src", manifests...) && r.containsAny(".", manifests...)
	return r
}

// containsAny reports whether a directory in SOURCE_DIR contains one of the given files. A name is a path or *.EXTENSION.
func (r request) containsAny(dir string, names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		if extension, ok := strings.CutPrefix(name, "*"); ok {
			entries, _ := fs.ReadDir(r.content.FS, dir)
			return slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Type().IsRegular() && path.Ext(e.Name()) == extension })
		}
		info, err := fs.Stat(r.content.FS, path.Join(dir, name))
		return err == nil && info.Mode().IsRegular()
	})
}

// sourcePath converts a path that begins with src to the path in SOURCE_DIR, which differs if the code is at the root.
func (r request) sourcePath(name string) string {
	name = path.Clean(name)
	if !r.atRoot {
		return name
	}
	if rest, ok := strings.CutPrefix(name, "src/"); ok {
		return rest
	}
	return "."
}

func (r request) isFile(name string) bool {
	info, err := fs.Stat(r.content.FS, r.sourcePath(name))
	return err == nil && info.Mode().IsRegular()
}

func (r request) isDir(name string) bool {
	info, err := fs.Stat(r.content.FS, r.sourcePath(name))
	return err == nil && info.IsDir()
}
