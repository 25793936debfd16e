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
	"fabric-builder-docker/internal/content"
	"fabric-builder-docker/internal/metadata"
)

// Where a build container finds its input and leaves its output, as in the official builder images.
const (
	InputDir  = "/chaincode/input"
	OutputDir = "/chaincode/output"
	CacheDir  = "/chaincode/cache"
)

// Way is how a package becomes something that runs.
type Kind int

const (
	Container  Kind = iota // built in a build container
	Prebuilt               // an image that is there already, by digest
	Dockerfile             // built by the engine from a Dockerfile
	Service                // it runs elsewhere; nothing is built
)

// Plan is how one package becomes an image.
type Plan struct {
	Type          string // golang, node, java, docker, k8s, ccaas, external
	Kind          Kind   // which of the other fields count
	Builder       Image
	Runtime       Image
	Command       []string // of the build container
	Environment   []string // of the build container, KEY=VALUE; none of it reaches the image
	Tuning        []string // of the build container as well, KEY=VALUE: changes how fast it is, and nothing else
	BuildArgs     []string // of a Dockerfile, KEY=VALUE
	DigestInputs  []string // what of the settings changes the output, for the content digest; nothing that is transport
	CodeAtRoot    bool     // the code stands at the package's root: it is uploaded as if it stood in src/
	Executables   []string // files that are uploaded with their execute bit, whatever the package says
	LeftOut       []string // names of files and directories that are not uploaded, patterns as path.Match has them
	Caches        []Cache
	RunsNoCode    bool   // of the package, nor of what it depends on: the build may use the network that its chaincode will
	Target        string // where the output stands in the image
	FabricVersion string // of Fabric, as the built-in controller notes it in its images

	Snapshot         *Snapshot          // what can be built ahead of the code; nil: all is built together
	NoSnapshotReason string             // why there is no snapshot of a package whose kind can have one, for the log
	NPMStart         *metadata.NPMStart // how it can be started without npm; nil: it cannot
}

// Image is a base image and the setting that names it. A prebuilt image is named by the package, by no setting.
type Image struct {
	Name    string
	Setting string
}

// platform is one kind of package.
type platform struct {
	plan  func(request) (Plan, error)
	start func(launch) []string // nil: the peer connects to what runs elsewhere
}

// request is what a plan is made from.
type request struct {
	pkg      metadata.Package
	content  *content.Package // in SOURCE_DIR
	atRoot   bool             // src/ is the package's root
	settings config.Settings
	environ  environment // of the program
}

// launch is what a command is made from.
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

// For plans the build of a package. Environ is the program's own environment: settings of the language's tools that
// are found there are handed to the build, and all that the operator has set for builds.
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
	plan.Type = pkg.Type
	if plan.Kind == Container {
		plan.FabricVersion = settings.Builder.FabricVersion
		plan.DigestInputs = append(plan.DigestInputs, r.output(plan.Environment)...)
	}
	return plan, nil
}

// CheckRun says why packages of that type are never run here, if so.
func CheckRun(packageType string) error {
	p, err := find(packageType)
	if err != nil {
		return err
	}
	if p.start == nil {
		return fmt.Errorf("a package of type %s is a service that runs elsewhere: the peer connects to it, there is nothing to run", packageType)
	}
	return nil
}

// Start is the command of a chaincode's container; nil for the image's own.
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
		return platform{}, fmt.Errorf("type %q is not known: this builder serves %s and %s",
			packageType, strings.Join(config.KnownTypes[:last], ", "), config.KnownTypes[last])
	}
	return p, nil
}

// planService is the plan of a package that holds no code, only how to connect to it.
func planService(request) (Plan, error) { return Plan{Kind: Service}, nil }

// rooted is the request with src/ being the package's root, where a hand-made package has its code there: no src/ at
// all, or one that belongs to the code, since none of the manifests is in it and one of them is at the root.
func (r request) rooted(manifests ...string) request {
	r.atRoot = false
	if !r.isDir("src") {
		r.atRoot = true
		return r
	}
	r.atRoot = !r.holds("src", manifests...) && r.holds(".", manifests...)
	return r
}

// holds says whether a directory of SOURCE_DIR holds one of these files: a path, or *.EXTENSION.
func (r request) holds(dir string, names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		if extension, ok := strings.CutPrefix(name, "*"); ok {
			entries, _ := fs.ReadDir(r.content.FS, dir)
			return slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Type().IsRegular() && path.Ext(e.Name()) == extension })
		}
		info, err := fs.Stat(r.content.FS, path.Join(dir, name))
		return err == nil && info.Mode().IsRegular()
	})
}

// at is a path that begins with src, where it stands in SOURCE_DIR.
func (r request) at(name string) string {
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
	info, err := fs.Stat(r.content.FS, r.at(name))
	return err == nil && info.Mode().IsRegular()
}

func (r request) isDir(name string) bool {
	info, err := fs.Stat(r.content.FS, r.at(name))
	return err == nil && info.IsDir()
}
