// Package config is the operator's settings as one typed value. They come from the defaults, then the peer's core.yaml
// where it can be read, then config.yaml beside bin/, then CORE_… variables, and bear the names that core.yaml gives
// them: vm.docker.hostConfig.NetworkMode is CORE_VM_DOCKER_HOSTCONFIG_NETWORKMODE in the environment. The builder
// section holds what core.yaml lacks.
//
// Keys are matched without regard to case, as the peer does. An unknown key (in config.yaml: core.yaml is full of the
// peer's own), a value of the wrong type or an impossible one is an error that names the file, the key and what is
// allowed; nothing starts with it. What core.yaml says exactly as Fabric ships it counts as not set, see core.go.
package config

import "time"

// Settings holds every key. Its field names are the keys, in the spelling of core.yaml by tag.
type Settings struct {
	VM        VM        `key:"vm"`
	Chaincode Chaincode `key:"chaincode"`
	Peer      Peer      `key:"peer"`
	Builder   Builder   `key:"builder"`

	// Warnings are what the operator should know of the settings, one line each. The programs log them.
	Warnings []string

	endpointSource string
}

// VM is the engine and how containers run on it.
type VM struct {
	Endpoint string   `key:"endpoint"` // unix:///path, tcp://host:port, http://host:port, https://host:port
	Docker   VMDocker `key:"docker"`
}

// VMDocker is the way to the engine, and how chaincodes run.
type VMDocker struct {
	TLS          TLS        `key:"tls"`
	AttachStdout bool       `key:"attachStdout"` // show what chaincodes print
	HostConfig   HostConfig `key:"hostConfig"`
}

// TLS is the protection of the way to the engine. Its paths are absolute once settings are loaded.
type TLS struct {
	Enabled bool `key:"enabled"` // for endpoints over TCP
	CA      PEM  `key:"ca"`      // whom to trust; none: the system's certificate authorities
	Cert    PEM  `key:"cert"`    // the client certificate; none: no client authentication
	Key     PEM  `key:"key"`     // the key of the client certificate
}

// PEM is a file with a certificate or a key.
type PEM struct {
	File string `key:"file" path:"yes"`
}

// HostConfig is what the operator decides of a chaincode's container, as the engine takes it. A field at its zero
// value is not sent.
type HostConfig struct {
	NetworkMode      string    `key:"NetworkMode"`
	Dns              []string  `key:"Dns"`        // name servers
	DnsSearch        []string  `key:"DnsSearch"`  // search domains
	ExtraHosts       []string  `key:"ExtraHosts"` // NAME:ADDRESS
	LogConfig        LogConfig `key:"LogConfig"`
	CapAdd           []string  `key:"CapAdd"`      // beyond none, see Security.DropCapabilities
	CapDrop          []string  `key:"CapDrop"`     // beside those
	SecurityOpt      []string  `key:"SecurityOpt"` // no-new-privileges, when it is among them, replaces Security's
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
	Cpuset           string    `key:"Cpuset"`     // the older name of CpusetCPUs, which wins
	CpusetCPUs       string    `key:"CpusetCPUs"` // such as 0-2,5
	CpusetMEMs       string    `key:"CpusetMEMs"`
	BlkioWeight      int64     `key:"BlkioWeight"` // 10 to 1000
	CgroupParent     string    `key:"CgroupParent"`
}

// LogConfig is where the engine keeps a chaincode's output.
type LogConfig struct {
	Type   string            `key:"Type"`   // the log driver
	Config map[string]string `key:"Config"` // its options
}

// Chaincode is images, times and logging.
type Chaincode struct {
	Builder        string        `key:"builder"` // image that builds golang packages
	Pull           bool          `key:"pull"`    // true makes Builder.PullPolicy always
	Golang         Golang        `key:"golang"`
	Java           Runtime       `key:"java"`
	Node           Runtime       `key:"node"`
	Logging        Logging       `key:"logging"`
	StartupTimeout time.Duration `key:"startuptimeout"` // a container is not started later than this after run began
}

// Golang is how golang packages are built and run.
type Golang struct {
	Runtime     string `key:"runtime"`
	DynamicLink bool   `key:"dynamicLink"` // link cgo packages against the libraries of the runtime image
}

// Runtime is the runtime image of one language, and its builder image as well.
type Runtime struct {
	Runtime string `key:"runtime"`
}

// Logging is what chaincodes are told about their own log. Levels are those that the peer would send.
type Logging struct {
	Level  string `key:"level"`
	Shim   string `key:"shim"`
	Format string `key:"format"`
}

// Peer is who the peer is, for the names of containers. Empty where only Fabric's shipped values are known.
type Peer struct {
	ID        string `key:"id"`
	NetworkID string `key:"networkId"`
}

// Builder is what core.yaml has no name for.
type Builder struct {
	Types           []string      `key:"types"`           // of packages that detect claims
	Prefix          string        `key:"prefix"`          // of image, volume and build container names
	FabricVersion   string        `key:"fabricVersion"`   // for $(PROJECT_VERSION) and $(TWO_DIGIT_VERSION) in image names
	DockerNamespace string        `key:"dockerNamespace"` // for $(DOCKER_NS) in image names
	BuildTimeout    time.Duration `key:"buildTimeout"`    // of one build, waiting for another builder included
	Build           Build         `key:"build"`
	BuildArgs       Environment   `key:"buildArgs"` // build arguments of packages with a Dockerfile
	Cache           Cache         `key:"cache"`
	Node            NodeBuilds    `key:"node"`
	SaveSource      bool          `key:"saveSource"` // keep the package with the build, for the day its image is gone
	PullPolicy      string        `key:"pullPolicy"` // PullAlways, PullMissing, PullNever
	Registry        Registry      `key:"registry"`
	Networks        []string      `key:"networks"`    // of chaincodes, beside HostConfig.NetworkMode or in its place
	Aliases         []string      `key:"aliases"`     // of chaincodes, in those networks
	Environment     Environment   `key:"environment"` // of chaincodes
	CPUs            float64       `key:"cpus"`        // processors of one chaincode, such as 0.5; 0: no limit
	Pids            int64         `key:"pids"`        // processes and threads of one chaincode
	Security        Security      `key:"security"`
	StopGrace       time.Duration `key:"stopGrace"` // between SIGTERM and SIGKILL; whole seconds
	Log             Log           `key:"log"`
	Overrides       []Override    `key:"overrides"` // by label, see ForLabel
}

// Environment is variables, KEY=VALUE, each key once. In a file it is a list of those, or a map.
type Environment []string

// Build is what build containers get.
type Build struct {
	Memory      int64       `key:"memory"`      // bytes, swap included; 0: no limit
	CPUs        float64     `key:"cpus"`        // processors; 0: no limit
	Pids        int64       `key:"pids"`        // processes and threads; 0: the engine's default
	Network     string      `key:"network"`     // as NetworkMode; empty: the engine's default
	Environment Environment `key:"environment"` // none of it reaches an image
	Transport   []string    `key:"transport"`   // names of variables that change nothing in an image, or patterns as path.Match has them
}

// Cache is which builds share a cache volume.
type Cache struct {
	Scope string `key:"scope"` // CacheEngine, CacheMSP, CacheLabel, CacheOff
}

// NodeBuilds is how node packages are built and started.
type NodeBuilds struct {
	Snapshots    bool     `key:"snapshots"`    // keep installed dependencies as an image, for builds of the same ones
	KnownScripts []string `key:"knownScripts"` // SHA-256 of images' build.sh and start.sh that do what the official ones do
}

// Registry is where images come from. Its path is absolute once settings are loaded.
type Registry struct {
	Mirror            string        `key:"mirror"`            // in front of the names of images that are pulled; empty: none
	Config            string        `key:"config" path:"yes"` // Docker's config.json with credentials; empty: Docker's own rules
	Timeout           time.Duration `key:"timeout"`           // of one pull
	InactivityTimeout time.Duration `key:"inactivityTimeout"` // of one pull that makes no progress
}

// Security is what chaincodes are denied. The built-in controller denies none of it.
type Security struct {
	DropCapabilities bool `key:"dropCapabilities"` // all of them, before HostConfig.CapAdd
	NoNewPrivileges  bool `key:"noNewPrivileges"`
	Init             bool `key:"init"` // an init as process 1, which forwards signals and reaps
}

// Log is our own log.
type Log struct {
	Level  string `key:"level"`  // trace, debug, info, warn, error
	Format string `key:"format"` // text, json
}

// Override is what is different for the chaincodes of some labels. What is not set stays.
type Override struct {
	Label       string         `key:"label"` // exact, or a pattern with * ? [a-z], as path.Match has it
	Images      OverrideImages `key:"images"`
	Memory      *int64         `key:"memory"`      // as HostConfig.Memory
	CPUs        *float64       `key:"cpus"`        // as Builder.CPUs
	Pids        *int64         `key:"pids"`        // as Builder.Pids
	Environment Environment    `key:"environment"` // added to Builder.Environment
	Network     string         `key:"network"`     // as HostConfig.NetworkMode
}

// OverrideImages are the images of an override, whatever the language.
type OverrideImages struct {
	Builder string `key:"builder"` // for golang; node and java build in the runtime image
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
	CacheEngine = "engine" // one for all builds on an engine
	CacheMSP    = "msp"    // one per organisation
	CacheLabel  = "label"  // one per chaincode, whatever its version
	CacheOff    = "off"    // none
)
