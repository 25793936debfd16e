// SPDX-License-Identifier: Apache-2.0

package config

import (
	"cmp"
	"fmt"
	"reflect"
	"regexp"
	"runtime"
	"strconv"
	"strings"
)

// resolve replaces values that are abbreviations, older names or placeholders by what they stand for.
func (s *Settings) resolve() {
	s.eachImage(func(name string, image *string) { *image = s.expand(name, *image) })
	if s.VM.Docker.HostConfig.CpusetCPUs == "" {
		s.VM.Docker.HostConfig.CpusetCPUs = s.VM.Docker.HostConfig.Cpuset
	}
	if s.Chaincode.Pull {
		s.Builder.PullPolicy = PullAlways
	}
	s.Chaincode.Logging.Level = s.chaincodeLevel("chaincode.logging.level", s.Chaincode.Logging.Level)
	s.Chaincode.Logging.Shim = s.chaincodeLevel("chaincode.logging.shim", s.Chaincode.Logging.Shim)
	log := &s.VM.Docker.HostConfig.LogConfig
	if log.Type != "" && log.Type != "json-file" && log.Type != "local" && reflect.DeepEqual(*log, LogConfig{log.Type, Defaults().VM.Docker.HostConfig.LogConfig.Config}) {
		log.Config = nil // other drivers do not know the options of the default rotation
	}
}

// eachImage calls do with every setting that names an image.
func (s *Settings) eachImage(do func(name string, image *string)) {
	do("chaincode.builder", &s.Chaincode.Builder)
	do("chaincode.golang.runtime", &s.Chaincode.Golang.Runtime)
	do("chaincode.java.runtime", &s.Chaincode.Java.Runtime)
	do("chaincode.node.runtime", &s.Chaincode.Node.Runtime)
	for i := range s.Builder.Overrides {
		images, name := &s.Builder.Overrides[i].Images, fmt.Sprintf("builder.overrides[%d].images.", i)
		if images.Builder != "" {
			do(name+"builder", &images.Builder)
		}
		if images.Runtime != "" {
			do(name+"runtime", &images.Runtime)
		}
	}
}

// only25 matches the images of which Fabric publishes none after 2.5, also in overrides.
var only25 = regexp.MustCompile(`/fabric-(node|java)env:`)

// expand replaces the placeholders of core.yaml in an image name, as the peer does.
func (s *Settings) expand(setting, image string) string {
	version := cmp.Or(s.Builder.FabricVersion, defaultVersion)
	if setting == "chaincode.java.runtime" || setting == "chaincode.node.runtime" || only25.MatchString(image) {
		version = upTo25(version)
	}
	return strings.NewReplacer(
		"$(ARCH)", runtime.GOARCH,
		"$(PROJECT_VERSION)", version,
		"$(TWO_DIGIT_VERSION)", twoDigits(version),
		"$(DOCKER_NS)", cmp.Or(s.Builder.DockerNamespace, defaultNamespace),
	).Replace(image)
}

// twoDigits returns MAJOR.MINOR of a version, without a leading v, as the peer derives it.
func twoDigits(version string) string {
	version = strings.TrimPrefix(version, "v")
	parts := strings.SplitN(version, ".", 3)
	return strings.Join(parts[:min(2, len(parts))], ".")
}

// upTo25 returns the version of the nodeenv and javaenv images for a version of Fabric. Fabric publishes none after 2.5:
// core.yaml of Fabric 2.5 has $(TWO_DIGIT_VERSION) there, later ones have 2.5.
func upTo25(version string) string {
	major, minor, _ := strings.Cut(twoDigits(version), ".")
	x, err := strconv.Atoi(major)
	y, _ := strconv.Atoi(minor)
	if err == nil && (x > 2 || x == 2 && y > 5) {
		return "2.5"
	}
	return version
}

// chaincodeLevel returns a log level as the peer passes it to chaincodes. Like the peer, it replaces an unknown level by
// info; it adds a warning.
func (s *Settings) chaincodeLevel(name, level string) string {
	if level == strings.ToLower(level) || level == strings.ToUpper(level) {
		if known := peerLevels[strings.ToLower(level)]; known != "" {
			return known
		}
	}
	s.Warnings = append(s.Warnings, fmt.Sprintf("%s: invalid log level %q: chaincodes get info, as from the peer", name, level))
	return "info"
}

// peerLevels maps the log levels that the peer knows, written in lower or upper case, to what it passes to chaincodes.
// The peer turns payload into Level(-2), which no chaincode knows; debug is the nearest level.
var peerLevels = map[string]string{
	"payload": "debug", "debug": "debug", "info": "info", "notice": "info", "warning": "warn", "warn": "warn",
	"error": "error", "critical": "error", "dpanic": "dpanic", "panic": "panic", "fatal": "fatal",
}
