// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"crypto/rand"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/test/baseimages"
	"fabric-builder-docker/test/proxyworld"
)

// Names of servers that only the company's proxy knows.
const (
	goHost    = "go.example.test"
	npmHost   = "npm.example.test"
	mavenHost = "maven.example.test"
)

// company is a network without a way out: its builds reach the gateway alone, where a proxy listens, and mirrors of the public
// registries. Both give access to private registries, too, which ask for credentials.
type company struct {
	ca              *proxyworld.CA
	network, domain string // domain is the address of the gateway
	prefix          string // of the images and caches, so that nothing is there before
	user, password  string
	token           string // for npm
	proxyPassword   string
	open, strict    *proxyworld.Proxy // strict asks for a password

	modules, packages, artifacts *proxyworld.Guarded
	mirrors                      map[string]string // URLs by host behind the proxy
}

var (
	greetingModule = proxyworld.GoModule{Path: goHost + "/greeting", Version: "v1.2.3", Files: map[string]string{
		"go.mod": "module " + goHost + "/greeting\n\ngo 1.21\n", "greeting.go": "package greeting\n\nconst Text = \"hello\"\n",
	}}
	greetingPackage  = proxyworld.NPMPackage{Name: "@corp/greeting", Version: "1.2.3", Files: map[string]string{"index.js": "module.exports = 'hello';\n"}}
	greetingArtifact = proxyworld.MavenArtifact{Group: "test.example", ID: "greeting", Version: "1.2", Files: map[string]string{"greeting.txt": "hello"}}
)

func newCompany(t *testing.T) *company {
	t.Helper()
	unique := strings.ToLower(rand.Text()[:10])
	c := &company{
		ca: proxyworld.NewCA(t), prefix: prefix + "-" + unique,
		user: "ada", password: "pw" + rand.Text(), token: "npm" + rand.Text(), proxyPassword: "proxy" + rand.Text(),
	}
	c.network, c.domain = createInternalNetwork(t, prefix+"-"+unique)
	t.Cleanup(func() { c.remove(t) }) // before the network
	c.modules = proxyworld.RequireBasic(proxyworld.GoModules{
		Modules: []proxyworld.GoModule{greetingModule}, Rest: proxyworld.PassOn(goProxy(t)),
	}, c.user, c.password)
	c.packages = proxyworld.RequireBearer(proxyworld.NPMPackages{
		Packages: []proxyworld.NPMPackage{greetingPackage}, Rest: proxyworld.PassOn(printedHere(t, "npm", "config", "get", "registry")),
	}, c.token)
	c.artifacts = proxyworld.RequireBasic(proxyworld.MavenArtifacts{
		Artifacts: []proxyworld.MavenArtifact{greetingArtifact}, Rest: proxyworld.PassOn(mavenCentral(t)),
	}, c.user, c.password)
	options := proxyworld.ProxyOptions{Address: c.domain + ":0", Hosts: map[string]http.Handler{
		goHost: c.modules, npmHost: c.packages, mavenHost: c.artifacts,
	}}
	c.mirrors = map[string]string{}
	for host, handler := range options.Hosts {
		c.mirrors[host] = proxyworld.ServeTLS(t, c.ca, options.Address, handler)
	}
	c.open = proxyworld.StartProxy(t, c.ca, options)
	options.User, options.Password = c.user, c.proxyPassword
	c.strict = proxyworld.StartProxy(t, c.ca, options)
	return c
}

// createInternalNetwork creates a network whose containers reach its gateway and no other address. It is removed when the test
// ends.
func createInternalNetwork(t *testing.T, name string) (network, gateway string) {
	t.Helper()
	spec := map[string]any{"Name": name, "CheckDuplicate": true, "Internal": true}
	require.NoError(t, world.engine.Post(timeout(t), "/networks/create", spec, nil))
	t.Cleanup(func() { assert.NoError(t, world.engine.Delete(background(t), "/networks/"+name)) })
	var found struct {
		IPAM struct{ Config []struct{ Gateway string } }
	}
	require.NoError(t, world.engine.Get(timeout(t), "/networks/"+name, &found))
	require.NotEmpty(t, found.IPAM.Config)
	return name, found.IPAM.Config[0].Gateway
}

// goProxy returns the first module proxy that this machine uses.
func goProxy(t *testing.T) string {
	t.Helper()
	first, _, _ := strings.Cut(printedHere(t, "go", "env", "GOPROXY"), ",")
	first, _, _ = strings.Cut(first, "|")
	return first
}

// printedHere returns what a command prints on this machine.
func printedHere(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = t.TempDir()
	output, err := cmd.Output()
	require.NoError(t, err)
	return strings.TrimSpace(string(output))
}

// mavenCentral returns the URL of the repository that Maven in the image uses by default: it is in the model that all others
// inherit from.
func mavenCentral(t *testing.T) string {
	t.Helper()
	const find = `cd /tmp && jar xf "$(find / -xdev -name 'maven-model-builder*.jar' | head -n 1)" org/apache/maven/model/pom-4.0.0.xml && ` +
		`sed -n 's|.*<url>\(.*\)</url>.*|\1|p' org/apache/maven/model/pom-4.0.0.xml | head -n 1`
	id := createContainer(t, "", map[string]any{"Image": javaenv(t), "User": "0", "Entrypoint": []string{"sh", "-c", find}})
	require.NoError(t, world.engine.Post(timeout(t), "/containers/"+id+"/start", nil, nil))
	require.NoError(t, world.engine.Post(timeout(t), "/containers/"+id+"/wait", nil, nil))
	found := strings.TrimSpace(printedBy(t, id))
	require.True(t, strings.HasPrefix(found, "https://"), found)
	return found
}

func javaenv(t *testing.T) string {
	t.Helper()
	image := os.Getenv("FBD_TEST_JAVAENV")
	require.NotEmpty(t, image, "FBD_TEST_JAVAENV is not set: run these tests through make test")
	return image
}

// remove removes all images and caches of the company's builds. Images are removed by name, the newest first, since engines do
// not remove one that another is made from.
func (c *company) remove(t *testing.T) {
	t.Helper()
	for _, image := range c.images(t) {
		assert.NoError(t, world.engine.Delete(background(t), "/images/"+image+"?force=1"))
	}
	for _, volume := range c.volumes(t) {
		assert.NoError(t, world.engine.Delete(background(t), "/volumes/"+volume))
	}
}

func (c *company) images(t *testing.T) []string {
	t.Helper()
	var all []struct{ RepoTags []string }
	require.NoError(t, world.engine.Get(background(t), "/images/json", &all))
	var names []string
	for _, image := range all {
		for _, name := range image.RepoTags {
			if strings.HasPrefix(name, c.prefix+"/") {
				names = append(names, name)
			}
		}
	}
	return names
}

func (c *company) volumes(t *testing.T) []string {
	t.Helper()
	var all struct{ Volumes []struct{ Name string } }
	require.NoError(t, world.engine.Get(background(t), "/volumes", &all))
	var names []string
	for _, volume := range all.Volumes {
		if strings.HasPrefix(volume.Name, c.prefix) {
			names = append(names, volume.Name)
		}
	}
	return names
}

// given is what an operator of the company gives to builds.
type given struct {
	environment map[string]string
	secrets     map[string]string // places and texts
	ca          []byte            // none if empty
	more        string            // of the builder section
}

// with returns the same with more variables. A variable without a value is taken away.
func (g given) with(environment map[string]string) given {
	merged := map[string]string{}
	maps.Copy(merged, g.environment)
	maps.Copy(merged, environment)
	g.environment = merged
	maps.DeleteFunc(g.environment, func(_, value string) bool { return value == "" })
	return g
}

func (g given) withoutCA() given {
	g.ca = nil
	return g
}

// anonymous returns the same without credentials. An .npmrc also says which registry has a package.
func (g given) anonymous() given {
	npm, ok := g.secrets["~/.npmrc"]
	g.secrets = nil
	if registry, _, _ := strings.Cut(npm, "\n"); ok {
		g.secrets = map[string]string{"~/.npmrc": registry + "\n"}
	}
	return g
}

// builder returns a directory for chaincode.externalBuilders with these settings.
func (c *company) builder(t *testing.T, g given) string {
	t.Helper()
	files := map[string]string{}
	build := fmt.Sprintf("  build:\n    output: all\n    network: %s\n    environment:\n", c.network)
	for _, name := range slices.Sorted(maps.Keys(g.environment)) {
		build += fmt.Sprintf("      %s: %q\n", name, g.environment[name])
	}
	if len(g.ca) > 0 {
		files["ca.pem"] = string(g.ca)
		build += "    caBundle: ca.pem\n"
	}
	if len(g.secrets) > 0 {
		build += "    secrets:\n"
	}
	for i, place := range slices.Sorted(maps.Keys(g.secrets)) {
		name := fmt.Sprintf("secret-%d", i)
		files[name] = g.secrets[place]
		build += fmt.Sprintf("      %s: %s\n", place, name)
	}
	settings := strings.Replace(config(build+g.more), "prefix: "+prefix+"\n", "prefix: "+c.prefix+"\n", 1)
	settings = strings.Replace(settings, "chaincode:\n", "chaincode:\n  java: {runtime: "+javaenv(t)+"}\n", 1)
	require.Contains(t, settings, c.prefix)
	require.Contains(t, settings, baseimages.NodeScripts()[0])
	dir := builder(t, settings)
	for name, text := range files {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	return dir
}
