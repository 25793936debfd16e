// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"path"
	"slices"
	"strings"

	"fabric-builder-docker/internal/config"
)

// environment is a list of KEY=VALUE pairs.
type environment []string

// pick returns the named variables that are set and not empty, sorted.
func (e environment) pick(names ...string) environment {
	var picked environment
	for _, variable := range e {
		name, value, _ := strings.Cut(variable, "=")
		if value != "" && slices.Contains(names, name) {
			picked = append(picked, variable)
		}
	}
	slices.Sort(picked)
	return picked
}

// without returns all variables except the named ones.
func (e environment) without(names ...string) environment {
	return slices.DeleteFunc(slices.Clone(e), func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return slices.Contains(names, name)
	})
}

// with returns the environment with more variables, which override those of the same name.
func (e environment) with(more environment) environment {
	return environment(config.Environment(e).With(more...))
}

// value returns the value of a variable, or an empty string if it is not set.
func (e environment) value(name string) string {
	for _, variable := range e {
		if value, ok := strings.CutPrefix(variable, name+"="); ok {
			return value
		}
	}
	return ""
}

// buildEnvironment returns the environment of a build container: the named variables from the program's own
// environment, overridden by everything in builder.build.environment. Proxies have both spellings.
func (r request) buildEnvironment(names ...string) environment {
	set := environment(r.settings.Builder.Build.Environment)
	picked := slices.DeleteFunc(r.environ.pick(names...), func(variable string) bool { // what is set counts in either spelling
		name, _, _ := strings.Cut(variable, "=")
		return slices.Contains(proxies, name) && set.value(strings.ToLower(name))+set.value(strings.ToUpper(name)) != ""
	})
	all := picked.with(set)
	for _, name := range proxies {
		for _, other := range []string{strings.ToLower(name), strings.ToUpper(name)} {
			if value := all.value(name); value != "" && all.value(other) == "" {
				all = append(all, other+"="+value)
			}
		}
	}
	return all
}

// npmRegistry lists the variables that say where npm downloads from, in npm's order; the last is a setting of Fabric 1.1.
var npmRegistry = []string{"npm_config_registry", "NPM_CONFIG_REGISTRY", "NODE_REGISTRY"}

// npmEnvironment returns the environment of a build with npm, with the named variables besides those of the registry.
func (r request) npmEnvironment(names ...string) environment {
	all := r.buildEnvironment(slices.Concat(names, npmRegistry)...)
	if registry := all.value("NODE_REGISTRY"); registry != "" && firstValue(all, npmRegistry...) == registry {
		all = all.with(environment{"NPM_CONFIG_REGISTRY=" + registry})
	}
	return all
}

// proxies are the proxy variables. Some tools read them in upper case, others in lower case.
var proxies = []string{
	"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "FTP_PROXY", "ALL_PROXY",
	"http_proxy", "https_proxy", "no_proxy", "ftp_proxy", "all_proxy",
}

// transport lists the variables that affect how a build downloads things, but not what: proxies, registries,
// certificates and credentials. They are not part of the content digest. builder.build.transport adds to the list.
var transport = slices.Concat(proxies, goTransport, npmRegistry, []string{
	"SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS", "GIT_SSL_CAINFO", "CURL_CA_BUNDLE",
})

// withoutTransport returns the variables that can change the output of a build, sorted.
func (r request) withoutTransport(variables []string) []string {
	var rest []string
	for _, variable := range variables {
		if name, _, _ := strings.Cut(variable, "="); !r.isTransport(name) {
			rest = append(rest, variable)
		}
	}
	slices.Sort(rest)
	return rest
}

func (r request) isTransport(name string) bool {
	return slices.Contains(transport, name) || slices.ContainsFunc(r.settings.Builder.Build.Transport, func(pattern string) bool {
		matches, _ := path.Match(pattern, name) // config has validated the pattern
		return matches
	})
}
