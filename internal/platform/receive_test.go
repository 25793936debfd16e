// SPDX-License-Identifier: Apache-2.0

package platform_test

import (
	"bytes"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/config"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/platform"
	"fabric-builder-docker/test/shells"
)

// receiver runs the script that receives what a build is given, with directories of this test for those of the container.
type receiver struct {
	shell  shells.Shell
	memory string
	home   string
	bundle string // of certificates; empty: none
}

func newReceiver(t *testing.T) receiver {
	t.Helper()
	return receiver{shell: *shell, memory: t.TempDir(), home: t.TempDir()}
}

// command returns the call that receives given, and then runs a script.
func (r receiver) command(given platform.Given, script string, environment ...string) *exec.Cmd {
	words := given.Wrap([]string{"sh", "-c", script, "build", "a b", "--"})
	bundle := r.bundle
	if bundle == "" {
		bundle = "/no/bundle"
	}
	words[2] = strings.NewReplacer(platform.MemoryDir, r.memory, platform.CABundleFile, bundle).Replace(words[2])
	cmd := r.shell.Command(nil, words[1:]...)
	cmd.Env = append(append(cmd.Env, "HOME="+r.home), environment...)
	cmd.Stdin = bytes.NewReader(given.Input())
	return cmd
}

// output runs a command and returns what it prints. It does not wait for processes that the command leaves behind.
func output(t *testing.T, cmd *exec.Cmd) (string, error) {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "output"))
	require.NoError(t, err)
	defer file.Close()
	cmd.Stdout, cmd.Stderr = file, file
	failed := cmd.Run()
	text, err := os.ReadFile(file.Name())
	require.NoError(t, err)
	return string(text), failed
}

func TestABuildReceivesItsSecrets(t *testing.T) { eachShell(t, testABuildReceivesItsSecrets) }

func testABuildReceivesItsSecrets(t *testing.T) {
	r := newReceiver(t)
	elsewhere := filepath.Join(t.TempDir(), "new", "a $(b) 'c'")
	require.NoError(t, os.WriteFile(filepath.Join(r.home, ".npmrc"), []byte("of the image"), 0o644))
	given := platform.Given{
		Secrets:   []platform.Secret{{Place: elsewhere, Content: []byte("\x00\xff\n\n")}, {Place: "~/.m2/settings.xml"}, {Place: "~/.npmrc", Content: []byte("login")}},
		Variables: []string{"TOKEN=it's a $TOKEN\n\\n\"", "EMPTY="},
	}
	said, err := output(t, r.command(given, `printf '%s|' "$1" "$2" "$TOKEN" "${EMPTY-unset}"; cat; umask`))
	require.NoError(t, err, said)
	umask, err := exec.Command("sh", "-c", "umask").Output()
	require.NoError(t, err)
	assert.Equal(t, "a b|--|it's a $TOKEN\n\\n\"||"+string(umask), said)
	for place, want := range map[string]string{elsewhere: "\x00\xff\n\n", r.home + "/.m2/settings.xml": "", r.home + "/.npmrc": "login"} {
		content, err := os.ReadFile(place)
		require.NoError(t, err)
		assert.Equal(t, want, string(content), place)
		target, err := os.Readlink(place)
		require.NoError(t, err)
		assert.Equal(t, r.memory, filepath.Dir(target), "the file itself is in memory")
		info, err := os.Stat(place)
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o600), info.Mode())
	}
	info, err := os.Stat(r.home + "/.m2")
	require.NoError(t, err)
	assert.NotEqual(t, os.FileMode(0o700), info.Mode().Perm(), "the directory is like any other")
}

func TestABuildDoesNotStartWithoutItsSecrets(t *testing.T) {
	eachShell(t, testABuildDoesNotStartWithoutItsSecrets)
}

func testABuildDoesNotStartWithoutItsSecrets(t *testing.T) {
	given := platform.Given{Secrets: []platform.Secret{{Place: "~/.a", Content: []byte("one")}, {Place: "~/.b", Content: []byte("two")}}}
	whole := given.Input()
	const lost = "the connection to the engine was lost before all secrets arrived"
	for name, test := range map[string]struct {
		input   []byte
		prepare func(r receiver)
		want    string
	}{
		"nothing arrives":          {nil, nil, lost},
		"half of a line":           {whole[:2], nil, lost},
		"one file":                 {whole[:5], nil, lost},
		"no end":                   {whole[:len(whole)-4], nil, lost},
		"half an end":              {whole[:len(whole)-2], nil, lost},
		"a directory in the place": {whole, func(r receiver) { os.Mkdir(r.home+"/.a", 0o755) }, "there can be no secret file at "},
		"a file above the place":   {whole, func(r receiver) { os.Remove(r.home); os.WriteFile(r.home, nil, 0o600) }, "there can be no secret file at "},
		"no memory":                {whole, func(r receiver) { os.Remove(r.memory) }, "is not writable"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newReceiver(t)
			if test.prepare != nil {
				test.prepare(r)
			}
			cmd := r.command(given, "echo started")
			cmd.Stdin = bytes.NewReader(test.input)
			said, err := output(t, cmd)
			var failed *exec.ExitError
			require.ErrorAs(t, err, &failed)
			assert.Equal(t, 1, failed.ExitCode())
			assert.NotContains(t, said, "started")
			assert.Contains(t, said, "cannot give the build what builder.build says: ")
			assert.Contains(t, said, test.want)
		})
	}
}

// An engine that restarts between the attach and the start loses the connection, and keeps the input open for ever.
func TestABuildWhoseSecretsNeverArriveIsKilled(t *testing.T) {
	eachShell(t, testABuildWhoseSecretsNeverArriveIsKilled)
}

func testABuildWhoseSecretsNeverArriveIsKilled(t *testing.T) {
	given := platform.Given{Secrets: []platform.Secret{{Place: "~/.a", Content: []byte("one")}}}
	for name, ends := range map[string]bool{"nothing arrives": true, "all arrives": false} {
		r := newReceiver(t) // each is a container of its own
		input, writer, err := os.Pipe()
		require.NoError(t, err)
		defer writer.Close()
		cmd := r.command(given, "sleep 7; echo built")
		for i := range cmd.Args {
			cmd.Args[i] = strings.Replace(cmd.Args[i], "left=60", "left=5", 1)
		}
		cmd.Stdin = input
		if !ends {
			_, err = writer.Write(given.Input())
			require.NoError(t, err)
		}
		said, err := output(t, cmd)
		if !ends {
			require.NoError(t, err)
			assert.Equal(t, "built\n", said, name)
			continue
		}
		var failed *exec.ExitError
		require.ErrorAs(t, err, &failed)
		assert.Equal(t, syscall.SIGKILL, failed.Sys().(syscall.WaitStatus).Signal())
		assert.Contains(t, said, "the secrets did not arrive within 60 seconds: the engine has probably restarted")
	}
}

// The certificates of the image stay trusted: tools that take a file of certificates take it in place of their own.
func TestABuildTrustsTheBundleAndItsImage(t *testing.T) {
	eachShell(t, testABuildTrustsTheBundleAndItsImage)
}

func testABuildTrustsTheBundleAndItsImage(t *testing.T) {
	r := newReceiver(t)
	r.bundle = write(t, "given")
	const show = `for file in "$SSL_CERT_FILE" "$NODE_EXTRA_CA_CERTS" "$CURL_CA_BUNDLE" "$GIT_SSL_CAINFO"; do cat "$file"; done`
	given := platform.Given{CABundle: []byte("given")}
	said, err := output(t, r.command(given, show, "SSL_CERT_FILE="+write(t, "image"), "NODE_EXTRA_CA_CERTS="+write(t, "node's\n"), "CURL_CA_BUNDLE=/no/such/file"))
	require.NoError(t, err, said)
	assert.Equal(t, strings.Repeat("given\nimage\nnode's\n\n", 4), said)

	said, err = output(t, r.command(given, `cat "$SSL_CERT_FILE"`))
	require.NoError(t, err, said)
	system, err := os.ReadFile("/etc/ssl/certs/ca-certificates.crt")
	require.NoError(t, err)
	assert.Equal(t, "given\n"+string(system)+"\n", said)
}

// Maven takes the password of a proxy from its settings alone. What these hold besides stays.
func TestMavenProxies(t *testing.T) { eachShell(t, testMavenProxies) }

func testMavenProxies(t *testing.T) {
	const http = `<proxy><id>given-http</id><protocol>http</protocol><host>proxy</host><port>3128</port>` +
		`<username>ada</username><password>&lt;%\$&#39;</password><nonProxyHosts>localhost|127.*|[::1]</nonProxyHosts></proxy>`
	for name, test := range map[string]struct{ before, want string }{
		"no settings":           {"", "<settings><proxies>" + http + "</proxies></settings>\n"},
		"settings of the image": {"<settings>\n<mirrors/>\n</settings>\n", "<settings>\n<mirrors/>\n<proxies>" + http + "</proxies></settings>\n"},
		"with a proxy":          {"<settings><proxies><proxy></proxy></proxies></settings>", "<settings><proxies><proxy></proxy></proxies></settings>"},
		"with no proxy":         {"<settings>\n<proxies>\n</proxies></settings>", "<settings>\n<proxies>" + http + "</proxies></settings>\n"},
		"nor here":              {"<settings><proxies /></settings>", "<settings><proxies>" + http + "</proxies></settings>\n"},
		"nor this":              {"<settings><proxies/></settings>", "<settings><proxies>" + http + "</proxies></settings>\n"},
		"in a comment alone": {"<settings><!-- <proxies>\n<proxy></proxy></proxies> --><a/><!-- </settings> --></settings><!-- -->",
			"<settings><a/><proxies>" + http + "</proxies></settings>\n"},
		"empty settings": {"<settings/>", "<settings/>"},
	} {
		t.Run(name, func(t *testing.T) {
			settings := withSecrets(nil)
			settings.Builder.Build.Environment = config.Environment{`HTTP_PROXY=http://ada:%3C%25%5C$%27@proxy:3128`}
			planned, err := planFor(metadata.Package{Type: "java"}, source("src/pom.xml"), settings, nil)
			require.NoError(t, err)
			r := newReceiver(t)
			file := filepath.Join(r.home, ".m2", "settings.xml")
			if test.before != "" {
				require.NoError(t, os.Mkdir(filepath.Dir(file), 0o755))
				require.NoError(t, os.WriteFile(file, []byte(test.before), 0o644))
			}
			_, script, _ := strings.Cut(planned.Command[2], "memory=")
			script, _, _ = strings.Cut("memory="+script, "stores() {")
			cmd := r.command(planned.Given, strings.ReplaceAll(script, platform.MemoryDir, r.memory)+`env; cat "$HOME/.m2/settings.xml"`)
			said, err := output(t, cmd)
			require.NoError(t, err, said)
			assert.True(t, strings.HasSuffix(said, "\n"+test.want), said)
			assert.Contains(t, said, "JAVA_TOOL_OPTIONS=-XX:+IgnoreUnrecognizedVMOptions -XX:VMOptionsFile="+r.memory+"/java")
			assert.NotContains(t, said, "FABRIC_BUILDER_")
			options, err := os.ReadFile(filepath.Join(r.memory, "java"))
			require.NoError(t, err)
			assert.Contains(t, string(options), `-Dhttp.proxyPassword="<%\$'"`)
		})
	}
}

func TestJavaProxies(t *testing.T) {
	const always = ` -Djdk.http.auth.tunneling.disabledSchemes="" -Daether.connector.http.useSystemProperties="true" -Daether.transport.http.useSystemProperties="true"`
	for name, test := range map[string]struct {
		environ []string
		want    string
	}{
		"none":     {nil, ""},
		"one":      {[]string{"HTTPS_PROXY=http://proxy:3128"}, `-Dhttps.proxyHost="proxy" -Dhttps.proxyPort="3128" -Dhttp.nonProxyHosts="localhost|127.*|[::1]"`},
		"no port":  {[]string{"http_proxy=http://proxy"}, `-Dhttp.proxyHost="proxy" -Dhttp.proxyPort="80" -Dhttp.nonProxyHosts="localhost|127.*|[::1]"`},
		"no URL":   {[]string{"http_proxy=proxy:8080"}, `-Dhttp.proxyHost="proxy" -Dhttp.proxyPort="8080" -Dhttp.nonProxyHosts="localhost|127.*|[::1]"`},
		"IPv6":     {[]string{"http_proxy=https://[2001:db8::1]"}, `-Dhttp.proxyHost="2001:db8::1" -Dhttp.proxyPort="443" -Dhttp.nonProxyHosts="localhost|127.*|[::1]"`},
		"password": {[]string{"HTTPS_PROXY=http://a:b%22%3A@proxy:1"}, `-Dhttps.proxyHost="proxy" -Dhttps.proxyPort="1" -Dhttps.proxyUser="a" -Dhttps.proxyPassword="b"'"'":" -Dhttp.nonProxyHosts="localhost|127.*|[::1]"`},
		"user":     {[]string{"HTTPS_PROXY=http://a@proxy:1"}, `-Dhttps.proxyHost="proxy" -Dhttps.proxyPort="1" -Dhttps.proxyUser="a" -Dhttps.proxyPassword="" -Dhttp.nonProxyHosts="localhost|127.*|[::1]"`},
		"both": {[]string{"ALL_PROXY=http://all:1", "HTTP_PROXY=http://plain:2", "NO_PROXY=a.example.com,.b, *.c:8080 192.0.2.1,10.0.0.0/8,*"},
			`-Dhttp.proxyHost="plain" -Dhttp.proxyPort="2" -Dhttps.proxyHost="all" -Dhttps.proxyPort="1" ` +
				`-Dhttp.nonProxyHosts="localhost|127.*|[::1]|a.example.com|*.a.example.com|b|*.b|c|*.c|192.0.2.1|*"`},
		"SOCKS": {[]string{"ALL_PROXY=socks5://all:1"}, ""},
	} {
		settings := withSecrets(nil)
		settings.Builder.Build.Environment = test.environ
		planned, err := planFor(metadata.Package{Type: "java"}, source("src/pom.xml"), settings, nil)
		require.NoError(t, err)
		want := ""
		if test.want != "" {
			want = "FABRIC_BUILDER_JAVA_OPTIONS=" + test.want + always
		}
		got := ""
		for _, variable := range planned.Given.Variables {
			if strings.HasPrefix(variable, "FABRIC_BUILDER_JAVA_OPTIONS=") {
				got = variable
			}
		}
		assert.Equal(t, want, got, name)
	}
}

// A file of options for a JVM has rules of its own for quotes, so a JVM reads this one.
func TestAJVMReadsAnyPassword(t *testing.T) {
	const password = `a"b'c\d $(e) #"'`
	settings := withSecrets(nil)
	proxy := url.URL{Scheme: "http", Host: "proxy:1", User: url.UserPassword("ada", password)}
	settings.Builder.Build.Environment = config.Environment{"HTTPS_PROXY=" + proxy.String()}
	planned, err := planFor(metadata.Package{Type: "java"}, source("src/pom.xml"), settings, nil)
	require.NoError(t, err)
	options, found := "", false
	for _, variable := range planned.Given.Variables {
		if rest, ok := strings.CutPrefix(variable, "FABRIC_BUILDER_JAVA_OPTIONS="); ok {
			options, found = rest, true
		}
	}
	require.True(t, found)
	cmd := exec.Command("java", "-XX:VMOptionsFile="+write(t, options), "-XshowSettings:properties", "-version")
	said, err := output(t, cmd)
	require.NoError(t, err, said)
	assert.Contains(t, said, "https.proxyPassword = "+password+"\n")
}
