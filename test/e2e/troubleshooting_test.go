// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/test/peer"
	"fabric-builder-docker/test/symptoms"
)

// isOnThePage checks that the lines that docs/troubleshooting.md quotes for a symptom are among the printed ones. The page's
// other symptoms are compared in test/troubleshooting_test.go, with an engine that misbehaves on demand.
func isOnThePage(t *testing.T, symptom, printed string) {
	t.Helper()
	section, err := symptoms.Find(symptom)
	require.NoError(t, err)
	require.NotEmpty(t, section.Lines)
	assert.Empty(t, section.Missing(printed), "not printed; this was:\n%s", printed)
}

// needsModule is a Go package that needs a module which no cache and no image has.
func needsModule() []peer.Entry {
	return []peer.Entry{
		peer.File("src/go.mod", "module example.com/chaincode\n\ngo 1.21\n\nrequire example.com/nowhere v1.0.0\n"),
		peer.File("src/go.sum", "example.com/nowhere v1.0.0 h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"+
			"example.com/nowhere v1.0.0/go.mod h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"),
		peer.File("src/main.go", "package main\n\nimport _ \"example.com/nowhere\"\n\nfunc main() {}\n"),
	}
}

// failedInstall installs a package with these settings, which must fail, and returns what build has printed.
func failedInstall(t *testing.T, settings string, pkg []byte) string {
	t.Helper()
	p := newPeer(t, withBuilder(builder(t, config(settings))))
	_, err := p.Install(timeout(t), pkg)
	require.ErrorContains(t, err, "exit status 1")
	return p.said("build")
}

func TestABuildWithoutAWayToTheModuleProxy(t *testing.T) {
	const proxied = "  build: {output: all, environment: {GOPROXY: \"https://proxy.example.com\", HTTPS_PROXY: \"http://127.0.0.1:1\"}}\n"
	const cutOff = "  build: {output: all, network: none, environment: {GOPROXY: \"https://proxy.example.com\"}}\n"
	said := failedInstall(t, proxied, fresh(t, "golang", "proxied_1.0", needsModule()...))
	said += failedInstall(t, cutOff, fresh(t, "golang", "cut_off_1.0", needsModule()...))
	isOnThePage(t, "The build has no way to the module proxy", said)
}

func TestAModuleProxyWhoseCertificateIsNotTrusted(t *testing.T) {
	proxy := httptest.NewUnstartedServer(http.NotFoundHandler())
	proxy.Config.ErrorLog = log.New(io.Discard, "", 0)
	proxy.StartTLS()
	t.Cleanup(proxy.Close)
	settings := "  build: {output: all, network: host, environment: {GOPROXY: \"" + proxy.URL + "\"}}\n"
	said := failedInstall(t, settings, fresh(t, "golang", "intercepted_1.0", needsModule()...))
	isOnThePage(t, "The module proxy's certificate is not trusted", said)
}

func TestDependenciesThatCannotBeInstalled(t *testing.T) {
	const settings = "  build: {output: all, environment: {npm_config_registry: \"http://127.0.0.1:1\", npm_config_fetch_retries: \"0\"}}\n"
	code := []peer.Entry{
		peer.File("src/package.json", `{"name":"n","version":"1.0.0","dependencies":{"is-number":"7.0.0","is-odd":"3.0.1"}}`),
		peer.File("src/node_modules/is-odd/package.json", `{"name":"is-odd","version":"3.0.1","dependencies":{"is-number":"^6.0.0"}}`),
		peer.File("src/node_modules/is-odd/index.js", "module.exports = n => n % 2 === 1;\n"),
	}
	isOnThePage(t, "Dependencies of a Node package are missing", failedInstall(t, settings, fresh(t, "node", "lacking_1.0", code...)))
}

func TestAProgramForAnotherProcessor(t *testing.T) {
	foreign := "arm64"
	if runtime.GOARCH == foreign {
		foreign = "amd64"
	}
	p := newPeer(t, withBuilder(builder(t, config("  build: {output: all, environment: {GOARCH: "+foreign+"}}\n"))))
	id := p.install(t, fresh(t, "golang", "foreign_1.0", entries(t, filepath.Join(world.samples, "dies"))...))
	_, err := p.Launch(timeout(t), id)
	require.Error(t, err)
	p.ended(t, id)
	isOnThePage(t, "The program is for another processor", p.said("run"))
}
