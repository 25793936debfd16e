// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"math"
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

var (
	// imageName matches an image name without a tag: builder.prefix, the Docker namespace, the mirror.
	imageName = regexp.MustCompile(`^[a-z0-9]+(([._]|__|-+)[a-z0-9]+)*(:[0-9]+)?(/[a-z0-9]+(([._]|__|-+)[a-z0-9]+)*)*$`)
	// imageReference roughly matches an image name with an optional tag or digest; the engine checks it exactly.
	imageReference = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.:/@-]*$`)
	// fabricVersion matches a Fabric version of two or three numbers, or a tag such as latest.
	fabricVersion = regexp.MustCompile(`^v?[0-9]+\.[0-9]+(\.[0-9]+)?(-[a-zA-Z0-9.]+)*$|^[a-z]+$`)
	// variable matches NAME=VALUE.
	variable = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_.-]*=`)
	// sha256Sum matches a SHA-256 sum as sha256sum prints it.
	sha256Sum = regexp.MustCompile(`^[0-9a-f]{64}$`)
	// keyReader matches UID, UID:GID and KeyReaderAll.
	keyReader = regexp.MustCompile(`^([0-9]{1,10}(:[0-9]{1,10})?|` + KeyReaderAll + `)?$`)
)

// memoryMin is the lowest memory limit that engines accept, in bytes.
const memoryMin = 6 << 20

// invalid returns the error for a setting whose value is not what was expected.
func invalid(name string, value any, expected string) error {
	if text, ok := value.(string); ok {
		return fmt.Errorf("%s: invalid value %q: expected %s", name, text, expected)
	}
	return fmt.Errorf("%s: invalid value %v: expected %s", name, value, expected)
}

// check refuses values that make no sense or that every engine rejects. It checks each key independently of the others.
func (s *Settings) check() error {
	return firstError(s.checkEngine, s.checkHost, s.checkResources, s.checkChaincode, s.checkBuilder, s.checkOverrides)
}

// firstError runs the checks in order and returns the first error.
func firstError(checks ...func() error) error {
	for _, check := range checks {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (s *Settings) checkEngine() error {
	scheme, rest, _ := strings.Cut(withScheme(s.VM.Endpoint), "://")
	if s.VM.Endpoint != "" && (rest == "" || !slices.Contains([]string{"unix", "tcp", "http", "https"}, scheme)) {
		return invalid("vm.endpoint", s.VM.Endpoint, "unix:///path, tcp://host:port, http://host:port, https://host:port, or an empty value for the default")
	}
	return nil
}

func (s *Settings) checkHost() error {
	host := s.VM.Docker.HostConfig
	for _, server := range host.Dns {
		if _, err := netip.ParseAddr(server); err != nil {
			return invalid("vm.docker.hostConfig.Dns", server, "an IP address")
		}
	}
	for _, extra := range host.ExtraHosts {
		if name, address, _ := strings.Cut(extra, ":"); name == "" || address == "" {
			return invalid("vm.docker.hostConfig.ExtraHosts", extra, "NAME:ADDRESS")
		}
	}
	return nil
}

func (s *Settings) checkResources() error {
	const name = "vm.docker.hostConfig."
	host := s.VM.Docker.HostConfig
	switch swappiness := host.MemorySwappiness; {
	case badMemory(host.Memory):
		return invalid(name+"Memory", host.Memory, memoryAllowed)
	case host.MemorySwap < -1:
		return invalid(name+"MemorySwap", host.MemorySwap, "memory and swap together in bytes, -1 for no limit, or 0 for no swap")
	case swappiness != nil && (*swappiness < 0 || *swappiness > 100):
		return invalid(name+"MemorySwappiness", *swappiness, "0 to 100")
	case host.CpuShares < 0:
		return invalid(name+"CpuShares", host.CpuShares, "at least 0")
	case host.CpuPeriod != 0 && (host.CpuPeriod < 1000 || host.CpuPeriod > 1000000):
		return invalid(name+"CpuPeriod", host.CpuPeriod, "1000 to 1000000, or 0 for the engine's default")
	case host.CpuQuota != 0 && host.CpuQuota < 1000:
		return invalid(name+"CpuQuota", host.CpuQuota, "at least 1000, or 0 for no limit")
	case host.BlkioWeight != 0 && (host.BlkioWeight < 10 || host.BlkioWeight > 1000):
		return invalid(name+"BlkioWeight", host.BlkioWeight, "10 to 1000, or 0 for the engine's default")
	}
	return nil
}

var memoryAllowed = fmt.Sprintf("at least %d bytes, or 0 for no limit", memoryMin)

func badMemory(bytes int64) bool { return bytes != 0 && bytes < memoryMin }

const cpusAllowed = "at least 0.01, or 0 for no limit"

const keyReaderAllowed = "UID or UID:GID as numbers, or " + KeyReaderAll

// badKeyReader reports whether a value names nobody. The highest number stands for no user and no group.
func badKeyReader(value string) bool {
	if !keyReader.MatchString(value) {
		return true
	}
	for id := range strings.SplitSeq(value, ":") {
		if number, err := strconv.ParseUint(id, 10, 64); err == nil && number >= math.MaxUint32 {
			return true
		}
	}
	return false
}

func badCPUs(cpus float64) bool { return cpus != 0 && cpus < 0.01 || cpus > 1e6 }

func (s *Settings) checkChaincode() error {
	if s.Chaincode.StartupTimeout < time.Second {
		return invalid("chaincode.startuptimeout", s.Chaincode.StartupTimeout, "at least 1s")
	}
	return nil
}

// checkImage checks the name of an image that a setting holds.
func (s *Settings) checkImage(name, image string) error {
	if imageReference.MatchString(s.expand(name, image)) {
		return nil
	}
	return invalid(name, image, "an image name; the placeholders are $(ARCH), $(PROJECT_VERSION), $(TWO_DIGIT_VERSION) and $(DOCKER_NS)")
}

// CheckImage returns an error if the setting holds no name of an image. For those in core.yaml, only a package that needs the
// image finds that out: the peer starts with placeholders of earlier versions, too.
func (s Settings) CheckImage(setting, image string) error {
	if imageReference.MatchString(image) { // an override names another
		return nil
	}
	return s.imageErrors[setting]
}

const imageNameAllowed = "an image name: lower-case letters and digits, separated by . _ - or /"

func (s *Settings) checkBuilder() error {
	b := s.Builder
	switch {
	case !imageName.MatchString(b.Prefix):
		return invalid("builder.prefix", b.Prefix, imageNameAllowed)
	case b.DockerNamespace != "" && !imageName.MatchString(b.DockerNamespace):
		return invalid("builder.dockerNamespace", b.DockerNamespace, imageNameAllowed)
	case b.Registry.Mirror != "" && !imageName.MatchString(b.Registry.Mirror):
		return invalid("builder.registry.mirror", b.Registry.Mirror, imageNameAllowed)
	case b.FabricVersion != "" && !fabricVersion.MatchString(b.FabricVersion):
		return invalid("builder.fabricVersion", b.FabricVersion, "a version such as 3.1 or 3.1.4")
	case b.Pids < 1:
		return invalid("builder.pids", b.Pids, "at least 1")
	case badCPUs(b.CPUs):
		return invalid("builder.cpus", b.CPUs, cpusAllowed)
	case badKeyReader(b.Security.KeyReader):
		return invalid("builder.security.keyReader", b.Security.KeyReader, keyReaderAllowed)
	case badMemory(b.Build.Memory):
		return invalid("builder.build.memory", b.Build.Memory, memoryAllowed)
	case badCPUs(b.Build.CPUs):
		return invalid("builder.build.cpus", b.Build.CPUs, cpusAllowed)
	case b.Build.Pids < 0:
		return invalid("builder.build.pids", b.Build.Pids, "at least 1, or 0 for the engine's default")
	case b.Build.OutputSize < 0:
		return invalid("builder.build.outputSize", b.Build.OutputSize, "at least 1 byte, or 0 for no limit")
	case b.Build.OutputFiles < 0:
		return invalid("builder.build.outputFiles", b.Build.OutputFiles, "at least 1, or 0 for no limit")
	}
	return firstError(b.checkTimes, b.checkChoices, b.checkEnvironments)
}

func (b Builder) checkTimes() error {
	switch {
	case b.BuildTimeout < time.Second:
		return invalid("builder.buildTimeout", b.BuildTimeout, "at least 1s")
	case b.Registry.Timeout < time.Second:
		return invalid("builder.registry.timeout", b.Registry.Timeout, "at least 1s")
	case b.Registry.InactivityTimeout < time.Second:
		return invalid("builder.registry.inactivityTimeout", b.Registry.InactivityTimeout, "at least 1s")
	case b.StopGrace < 0 || b.StopGrace > maxGrace || b.StopGrace%time.Second != 0:
		return invalid("builder.stopGrace", b.StopGrace, "whole seconds, at most 3s, because the peer kills run after 5s")
	}
	return nil
}

// maxGrace leaves time to kill and remove a container before the peer kills run, 5 seconds after SIGTERM.
const maxGrace = 3 * time.Second

func (b Builder) checkChoices() error {
	for _, choice := range []struct {
		name, value string
		allowed     []string
	}{
		{"builder.build.output", b.Build.Output, []string{OutputSummary, OutputAll}},
		{"builder.cache.scope", b.Cache.Scope, []string{CacheEngine, CacheMSP, CacheLabel, CacheOff}},
		{"builder.pullPolicy", b.PullPolicy, []string{PullAlways, PullMissing, PullNever}},
		{"builder.log.level", b.Log.Level, []string{"trace", "debug", "info", "warn", "error"}},
		{"builder.log.format", b.Log.Format, []string{"text", "json"}},
	} {
		if !slices.Contains(choice.allowed, choice.value) {
			return invalid(choice.name, choice.value, "one of "+strings.Join(choice.allowed, ", "))
		}
	}
	for _, sum := range b.Node.KnownScripts {
		if !sha256Sum.MatchString(sum) {
			return invalid("builder.node.knownScripts", sum, "the SHA-256 sum of a script as sha256sum prints it, 64 lower-case hex digits")
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
			return invalid("builder.build.transport", pattern, "the name of a variable, the place of a secret file, or a pattern such as NEXUS_*")
		}
	}
	if err := checkSecrets(b.Build.Secrets); err != nil {
		return err
	}
	if err := b.BuildArgs.check("builder.buildArgs"); err != nil {
		return err
	}
	if err := b.Dockerfile.check(); err != nil {
		return err
	}
	return b.Environment.checkChaincode("builder.environment")
}

// checkSecrets checks the places of secret files. Under /chaincode a file, or a link to it, could get into the image.
func checkSecrets(secrets map[string]string) error {
	for place, file := range secrets {
		rest, inHome := strings.CutPrefix(place, "~/")
		if inHome {
			rest = "/" + rest
		}
		switch clean := path.Clean(rest); {
		case !strings.HasPrefix(rest, "/"), clean != rest, clean == "/", strings.ContainsFunc(place, unicode.IsControl), strings.HasPrefix(clean, "/run/fabric-builder-docker/"),
			!inHome && (clean+"/" == "/chaincode/" || strings.HasPrefix(clean, "/chaincode/")):
			return fmt.Errorf("builder.build.secrets: invalid place %q: expected the absolute path of a file in build containers "+
				"outside of /chaincode, or one that begins with ~/, such as ~/.netrc", place)
		case file == "":
			return fmt.Errorf("builder.build.secrets: %s has no file: expected the name of a file on the peer's side", place)
		}
	}
	return nil
}

func (d Dockerfiles) check() error {
	for name, patterns := range map[string][]string{"builder.dockerfile.bases": d.Bases, "builder.dockerfile.syntax": d.Syntax} {
		for _, pattern := range patterns {
			if _, err := path.Match(pattern, ""); err != nil || pattern == "" {
				return invalid(name, pattern, "the name of an image, or a pattern such as registry.example.com/base/*")
			}
		}
	}
	return nil
}

func (e Environment) check(name string) error {
	for _, pair := range e {
		if !variable.MatchString(pair) {
			key, _, _ := strings.Cut(pair, "=") // without the value, which may be a secret
			return fmt.Errorf("%s: invalid variable name %q: expected letters, digits and any of _.- after a first letter or _", name, key)
		}
		if key, _, _ := strings.Cut(pair, "="); strings.Contains(pair, "\x00") {
			return fmt.Errorf("%s: invalid value of %s: it contains a NUL, which no variable can hold", name, key)
		}
	}
	return nil
}

// reserved lists the variables that a chaincode gets from the peer. CHAINCODE_SERVER_ADDRESS is among them because it
// would make a chaincode listen for the peer instead of connecting to it.
var reserved = []string{
	"CORE_CHAINCODE_ID_NAME", "CORE_PEER_ADDRESS", "CORE_PEER_LOCALMSPID", "CORE_PEER_TLS_ENABLED", "CORE_PEER_TLS_ROOTCERT_FILE",
	"CORE_TLS_CLIENT_KEY_PATH", "CORE_TLS_CLIENT_CERT_PATH", "CORE_TLS_CLIENT_KEY_FILE", "CORE_TLS_CLIENT_CERT_FILE", "CHAINCODE_SERVER_ADDRESS",
}

// checkChaincode checks variables that are meant for chaincodes: they must not replace those of the peer.
func (e Environment) checkChaincode(name string) error {
	for _, pair := range e {
		if key, _, _ := strings.Cut(pair, "="); slices.Contains(reserved, key) {
			return fmt.Errorf("%s: cannot set %s: the contract between peer and chaincode determines its value", name, key)
		}
	}
	return e.check(name)
}

func (s *Settings) checkOverrides() error {
	for i, o := range s.Builder.Overrides {
		name := fmt.Sprintf("builder.overrides[%d].", i)
		_, labelErr := path.Match(o.Label, "")
		_, idErr := path.Match(o.PackageID, "")
		switch {
		case o.Label == "" && o.PackageID == "":
			return fmt.Errorf("%s: neither label nor packageId is set: set one of them, or both", strings.TrimSuffix(name, "."))
		case labelErr != nil:
			return invalid(name+"label", o.Label, "a label, or a pattern such as basic_*")
		case idErr != nil, o.PackageID != "" && !strings.Contains(o.PackageID, ":"):
			return invalid(name+"packageId", o.PackageID, "LABEL:HASH as the peer prints it, or a pattern such as basic_*:*")
		case o.Memory != nil && badMemory(*o.Memory):
			return invalid(name+"memory", *o.Memory, memoryAllowed)
		case o.CPUs != nil && badCPUs(*o.CPUs):
			return invalid(name+"cpus", *o.CPUs, cpusAllowed)
		case o.Pids != nil && *o.Pids < 1:
			return invalid(name+"pids", *o.Pids, "at least 1")
		case badKeyReader(o.KeyReader):
			return invalid(name+"keyReader", o.KeyReader, keyReaderAllowed)
		}
		if err := o.Environment.checkChaincode(name + "environment"); err != nil {
			return err
		}
		if err := o.Debug.check(name + "debug."); err != nil {
			return err
		}
	}
	return nil
}

// conflict is a combination of keys that makes no sense.
type conflict struct {
	err  error
	keys []string // those that are wrong without each other
}

// conflictIn returns the first combination of keys that makes no sense, or nil. It is called once all sources are read; at
// says where a key was set.
func (s *Settings) conflictIn(at func(name string) string) *conflict {
	const (
		certKey, keyKey              = "vm.docker.tls.cert.file", "vm.docker.tls.key.file"
		memoryKey, swapKey           = "vm.docker.hostConfig.Memory", "vm.docker.hostConfig.MemorySwap"
		cpusKey, periodKey, quotaKey = "builder.cpus", "vm.docker.hostConfig.CpuPeriod", "vm.docker.hostConfig.CpuQuota"
	)
	host, tls := s.VM.Docker.HostConfig, s.VM.Docker.TLS
	switch {
	case tls.Enabled && tls.Cert.File != "" && tls.Key.File == "":
		return &conflict{fmt.Errorf("%s: client certificate without a key: set %s as well, or neither", at(certKey), keyKey), []string{certKey}}
	case tls.Enabled && tls.Key.File != "" && tls.Cert.File == "":
		return &conflict{fmt.Errorf("%s: key without a client certificate: set %s as well, or neither", at(keyKey), certKey), []string{keyKey}}
	case host.MemorySwap > 0 && host.MemorySwap < max(host.Memory, 1), host.MemorySwap > 0 && host.Memory == 0:
		return &conflict{fmt.Errorf("%s: invalid value %d: expected at least %s, which must be set too, since the value covers memory and swap together", at(swapKey), host.MemorySwap, memoryKey), []string{swapKey}}
	case s.Builder.CPUs > 0 && (host.CpuPeriod > 0 || host.CpuQuota > 0):
		return &conflict{fmt.Errorf("%s: cannot be combined with %s and CpuQuota: set one or the other", at(cpusKey), periodKey), []string{periodKey, quotaKey}}
	}
	return s.networkConflict(at)
}

// networkModes lists the values of NetworkMode that do not name a network. It repeats a list in internal/docker, because
// detect must not link that package.
var networkModes = []string{"default", "host", "none", "private", "slirp4netns", "pasta"}

// isExclusive reports whether a network mode cannot be combined with other networks.
func isExclusive(mode string) bool {
	kind, _, compound := strings.Cut(mode, ":")
	return slices.Contains(networkModes, kind) || compound && (kind == "container" || kind == "ns")
}

// networkConflict returns an exclusive network mode together with other networks, or nil.
func (s *Settings) networkConflict(at func(name string) string) *conflict {
	const (
		modeKey, networksKey = "vm.docker.hostConfig.NetworkMode", "builder.networks"
		message              = "%s: %q cannot be combined with other networks: set it alone, or only set networks, here and in %s"
	)
	mode, networks := s.VM.Docker.HostConfig.NetworkMode, sorted(s.Builder.Networks)
	hasOther := func(list []string, name string) bool {
		return slices.ContainsFunc(list, func(other string) bool { return other != "" && other != name })
	}
	for _, name := range networks {
		if isExclusive(name) && hasOther(append([]string{mode}, networks...), name) {
			return &conflict{fmt.Errorf(message, at(networksKey), name, modeKey), []string{modeKey}}
		}
	}
	if isExclusive(mode) && hasOther(networks, mode) {
		return &conflict{fmt.Errorf(message, at(modeKey), mode, networksKey), []string{modeKey}}
	}
	return nil
}
