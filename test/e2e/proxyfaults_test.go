// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/test/proxyworld"
)

// fails builds a package that does not build with these settings, and returns build's last line.
func (c *company) fails(t *testing.T, l companyLanguage, g given) string {
	t.Helper()
	u := unpack(t, l.packageType, "corp_1.0", l.code(t)...)
	p := start(t, c.builder(t, g), "build", u.source, u.metadata, u.output)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(p.stderr)
		}
	})
	require.Equal(t, 1, p.status(t))
	for _, secret := range []string{c.password, c.token, c.proxyPassword} {
		assert.NotContains(t, p.stderr.String(), secret)
	}
	return lastLine(p.stderr.String())
}

// closedPort returns an address at which nobody listens.
func closedPort(t *testing.T, host string) string {
	t.Helper()
	listener, err := net.Listen("tcp", host+":0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	return listener.Addr().String()
}

// What operators see when one of the settings is missing or wrong. Each message names the setting.
func TestABuildThatDoesNotGetOutNamesTheSetting(t *testing.T) {
	t.Parallel()
	c := newCompany(t)
	const proxy, ca, secrets = "HTTPS_PROXY and HTTP_PROXY in builder.build.environment", "builder.build.caBundle", "builder.build.secrets"
	const reach = "HTTPS_PROXY and mirrors stand in builder.build.environment"
	faults := map[string]struct {
		change    func(t *testing.T, g given) given
		expected  string
		languages []string
	}{
		"no proxy": {func(_ *testing.T, g given) given {
			return g.with(map[string]string{"HTTPS_PROXY": "", "HTTP_PROXY": ""})
		}, reach, []string{"golang"}},
		"the proxy is down":             {func(t *testing.T, g given) given { return g.with(c.proxies("http://" + closedPort(t, c.domain))) }, reach, most},
		"the proxy asks for a password": {func(_ *testing.T, g given) given { return g.with(c.proxies(c.strict.URL())) }, proxy, most},
		"the proxy refuses the password": {func(_ *testing.T, g given) given {
			return g.with(c.proxies(c.strict.URLWith(c.user, "wrong")))
		}, proxy, fast},
		"no CA":     {func(_ *testing.T, g given) given { return g.withoutCA() }, ca, all},
		"wrong CA":  {func(t *testing.T, g given) given { g.ca = proxyworld.NewCA(t).PEM(); return g }, ca, fast},
		"no secret": {func(_ *testing.T, g given) given { return g.anonymous() }, secrets, all},
		"the registry refuses the secret": {func(_ *testing.T, g given) given {
			wrong := map[string]string{}
			for place, text := range g.secrets {
				wrong[place] = strings.NewReplacer(c.password, "wrong", c.token, "wrong").Replace(text)
			}
			g.secrets = wrong
			return g
		}, secrets, most},
	}
	t.Run("faults", func(t *testing.T) {
		for name, fault := range faults {
			for _, language := range fault.languages {
				t.Run(language+", "+name, func(t *testing.T) {
					t.Parallel() // most of them wait
					l := companyLanguages[language]
					g := fault.change(t, c.behind(t, l, c.open.URL()))
					if l.packageType == "java" {
						g.more = "  snapshots: false\n" // one build instead of two
					}
					last := c.fails(t, l, g)
					assert.Contains(t, last, "[ERROR] build: ")
					assert.Contains(t, last, fault.expected)
				})
			}
		}
	})
	for _, image := range c.images(t) {
		assert.Contains(t, image, "/base:", "a build that has failed leaves no image")
	}
}

// Languages of companyLanguages. Gradle takes longest.
var (
	fast = []string{"golang", "node"}
	most = append(fast[:2:2], "java with Maven")
	all  = append(most[:3:3], "java with Gradle")
)

// A secret file that cannot be read stops the build before the engine is asked: there is none at that endpoint.
func TestASecretFileThatCannotBeReadStopsTheBuild(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "directory"), 0o700))
	require.NoError(t, syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "large"), make([]byte, 1<<20), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "text"), []byte("no certificate"), 0o600))
	for name, test := range map[string]struct{ setting, expected string }{
		"missing":       {"secrets: {~/.netrc: nowhere/netrc}", "nowhere/netrc"},
		"a directory":   {"secrets: {~/.netrc: " + dir + "/directory}", dir + "/directory"},
		"a pipe":        {"secrets: {~/.netrc: " + dir + "/pipe}", dir + "/pipe"},
		"too large":     {"secrets: {~/.netrc: " + dir + "/large}", "~/.netrc"},
		"a missing CA":  {"caBundle: nowhere/ca.pem", "nowhere/ca.pem"},
		"a CA of words": {"caBundle: " + dir + "/text", dir + "/text"},
	} {
		t.Run(name, func(t *testing.T) {
			settings := "vm: {endpoint: unix:///nowhere/docker.sock}\nbuilder:\n  build:\n    " + test.setting + "\n"
			u := unpack(t, "golang", "corp_1.0", corpGo(t)...)
			p := start(t, builder(t, settings), "build", u.source, u.metadata, u.output)
			require.Equal(t, 1, p.status(t), p.stderr)
			last := lastLine(p.stderr.String())
			assert.Contains(t, last, test.expected)
			setting, _, _ := strings.Cut(test.setting, ":")
			assert.Contains(t, last, "builder.build."+setting)
			assert.NotContains(t, last, "/nowhere/docker.sock")
		})
	}
}
