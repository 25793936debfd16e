package platform

import (
	"path"
	"slices"
	"strings"

	"fabric-builder-docker/internal/config"
)

// environment is KEY=VALUE pairs.
type environment []string

// pick is those of the named variables that are set and not empty.
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

// without is all but the named variables.
func (e environment) without(names ...string) environment {
	return slices.DeleteFunc(slices.Clone(e), func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return slices.Contains(names, name)
	})
}

// with is the environment with more variables, which win.
func (e environment) with(more environment) environment {
	return environment(config.Environment(e).With(more...))
}

// value is that of one variable, empty when it is not set.
func (e environment) value(name string) string {
	for _, variable := range e {
		if value, ok := strings.CutPrefix(variable, name+"="); ok {
			return value
		}
	}
	return ""
}

// given is what a build container gets: those of the named variables that the program itself has, and all that the
// operator has set for builds.
func (r request) given(names ...string) environment {
	return r.environ.pick(names...).with(environment(r.settings.Builder.Build.Environment))
}

// proxies lead a build out of its network. Tools know them in both cases.
var proxies = []string{
	"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "FTP_PROXY", "ALL_PROXY",
	"http_proxy", "https_proxy", "no_proxy", "ftp_proxy", "all_proxy",
}

// transport are variables that say where the same things come from and who asks for them: proxies, registries,
// certificates and credentials. They are no part of the content digest. builder.build.transport adds to them.
var transport = slices.Concat(proxies, goTransport, []string{
	"NPM_CONFIG_REGISTRY", "npm_config_registry", "NODE_REGISTRY",
	"SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS", "GIT_SSL_CAINFO", "CURL_CA_BUNDLE",
})

// output is those of these variables that can change what comes out of a build, in order.
func (r request) output(variables []string) []string {
	var output []string
	for _, variable := range variables {
		if name, _, _ := strings.Cut(variable, "="); !r.isTransport(name) {
			output = append(output, variable)
		}
	}
	slices.Sort(output)
	return output
}

func (r request) isTransport(name string) bool {
	return slices.Contains(transport, name) || slices.ContainsFunc(r.settings.Builder.Build.Transport, func(pattern string) bool {
		matches, _ := path.Match(pattern, name) // the settings are checked
		return matches
	})
}
