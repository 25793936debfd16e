// SPDX-License-Identifier: Apache-2.0

package buildlog_test

import (
	"io"
	"testing"

	"github.com/stretchr/testify/assert"

	"fabric-builder-docker/internal/buildlog"
)

// What tools print when they cannot download something, as seen with Go 1.26, npm 9, Maven 3.8, Gradle 4.4 and git 2.39.
func TestHints(t *testing.T) {
	for line, setting := range map[string]string{
		`go: example.com/a@v1.0.0: Get "https://proxy/a": tls: failed to verify certificate: x509: certificate signed by unknown authority`: "builder.build.caBundle",
		"npm ERR! code SELF_SIGNED_CERT_IN_CHAIN":                                                                  "builder.build.caBundle",
		"npm error code UNABLE_TO_GET_ISSUER_CERT_LOCALLY":                                                         "builder.build.caBundle",
		"[ERROR] … PKIX path building failed: sun.security.provider.certpath.SunCertPathBuilderException":          "builder.build.caBundle",
		"fatal: unable to access 'https://a/': server certificate verification failed. SSL certificate problem: x": "builder.build.caBundle",
		`go: proxyconnect tcp: Proxy Authentication Required`:                                                      "HTTPS_PROXY",
		"npm error 407 Proxy Authentication Required - GET https://registry/a":                                     "HTTPS_PROXY",
		"> Unable to tunnel through proxy. Proxy returns \"HTTP/1.1 407 Proxy Authentication Required\"":           "HTTPS_PROXY",
		"go: example.com/a: reading https://proxy/a/@v/list: 401 Unauthorized":                                     "builder.build.secrets",
		"npm ERR! code E401": "builder.build.secrets",
		"[ERROR] Could not transfer artifact a:b:pom:1 from/to private (https://maven/): status code: 401, reason phrase: Unauthorized (401)": "builder.build.secrets",
		"> Could not GET 'https://maven/a.pom'. Received status code 401 from server: Unauthorized":                                           "builder.build.secrets",
		"npm ERR! code ENOTFOUND":                                              "builder.build.network",
		"npm ERR! syscall getaddrinfo EAI_AGAIN registry":                      "builder.build.network",
		"[ERROR] Unknown host repo: Temporary failure in name resolution":      "builder.build.network",
		`go: Get "https://proxy/a": dial tcp: lookup proxy: no such host`:      "builder.build.network",
		`go: Get "https://proxy/a": dial tcp 192.0.2.1:443: i/o timeout`:       "builder.build.network",
		"npm ERR! connect ECONNREFUSED 192.0.2.1:3128":                         "builder.build.network",
		"npm error 404 Not Found - GET https://registry/@corp%2fa - Not found": "NPM_CONFIG_REGISTRY",
		"main.go:401: undefined: E4010":                                        "",
		"src/Main.java:[407,3] cannot find symbol":                             "",
		"BUILD FAILED in 401ms":                                                "",
	} {
		log := buildlog.New(io.Discard, "", false)
		_, err := log.Write([]byte(line + "\n"))
		assert.NoError(t, err)
		if setting == "" {
			assert.Empty(t, log.Hint(), line)
			continue
		}
		assert.Contains(t, log.Hint(), setting, line)
	}
}

// The most telling line counts, wherever it stands.
func TestTheMostTellingHint(t *testing.T) {
	log := buildlog.New(io.Discard, "", false)
	for _, line := range []string{"connection refused", "401 Unauthorized", "certificate verify failed", "no such host"} {
		_, _ = log.Write([]byte(line + "\n"))
	}
	assert.Contains(t, log.Hint(), "builder.build.caBundle")
	log.Forget()
	assert.Empty(t, log.Hint(), "the step with these lines has succeeded")
}
