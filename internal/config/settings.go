// SPDX-License-Identifier: Apache-2.0

// Package config reads the operator's settings into one typed value. They come from the defaults, the peer's core.yaml,
// config.yaml in the directory that holds bin/, and CORE_ variables; later sources win. Keys have the names that core.yaml
// gives them: vm.docker.hostConfig.NetworkMode is CORE_VM_DOCKER_HOSTCONFIG_NETWORKMODE in the environment. The builder
// section holds what core.yaml lacks.
//
// Keys are case-insensitive, as for the peer. An unknown key, a wrong type or an invalid value is an error that names the
// file, the key and what is expected. In core.yaml, unknown keys are skipped, values that Fabric ships count as not set, and
// an invalid value is a warning, because the peer starts with it too: see core.go.
package config

import "time"

// Settings holds every key. The key tags of its fields are the names of the keys, as core.yaml spells them.
type Settings struct {
	VM        VM        `key:"vm"`
	Chaincode Chaincode `key:"chaincode"`
	Peer      Peer      `key:"peer"`
	Builder   Builder   `key:"builder"`

	// Fabric says where Builder.FabricVersion comes from.
	Fabric FabricOrigin

	// Sources says where settings come from, for the operator.
	Sources Sources

	// Debugging is what the overrides of a package turn on. Only For sets it.
	Debugging Debugging

	// Warnings holds what the operator should know about the settings, one line each. The programs log them.
	Warnings []string

	endpointSource string           // where VM.Endpoint was set, for errors
	imageErrors    map[string]error // names of settings in core.yaml -> why their image names are invalid, see CheckImage
}

// VM says where the engine is and how containers run on it.
type VM struct {
	Endpoint string   `key:"endpoint"` // unix:///path, tcp://host:port, http://host:port, https://host:port
	Docker   VMDocker `key:"docker"`
}

// VMDocker configures the connection to the engine and the containers of chaincodes.
type VMDocker struct {
	TLS          TLS        `key:"tls"`
	AttachStdout bool       `key:"attachStdout"` // show the output of chaincodes in the peer's log
	HostConfig   HostConfig `key:"hostConfig"`
}

// TLS configures TLS for the connection to the engine. Its paths are absolute once settings are loaded.
type TLS struct {
	Enabled bool `key:"enabled"` // for tcp:// and http:// endpoints; https:// always uses TLS
	CA      PEM  `key:"ca"`      // the certificate authority to trust; none: those of the system
	Cert    PEM  `key:"cert"`    // the client certificate; none: no client authentication
	Key     PEM  `key:"key"`     // the private key of the client certificate
}

// PEM names a PEM file with a certificate or a key.
type PEM struct {
	File string `key:"file" path:"yes"`
}

// HostConfig is the part of a chaincode container's HostConfig that the operator can set, in the engine's format. Zero
// values are not sent.
type HostConfig struct {
	NetworkMode      string    `key:"NetworkMode"`
	Dns              []string  `key:"Dns"`        // name servers
	DnsSearch        []string  `key:"DnsSearch"`  // search domains
	ExtraHosts       []string  `key:"ExtraHosts"` // NAME:ADDRESS
	LogConfig        LogConfig `key:"LogConfig"`
	CapAdd           []string  `key:"CapAdd"`      // the only ones if Security.DropCapabilities is set
	CapDrop          []string  `key:"CapDrop"`     // further capabilities to drop
	SecurityOpt      []string  `key:"SecurityOpt"` // no-new-privileges in it overrides Security.NoNewPrivileges
	IpcMode          string    `key:"IpcMode"`
	PidMode          string    `key:"PidMode"`
	UTSMode          string    `key:"UTSMode"`
	ReadonlyRootfs   bool      `key:"ReadonlyRootfs"`
	Memory           int64     `key:"Memory"`           // bytes; 0: no limit
	MemorySwap       int64     `key:"MemorySwap"`       // bytes, memory and swap together; -1: no limit; 0: as Memory, no swap
	MemorySwappiness *int64    `key:"MemorySwappiness"` // 0 to 100
	OomKillDisable   *bool     `key:"OomKillDisable"`
	CpuShares        int64     `key:"CpuShares"`
	CpuPeriod        int64     `key:"CpuPeriod"`  // microseconds
	CpuQuota         int64     `key:"CpuQuota"`   // microseconds of each period
	Cpuset           string    `key:"Cpuset"`     // older name of CpusetCPUs, which takes precedence
	CpusetCPUs       string    `key:"CpusetCPUs"` // such as 0-2,5
	CpusetMEMs       string    `key:"CpusetMEMs"`
	BlkioWeight      int64     `key:"BlkioWeight"` // 10 to 1000
	CgroupParent     string    `key:"CgroupParent"`
}

// LogConfig says where the engine keeps the output of chaincodes.
type LogConfig struct {
	Type   string            `key:"Type"`   // the log driver
	Config map[string]string `key:"Config"` // its options
}

// Chaincode sets the images, the start-up time-out and the logging of chaincodes.
type Chaincode struct {
	Builder        string        `key:"builder"` // image that builds golang packages
	Pull           bool          `key:"pull"`    // true sets Builder.PullPolicy to always
	Golang         Golang        `key:"golang"`
	Java           Runtime       `key:"java"`
	Node           Runtime       `key:"node"`
	Logging        Logging       `key:"logging"`
	StartupTimeout time.Duration `key:"startuptimeout"` // from the beginning of run; after it a container is no longer started
}

// Golang says how golang packages are built and run.
type Golang struct {
	Runtime     string `key:"runtime"`
	DynamicLink bool   `key:"dynamicLink"` // link cgo packages against the libraries of the runtime image
}

// Runtime names the image of one language, in which its packages are built and run.
type Runtime struct {
	Runtime string `key:"runtime"`
}

// Logging is the log configuration that chaincodes get in their environment. Levels are those that the peer would send.
type Logging struct {
	Level  string `key:"level"`
	Shim   string `key:"shim"`
	Format string `key:"format"`
}

// Peer identifies the peer in the names of containers. Its fields are empty if core.yaml holds only what Fabric ships.
type Peer struct {
	ID        string `key:"id"`
	NetworkID string `key:"networkId"`
}

// Builder holds the settings that core.yaml lacks.
type Builder struct {
	Types           []string      `key:"types"`           // package types that detect accepts
	Prefix          string        `key:"prefix"`          // of the names of images, volumes and build containers
	FabricVersion   string        `key:"fabricVersion"`   // value of $(PROJECT_VERSION) and $(TWO_DIGIT_VERSION) in image names; not set: the peer's own
	DockerNamespace string        `key:"dockerNamespace"` // value of $(DOCKER_NS) in image names; not set: that of the peer's own images
	BuildTimeout    time.Duration `key:"buildTimeout"`    // limit of one build, including the wait for another builder of the same content
	Build           Build         `key:"build"`
	BuildArgs       Environment   `key:"buildArgs"` // build arguments of packages with a Dockerfile
	Dockerfile      Dockerfiles   `key:"dockerfile"`
	Cache           Cache         `key:"cache"`
	Snapshots       bool          `key:"snapshots"` // keep the dependencies of node and java packages as images for later builds with the same ones
	Node            NodeBuilds    `key:"node"`
	SaveSource      bool          `key:"saveSource"` // keep the package with the build, so that run can rebuild an image that was removed
	PullPolicy      string        `key:"pullPolicy"` // PullAlways, PullMissing, PullNever
	Registry        Registry      `key:"registry"`
	Networks        []string      `key:"networks"`    // of chaincodes, in addition to HostConfig.NetworkMode or instead of it
	Aliases         []string      `key:"aliases"`     // of chaincodes, in those networks
	Environment     Environment   `key:"environment"` // of chaincodes
	CPUs            float64       `key:"cpus"`        // CPUs of one chaincode, such as 0.5; 0: no limit
	Pids            int64         `key:"pids"`        // processes and threads of one chaincode
	Security        Security      `key:"security"`
	StopGrace       time.Duration `key:"stopGrace"` // between SIGTERM and SIGKILL; whole seconds
	Log             Log           `key:"log"`
	Metrics         Metrics       `key:"metrics"`
	Overrides       []Override    `key:"overrides"` // see For
}

// Environment is a list of variables, NAME=VALUE, each name once. In a file it may also be a map.
type Environment []string

// Build configures build containers.
type Build struct {
	Memory      int64       `key:"memory"`      // bytes, swap included; 0: no limit
	CPUs        float64     `key:"cpus"`        // 0: no limit
	Pids        int64       `key:"pids"`        // processes and threads; 0: the engine's default
	Output      string      `key:"output"`      // OutputSummary, OutputAll
	OutputSize  int64       `key:"outputSize"`  // bytes in the files that a build leaves; 0: no limit
	OutputFiles int64       `key:"outputFiles"` // files, directories and links that a build leaves; 0: no limit
	Network     string      `key:"network"`     // as NetworkMode; empty: the engine's default
	Environment Environment `key:"environment"` // none of it reaches an image
	Transport   []string    `key:"transport"`   // variables and secret files that do not change the image: names, or patterns of path.Match

	CABundle string            `key:"caBundle" path:"yes"` // PEM file with certificate authorities that builds trust besides those of the image
	Secrets  map[string]string `key:"secrets" path:"yes"`  // places in build containers -> files that are put there in memory
}

// The values of Build.Output.
const (
	OutputSummary = "summary" // of a build that succeeds; all of one that fails
	OutputAll     = "all"     // as it comes
)

// Dockerfiles says what packages with a Dockerfile may use.
type Dockerfiles struct {
	Bases        []string `key:"bases"`        // base images that are pulled with credentials: names, or patterns of path.Match
	Syntax       []string `key:"syntax"`       // frontends that # syntax= may name, in the same form
	RemoteFiles  bool     `key:"remoteFiles"`  // allow ADD to download, which the engine does in its own network
	UnsafeMounts bool     `key:"unsafeMounts"` // allow bind and cache mounts on podman, where they reach what is not the package's
}

// Cache says which golang builds share a cache volume.
type Cache struct {
	Scope string `key:"scope"` // CacheEngine, CacheMSP, CacheLabel, CacheOff
}

// NodeBuilds says how node packages are built and started.
type NodeBuilds struct {
	Snapshots    bool     `key:"snapshots"`    // false turns Builder.Snapshots off for node packages
	KnownScripts []string `key:"knownScripts"` // SHA-256 sums of build.sh and start.sh of images that do what the official ones do
}

// Registry says how images are pulled. Its path is absolute once settings are loaded.
type Registry struct {
	Mirror            string        `key:"mirror"`            // prefix of the names of pulled images, such as registry.example.com/mirror; empty: none
	Config            string        `key:"config" path:"yes"` // Docker's config.json with credentials; empty: Docker's own rules
	Timeout           time.Duration `key:"timeout"`           // of one pull
	InactivityTimeout time.Duration `key:"inactivityTimeout"` // of one pull that makes no progress
}

// Security restricts chaincodes. The built-in controller does none of this.
type Security struct {
	DropCapabilities bool `key:"dropCapabilities"` // drop all, then add those of HostConfig.CapAdd
	NoNewPrivileges  bool `key:"noNewPrivileges"`
	Init             bool `key:"init"` // run an init as process 1, which forwards signals and reaps processes

	// KeyReader is who can read a chaincode's TLS keys, for images whose entrypoint changes the user: UID, UID:GID, or
	// KeyReaderAll. Empty: the user of the image.
	KeyReader string `key:"keyReader"`
}

// KeyReaderAll is the value of Security.KeyReader for every user of the container.
const KeyReaderAll = "all"

// Log configures the log of the programs themselves.
type Log struct {
	Level  string `key:"level"`  // trace, debug, info, warn, error
	Format string `key:"format"` // text, json
}

// Metrics says where figures for Prometheus are kept. Its path is absolute once settings are loaded.
type Metrics struct {
	Directory string `key:"directory" path:"yes"` // a directory of node_exporter's textfile collector; empty: none are kept
}

// Override changes settings for some chaincodes: those that match the label and the package id, as far as these are set. Other
// fields that are not set change nothing.
type Override struct {
	Label       string         `key:"label"`     // exact, or a pattern of path.Match such as basic_*
	PackageID   string         `key:"packageId"` // exact, LABEL:HASH, or a pattern of path.Match
	Images      OverrideImages `key:"images"`
	Memory      *int64         `key:"memory"`      // as HostConfig.Memory
	CPUs        *float64       `key:"cpus"`        // as Builder.CPUs
	Pids        *int64         `key:"pids"`        // as Builder.Pids
	Environment Environment    `key:"environment"` // added to Builder.Environment
	Network     string         `key:"network"`     // as HostConfig.NetworkMode
	CapAdd      []string       `key:"capAdd"`      // added to HostConfig.CapAdd
	KeyReader   string         `key:"keyReader"`   // as Security.KeyReader
	Debug       Debug          `key:"debug"`
}

// OverrideImages names the images of an override, for every language.
type OverrideImages struct {
	Builder string `key:"builder"` // for golang; node and java packages are built in the runtime image
	Runtime string `key:"runtime"`
}

// The values of Builder.PullPolicy.
const (
	PullAlways  = "always"
	PullMissing = "missing"
	PullNever   = "never"
)

// The values of Cache.Scope.
const (
	CacheEngine = "engine" // one cache for all builds on an engine
	CacheMSP    = "msp"    // one cache per organisation (MSP)
	CacheLabel  = "label"  // one cache per label without its version
	CacheOff    = "off"    // no cache
)
