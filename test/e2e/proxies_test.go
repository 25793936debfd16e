// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/test/peer"
)

// behind returns what builds of a language need behind a proxy at this URL.
func (c *company) behind(t *testing.T, l companyLanguage, url string) given {
	t.Helper()
	g := l.behindProxy(t, c).with(c.proxies(url))
	g.ca = c.ca.PEM()
	return g
}

// corpPackage returns a package that needs something public and something private.
func (l companyLanguage) corpPackage(t *testing.T) []byte {
	t.Helper()
	pkg, err := peer.Assemble(map[string]any{"type": l.packageType, "label": "corp_1.0", "path": "."}, l.code(t)...)
	require.NoError(t, err)
	return pkg
}

// installs installs a package with these settings, and returns the peer.
func (c *company) installs(t *testing.T, l companyLanguage, g given) *testPeer {
	t.Helper()
	p := newPeer(t, withBuilder(c.builder(t, g)))
	l.check(t, p, p.install(t, l.corpPackage(t)))
	return p
}

// Proxies, a CA of the company's own, private registries with passwords, and mirrors, for all languages. The search at the end
// covers all these builds.
func TestBuildsWithoutAnotherWayOut(t *testing.T) {
	c := newCompany(t)
	search := c.watch(t)
	t.Run("builds", func(t *testing.T) {
		for name, l := range companyLanguages {
			t.Run(name+" behind a proxy", func(t *testing.T) {
				t.Parallel()
				g := c.behind(t, l, c.strict.URLWith(c.user, c.proxyPassword))
				search.see(t, c.installs(t, l, g))
				assert.Positive(t, l.registry(c).Count(l.host, 200), "the private registry is reached through the proxy")
				assert.Positive(t, c.strict.Count(l.host, 200))
			})
			t.Run(name+" at a mirror", func(t *testing.T) {
				t.Parallel()
				g := l.atMirror(c)
				g.ca = c.ca.PEM()
				search.see(t, c.installs(t, l, g))
				assert.Positive(t, l.registry(c).Count(c.domain, 200), "the mirror is reached without the proxy")
			})
		}
		t.Run("node at a mirror as in Fabric 1.1", func(t *testing.T) {
			t.Parallel()
			l := companyLanguages["node"]
			g := l.atMirror(c)
			g.ca = c.ca.PEM()
			g = g.with(map[string]string{"NODE_REGISTRY": g.environment["NPM_CONFIG_REGISTRY"], "NPM_CONFIG_REGISTRY": ""})
			search.see(t, c.installs(t, l, g))
		})
	})
	assert.Empty(t, search.find(t, c.password, c.token, c.proxyPassword), "a secret is here")
}

// What is not given as a secret is found: a variable, and a file of the package.
func TestTheSearchFindsWhatIsNoSecret(t *testing.T) {
	c := newCompany(t)
	search := c.watch(t)
	l := companyLanguages["node"]
	g := l.atMirror(c).with(map[string]string{"GREETING": "in a variable"})
	g.ca = c.ca.PEM()
	p := newPeer(t, withBuilder(c.builder(t, g)))
	p.install(t, fresh(t, "node", "corp_1.0", append(l.code(t), peer.File("src/file.txt", "in a file"))...))
	search.see(t, p)
	found := strings.Join(search.find(t, "in a variable", "in a file"), "\n")
	assert.Contains(t, found, "container /"+c.prefix)
	assert.Contains(t, found, "/images/get")
	assert.Contains(t, found, "source.tar.gz > src/file.txt")
}
