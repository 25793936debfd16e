package config

import (
	"fmt"
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"
)

var (
	// prefixes are what may stand in front of an image's type.
	prefixes = regexp.MustCompile(`^[a-z0-9]+([._-][a-z0-9]+)*(:[0-9]+)?(/[a-z0-9]+([._-][a-z0-9]+)*)*$`)
	// images are names of images, more or less: the engine knows exactly.
	images = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.:/@-]*$`)
	// versions are Fabric's: two or three digits, or a tag such as latest.
	versions = regexp.MustCompile(`^v?[0-9]+\.[0-9]+(\.[0-9]+)?(-[a-z0-9.]+)?$|^[a-z]+$`)
	// variables are NAME=VALUE.
	variables = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_.-]*=`)
	// sums are SHA-256, as sha256sum prints them.
	sums = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// memoryMin is the least that engines take.
const memoryMin = 6 << 20

// impossible is a value that cannot be, and what is allowed.
func impossible(name string, value any, allowed string) error {
	if text, ok := value.(string); ok {
		return fmt.Errorf("%s: %q is not possible: %s", name, text, allowed)
	}
	return fmt.Errorf("%s: %v is not possible: %s", name, value, allowed)
}

// check refuses values that cannot be meant or that no engine takes, whatever the other keys say.
func (s *Settings) check() error {
	return first(s.checkEngine, s.checkHost, s.checkResources, s.checkImages, s.checkBuilder, s.checkOverrides)
}

// first is the first error.
func first(checks ...func() error) error {
	for _, check := range checks {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (s *Settings) checkEngine() error {
	scheme, rest, _ := strings.Cut(s.VM.Endpoint, "://")
	if s.VM.Endpoint != "" && (rest == "" || !slices.Contains([]string{"unix", "tcp", "http", "https"}, scheme)) {
		return impossible("vm.endpoint", s.VM.Endpoint, "unix:///path, tcp://host:port, http://host:port, https://host:port, or nothing for the default")
	}
	return nil
}

func (s *Settings) checkHost() error {
	host := s.VM.Docker.HostConfig
	for _, server := range host.Dns {
		if _, err := netip.ParseAddr(server); err != nil {
			return impossible("vm.docker.hostConfig.Dns", server, "IP addresses")
		}
	}
	for _, extra := range host.ExtraHosts {
		if name, address, _ := strings.Cut(extra, ":"); name == "" || address == "" {
			return impossible("vm.docker.hostConfig.ExtraHosts", extra, "NAME:ADDRESS")
		}
	}
	return nil
}

func (s *Settings) checkResources() error {
	const name = "vm.docker.hostConfig."
	host := s.VM.Docker.HostConfig
	switch swappiness := host.MemorySwappiness; {
	case badMemory(host.Memory):
		return impossible(name+"Memory", host.Memory, memoryAllowed)
	case host.MemorySwap < -1:
		return impossible(name+"MemorySwap", host.MemorySwap, "bytes of memory and swap together, -1 for no limit, or 0 for no swap")
	case swappiness != nil && (*swappiness < 0 || *swappiness > 100):
		return impossible(name+"MemorySwappiness", *swappiness, "0 to 100")
	case host.CpuShares < 0:
		return impossible(name+"CpuShares", host.CpuShares, "at least 0")
	case host.CpuPeriod != 0 && (host.CpuPeriod < 1000 || host.CpuPeriod > 1000000):
		return impossible(name+"CpuPeriod", host.CpuPeriod, "1000 to 1000000, or 0 for the engine's default")
	case host.CpuQuota != 0 && host.CpuQuota < 1000:
		return impossible(name+"CpuQuota", host.CpuQuota, "at least 1000, or 0 for no limit")
	case host.BlkioWeight != 0 && (host.BlkioWeight < 10 || host.BlkioWeight > 1000):
		return impossible(name+"BlkioWeight", host.BlkioWeight, "10 to 1000, or 0 for the engine's default")
	}
	return nil
}

var memoryAllowed = fmt.Sprintf("bytes, at least %d, or 0 for no limit", memoryMin)

func badMemory(bytes int64) bool { return bytes != 0 && bytes < memoryMin }

const cpusAllowed = "at least 0.01, or 0 for no limit"

func badCPUs(cpus float64) bool { return cpus != 0 && cpus < 0.01 || cpus > 1e6 }

func (s *Settings) checkImages() error {
	var err error
	s.eachImage(func(name string, image *string) {
		if err == nil && !images.MatchString(s.expand(name, *image)) {
			err = impossible(name, *image, "the name of an image; $(ARCH), $(PROJECT_VERSION), $(TWO_DIGIT_VERSION) and $(DOCKER_NS) are replaced")
		}
	})
	if err == nil && s.Chaincode.StartupTimeout < time.Second {
		err = impossible("chaincode.startuptimeout", s.Chaincode.StartupTimeout, "at least 1s")
	}
	return err
}

func (s *Settings) checkBuilder() error {
	b := s.Builder
	switch {
	case !prefixes.MatchString(b.Prefix):
		return fmt.Errorf("builder.prefix: %q is no image name: lower-case letters, digits, and . _ - / in between", b.Prefix)
	case !prefixes.MatchString(b.DockerNamespace):
		return fmt.Errorf("builder.dockerNamespace: %q is no image name: lower-case letters, digits, and . _ - / in between", b.DockerNamespace)
	case b.Registry.Mirror != "" && !prefixes.MatchString(b.Registry.Mirror):
		return fmt.Errorf("builder.registry.mirror: %q is no image name: lower-case letters, digits, and . _ - / in between", b.Registry.Mirror)
	case !versions.MatchString(b.FabricVersion):
		return impossible("builder.fabricVersion", b.FabricVersion, "a version such as 3.1 or 3.1.4")
	case b.Pids < 1:
		return impossible("builder.pids", b.Pids, "at least 1")
	case badCPUs(b.CPUs):
		return impossible("builder.cpus", b.CPUs, cpusAllowed)
	case badMemory(b.Build.Memory):
		return impossible("builder.build.memory", b.Build.Memory, memoryAllowed)
	case badCPUs(b.Build.CPUs):
		return impossible("builder.build.cpus", b.Build.CPUs, cpusAllowed)
	case b.Build.Pids < 0:
		return impossible("builder.build.pids", b.Build.Pids, "at least 1, or 0 for the engine's default")
	}
	return first(b.checkTimes, b.checkChoices, b.checkEnvironments)
}

func (b Builder) checkTimes() error {
	switch {
	case b.BuildTimeout < time.Second:
		return impossible("builder.buildTimeout", b.BuildTimeout, "at least 1s")
	case b.Registry.Timeout < time.Second:
		return impossible("builder.registry.timeout", b.Registry.Timeout, "at least 1s")
	case b.Registry.InactivityTimeout < time.Second:
		return impossible("builder.registry.inactivityTimeout", b.Registry.InactivityTimeout, "at least 1s")
	case b.StopGrace < 0 || b.StopGrace > maxGrace || b.StopGrace%time.Second != 0:
		return impossible("builder.stopGrace", b.StopGrace, "whole seconds, at most 3s: the peer kills run after 5s")
	}
	return nil
}

// maxGrace leaves time for killing and removing a container before the peer's patience ends.
const maxGrace = 3 * time.Second

func (b Builder) checkChoices() error {
	for _, choice := range []struct {
		name, value string
		allowed     []string
	}{
		{"builder.cache.scope", b.Cache.Scope, []string{CacheEngine, CacheMSP, CacheLabel, CacheOff}},
		{"builder.pullPolicy", b.PullPolicy, []string{PullAlways, PullMissing, PullNever}},
		{"builder.log.level", b.Log.Level, []string{"trace", "debug", "info", "warn", "error"}},
		{"builder.log.format", b.Log.Format, []string{"text", "json"}},
	} {
		if !slices.Contains(choice.allowed, choice.value) {
			return impossible(choice.name, choice.value, "one of "+strings.Join(choice.allowed, ", "))
		}
	}
	for _, sum := range b.Node.KnownScripts {
		if !sums.MatchString(sum) {
			return impossible("builder.node.knownScripts", sum, "SHA-256 of scripts, 64 hex digits in lower case, as sha256sum prints them")
		}
	}
	return checkTypes(b.Types)
}

func (b Builder) checkEnvironments() error {
	if err := b.Build.Environment.check("builder.build.environment"); err != nil {
		return err
	}
	for _, pattern := range b.Build.Transport {
		if _, err := path.Match(pattern, ""); err != nil || pattern == "" {
			return impossible("builder.build.transport", pattern, "names of variables, or patterns such as NEXUS_*")
		}
	}
	if err := b.BuildArgs.check("builder.buildArgs"); err != nil {
		return err
	}
	return b.Environment.checkChaincode("builder.environment")
}

func (e Environment) check(name string) error {
	for _, variable := range e {
		if !variables.MatchString(variable) {
			key, _, _ := strings.Cut(variable, "=") // not its value: that may be a secret
			return impossible(name, key, "NAME=VALUE, and a name holds letters, digits, and any of _.- only")
		}
	}
	return nil
}

// contract are the variables of a chaincode that come from the peer. CHAINCODE_SERVER_ADDRESS is among them since it
// would make a client a server.
var contract = []string{
	"CORE_CHAINCODE_ID_NAME", "CORE_PEER_ADDRESS", "CORE_PEER_LOCALMSPID", "CORE_PEER_TLS_ENABLED", "CORE_PEER_TLS_ROOTCERT_FILE",
	"CORE_TLS_CLIENT_KEY_PATH", "CORE_TLS_CLIENT_CERT_PATH", "CORE_TLS_CLIENT_KEY_FILE", "CORE_TLS_CLIENT_CERT_FILE", "CHAINCODE_SERVER_ADDRESS",
}

func (e Environment) checkChaincode(name string) error {
	for _, variable := range e {
		if key, _, _ := strings.Cut(variable, "="); slices.Contains(contract, key) {
			return fmt.Errorf("%s: %s cannot be set: it belongs to the peer's contract with its chaincodes", name, key)
		}
	}
	return e.check(name)
}

func (s *Settings) checkOverrides() error {
	for i, o := range s.Builder.Overrides {
		name := fmt.Sprintf("builder.overrides[%d].", i)
		_, err := path.Match(o.Label, "")
		switch {
		case o.Label == "" || err != nil:
			return impossible(name+"label", o.Label, "a label, or a pattern such as basic_*")
		case o.Memory != nil && badMemory(*o.Memory):
			return impossible(name+"memory", *o.Memory, memoryAllowed)
		case o.CPUs != nil && badCPUs(*o.CPUs):
			return impossible(name+"cpus", *o.CPUs, cpusAllowed)
		case o.Pids != nil && *o.Pids < 1:
			return impossible(name+"pids", *o.Pids, "at least 1")
		}
		if err := o.Environment.checkChaincode(name + "environment"); err != nil {
			return err
		}
	}
	return nil
}

// checkTogether refuses keys that do not go together, once all are known. It names where each was set.
func (s *Settings) checkTogether(sources map[string]string) error {
	host, tls := s.VM.Docker.HostConfig, s.VM.Docker.TLS
	at := func(name string) string {
		if source := sources[name]; strings.HasPrefix(source, "CORE_") {
			return "variable " + source
		} else if source != "" {
			return source
		}
		return name
	}
	switch {
	case tls.Enabled && tls.Cert.File != "" && tls.Key.File == "":
		return fmt.Errorf("%s: a certificate without a key is not possible: set vm.docker.tls.key.file too, or neither", at("vm.docker.tls.cert.file"))
	case tls.Enabled && tls.Key.File != "" && tls.Cert.File == "":
		return fmt.Errorf("%s: a key without a certificate is not possible: set vm.docker.tls.cert.file too, or neither", at("vm.docker.tls.key.file"))
	case host.MemorySwap > 0 && host.MemorySwap < max(host.Memory, 1), host.MemorySwap > 0 && host.Memory == 0:
		return fmt.Errorf("%s: %d is not possible: it counts memory and swap together, so at least vm.docker.hostConfig.Memory, which must be set", at("vm.docker.hostConfig.MemorySwap"), host.MemorySwap)
	case s.Builder.CPUs > 0 && (host.CpuPeriod > 0 || host.CpuQuota > 0):
		return fmt.Errorf("%s: engines take either that or vm.docker.hostConfig.CpuPeriod and CpuQuota, not both", at("builder.cpus"))
	}
	return s.checkNetworks(at)
}

// modes are what a network mode can be without being a network, as internal/docker has them, which detect must not
// link.
var modes = []string{"default", "host", "none", "private", "slirp4netns", "pasta"}

// isAlone says whether a network mode cannot be combined with others.
func isAlone(mode string) bool {
	kind, _, compound := strings.Cut(mode, ":")
	return slices.Contains(modes, kind) || compound && (kind == "container" || kind == "ns")
}

// checkNetworks refuses a network mode beside other ones.
func (s *Settings) checkNetworks(at func(name string) string) error {
	const modeKey, networksKey = "vm.docker.hostConfig.NetworkMode", "builder.networks"
	mode, all := s.VM.Docker.HostConfig.NetworkMode, sorted(s.Builder.Networks)
	for _, name := range all {
		if isAlone(name) && slices.ContainsFunc(append([]string{mode}, all...), func(other string) bool { return other != "" && other != name }) {
			return fmt.Errorf("%s: %q cannot be combined with others: set it alone, or networks only, here and in %s", at(networksKey), name, modeKey)
		}
	}
	if isAlone(mode) && slices.ContainsFunc(all, func(other string) bool { return other != "" && other != mode }) {
		return fmt.Errorf("%s: %q cannot be combined with others: set it alone, or networks only, here and in %s", at(modeKey), mode, networksKey)
	}
	return nil
}
