// SPDX-License-Identifier: Apache-2.0

package proxyworld_test

import (
	"bytes"
	"crypto/sha1"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/test/proxyworld"
)

var module = proxyworld.GoModule{
	Path: "go.example.test/greeting", Version: "v1.2.3",
	Files: map[string]string{"go.mod": "module go.example.test/greeting\n\ngo 1.21\n", "greeting.go": "package greeting\n\nconst Text = \"hello\"\n"},
}

// command runs a real client with an environment of its own.
func command(t *testing.T, dir string, env []string, name string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}, env...)
	output, err := cmd.CombinedOutput()
	return string(output), err
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
}

// The go command checks the sums.
func TestTheGoCommandTakesAModule(t *testing.T) {
	ca := proxyworld.NewCA(t)
	guarded := proxyworld.RequireBasic(proxyworld.GoModules{Modules: []proxyworld.GoModule{module}}, "ada", "s3cret")
	address := proxyworld.ServeTLS(t, ca, proxyworld.Loopback, guarded)
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"ca.pem": string(ca.PEM()),
		"go.mod": "module example.test/cc\n\ngo 1.21\n\nrequire go.example.test/greeting v1.2.3\n",
		"go.sum": module.Sums(),
		"cc.go":  "package cc\n\nimport _ \"go.example.test/greeting\"\n",
	})
	env := []string{"GOPROXY=" + address, "GONOSUMDB=go.example.test", "GOFLAGS=-modcacherw", "SSL_CERT_FILE=" + filepath.Join(dir, "ca.pem")}
	output, err := command(t, dir, env, "go", "mod", "download", "-x", "all")
	require.Error(t, err)
	assert.Contains(t, output, "401 Unauthorized")
	write(t, dir, map[string]string{".netrc": "machine " + strings.TrimPrefix(address, "https://") + " login ada password s3cret\n"})
	output, err = command(t, dir, env, "go", "list", "-m", "-versions", module.Path)
	require.NoError(t, err, output)
	assert.Equal(t, module.Path+" v1.2.3\n", output)
	output, err = command(t, dir, env, "go", "mod", "verify")
	require.NoError(t, err, output)
	output, err = command(t, dir, env, "go", "vet", "./...")
	require.NoError(t, err, output)
	assert.Positive(t, guarded.Answers(401))
	assert.Positive(t, guarded.Answers(200))
}

// npm takes the one package from the registry itself, and the other from one outside that says where its archives are.
func TestNPMTakesPackages(t *testing.T) {
	own := proxyworld.NPMPackage{Name: "@corp/greeting", Version: "1.2.3", Files: map[string]string{"index.js": "module.exports = 'hello';\n"}}
	other := proxyworld.NPMPackage{Name: "other", Version: "4.5.6", Files: map[string]string{"index.js": "module.exports = 'other';\n"}}
	outside := httptest.NewUnstartedServer(nil)
	outside.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		written := httptest.NewRecorder()
		proxyworld.NPMPackages{Packages: []proxyworld.NPMPackage{other}}.ServeHTTP(written, r)
		w.Header().Set("Content-Type", written.Header().Get("Content-Type"))
		_, _ = w.Write(bytes.ReplaceAll(written.Body.Bytes(), []byte("https://"), []byte("http://")))
	})
	outside.Start()
	defer outside.Close()
	ca := proxyworld.NewCA(t)
	guarded := proxyworld.RequireBearer(proxyworld.NPMPackages{
		Packages: []proxyworld.NPMPackage{own}, Rest: proxyworld.PassOn(outside.URL),
	}, "t0ken")
	address := proxyworld.ServeTLS(t, ca, proxyworld.Loopback, guarded)
	dir := t.TempDir()
	write(t, dir, map[string]string{"ca.pem": string(ca.PEM()), "package.json": `{"name":"cc","version":"1.0.0","dependencies":{"@corp/greeting":"1.2.3","other":"4.5.6"}}`})
	env := []string{"NPM_CONFIG_REGISTRY=" + address, "NPM_CONFIG_CAFILE=" + filepath.Join(dir, "ca.pem")}
	output, err := command(t, dir, env, "npm", "install")
	require.Error(t, err)
	assert.Contains(t, output, "E401")
	write(t, dir, map[string]string{".npmrc": strings.TrimPrefix(address, "https:") + "/:_authToken=t0ken\n"})
	output, err = command(t, dir, env, "npm", "install")
	require.NoError(t, err, output)
	output, err = command(t, dir, env, "node", "-p", "require('@corp/greeting') + require('other')")
	require.NoError(t, err, output)
	assert.Equal(t, "helloother\n", output)
	locked, err := os.ReadFile(filepath.Join(dir, "package-lock.json"))
	require.NoError(t, err)
	assert.Contains(t, string(locked), own.Integrity())
	assert.NotContains(t, string(locked), outside.URL)
}

func TestAMavenRepository(t *testing.T) {
	artifact := proxyworld.MavenArtifact{Group: "com.example", ID: "greeting", Version: "1.2", Files: map[string]string{"greeting.txt": "hello"}}
	outside := httptest.NewServer(says("outside"))
	defer outside.Close()
	ca := proxyworld.NewCA(t)
	address := proxyworld.ServeTLS(t, ca, proxyworld.Loopback,
		proxyworld.RequireBasic(proxyworld.MavenArtifacts{Artifacts: []proxyworld.MavenArtifact{artifact}, Rest: proxyworld.PassOn(outside.URL + "/maven")}, "ada", "s3cret"))
	client := clientOf(t, ca, "")
	const base = "/com/example/greeting/1.2/greeting-1.2"
	status, _ := get(t, client, address+base+".pom")
	assert.Equal(t, 401, status)
	authorised := []string{"Authorization", "Basic YWRhOnMzY3JldA=="}
	_, jar := get(t, client, address+base+".jar", authorised...)
	assert.True(t, strings.HasPrefix(jar, "PK"))
	_, sum := get(t, client, address+base+".jar.sha1", authorised...)
	assert.Equal(t, fmt.Sprintf("%x", sha1.Sum([]byte(jar))), sum)
	_, pom := get(t, client, address+base+".pom", authorised...)
	assert.Contains(t, pom, "<artifactId>greeting</artifactId><version>1.2</version>")
	_, metadata := get(t, client, address+"/com/example/greeting/maven-metadata.xml", authorised...)
	assert.Contains(t, metadata, "<release>1.2</release>")
	_, other := get(t, client, address+"/org/x/1/x-1.pom", authorised...)
	assert.Equal(t, "outside /maven/org/x/1/x-1.pom", other)
}
