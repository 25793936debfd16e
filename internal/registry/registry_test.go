// SPDX-License-Identifier: Apache-2.0

package registry_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/registry"
)

// config writes a config.json and returns its directory.
func config(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "config.json"), []byte(text), 0o600))
	return dir
}

// helper adds a credential helper to PATH and returns the environment.
func helper(t *testing.T, name, script string) []string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "docker-credential-"+name), []byte("#!/bin/sh\n"+script), 0o755))
	path := dir + ":" + os.Getenv("PATH")
	t.Setenv("PATH", path)
	return []string{"PATH=" + path}
}

func TestCredentialsFromTheFile(t *testing.T) {
	const file = `{"auths":{
		"registry.example.com": {"auth":"YWRhOnM6ZWNyZXQ="},
		"registry.example.com:5000": {"auth":"Ym9iOng="},
		"https://old.example.com/v1/": {"auth":"Y3k6b2xk"},
		"token.example.com": {"identitytoken":"id"},
		"both.example.com": {"auth":"MDAwMDAwMDAtMDAwMC0wMDAwLTAwMDAtMDAwMDAwMDAwMDAwOg==","identitytoken":"id"},
		"https://index.docker.io/v1/": {"auth":"aHViOnB3"}
	}, "HttpHeaders": {"X": "y"}, "unknown": [1]}`
	tests := map[string]registry.Credentials{
		"registry.example.com":      {User: "ada", Password: "s:ecret"},
		"registry.example.com:5000": {User: "bob", Password: "x"},
		"old.example.com":           {User: "cy", Password: "old"},
		"token.example.com":         {IdentityToken: "id"},
		"both.example.com":          {User: "00000000-0000-0000-0000-000000000000", IdentityToken: "id"},
		"docker.io":                 {User: "hub", Password: "pw"},
		"unknown.example.com":       {},
		"example.com":               {},
	}
	located := registry.Locate(config(t, file), nil)
	for host, want := range tests {
		t.Run(host, func(t *testing.T) {
			want.Host = host
			got, err := located.Lookup(t.Context(), host)
			require.NoError(t, err)
			assert.Equal(t, want, got)
			assert.Equal(t, host != "unknown.example.com" && host != "example.com", !got.Empty())
		})
	}
}

func TestLocate(t *testing.T) {
	named, variable, home := config(t, "{}"), config(t, "{}"), t.TempDir()
	tests := map[string]struct {
		configured string
		environ    []string
		want       string
	}{
		"setting: a directory": {named, []string{"DOCKER_CONFIG=" + variable, "HOME=" + home}, named + "/config.json"},
		"setting: a file":      {named + "/config.json", nil, named + "/config.json"},
		"DOCKER_CONFIG":        {"", []string{"DOCKER_CONFIG=" + variable, "HOME=" + home}, variable + "/config.json"},
		"the home directory":   {"", []string{"HOME=" + home}, home + "/.docker/config.json"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, test.want, registry.Locate(test.configured, test.environ).Path())
		})
	}
	assert.NotEmpty(t, registry.Locate("", nil).Path(), "the peer does not propagate HOME")
}

func TestMissingFile(t *testing.T) {
	got, err := registry.Locate("", []string{"HOME=" + t.TempDir()}).Lookup(t.Context(), "registry.example.com")
	require.NoError(t, err)
	assert.True(t, got.Empty())
	_, err = registry.Locate("/nowhere/config.json", nil).Lookup(t.Context(), "registry.example.com")
	assert.ErrorContains(t, err, "/nowhere/config.json", "a file that is set must exist")
}

func TestMalformedFile(t *testing.T) {
	for name, text := range map[string]string{
		"not JSON":    `{"auths":`,
		"not base64":  `{"auths":{"a":{"auth":"*secret*"}}}`,
		"no user":     `{"auths":{"a":{"auth":"c2VjcmV0"}}}`,
		"wrong types": `{"auths":["secret"]}`,
	} {
		t.Run(name, func(t *testing.T) {
			dir := config(t, text)
			_, err := registry.Locate(dir, nil).Lookup(t.Context(), "registry.example.com")
			require.ErrorContains(t, err, dir+"/config.json")
			assert.NotContains(t, err.Error(), "secret")
			assert.NotContains(t, err.Error(), "c2VjcmV0")
		})
	}
}

func TestCredentialHelpers(t *testing.T) {
	const answer = `read -r host; echo "{\"ServerURL\":\"$host\",\"Username\":\"%s\",\"Secret\":\"secret of $host for $1\"}"`
	tests := map[string]struct {
		file, script, host string
		want               registry.Credentials
	}{
		"for this registry": {`{"credHelpers":{"registry.example.com":"test"},"auths":{"registry.example.com":{"auth":"YWRhOng="}}}`,
			fmt.Sprintf(answer, "ada"), "registry.example.com", registry.Credentials{User: "ada", Password: "secret of registry.example.com for get"}},
		"for another registry": {`{"credHelpers":{"other.example.com":"test"},"auths":{"registry.example.com":{"auth":"YWRhOng="}}}`,
			"exit 1", "registry.example.com", registry.Credentials{User: "ada", Password: "x"}},
		"for all registries": {`{"credsStore":"test","auths":{"registry.example.com":{}}}`,
			fmt.Sprintf(answer, "ada"), "registry.example.com", registry.Credentials{User: "ada", Password: "secret of registry.example.com for get"}},
		"an identity token": {`{"credsStore":"test"}`,
			fmt.Sprintf(answer, "<token>"), "registry.example.com", registry.Credentials{IdentityToken: "secret of registry.example.com for get"}},
		"for the Hub": {`{"credsStore":"test"}`,
			fmt.Sprintf(answer, "hub"), "docker.io", registry.Credentials{User: "hub", Password: "secret of https://index.docker.io/v1/ for get"}},
		"no credentials": {`{"credsStore":"test"}`,
			"echo 'credentials not found in native keychain'; exit 1", "registry.example.com", registry.Credentials{}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			environ := helper(t, "test", test.script)
			got, err := registry.Locate(config(t, test.file), environ).Lookup(t.Context(), test.host)
			require.NoError(t, err)
			test.want.Host = test.host
			assert.Equal(t, test.want, got)
		})
	}
}

func TestCredentialHelperFails(t *testing.T) {
	tests := map[string]struct{ script, want string }{
		"prints a reason":      {"echo 'the vault is sealed'; exit 1", "the vault is sealed"},
		"answers, then fails":  {`echo '{"Username":"ada","Secret":"s3cret"}'; exit 3`, "exit status 3"},
		"writes to stderr":     {"echo s3cret >&2; exit 1", "exit status 1"},
		"answers without JSON": {"echo s3cret", "invalid character"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			environ := helper(t, "test", test.script)
			dir := config(t, `{"credsStore":"test"}`)
			_, err := registry.Locate(dir, environ).Lookup(t.Context(), "registry.example.com")
			require.ErrorContains(t, err, "docker-credential-test from "+dir+"/config.json for registry registry.example.com: ")
			assert.ErrorContains(t, err, test.want)
			assert.NotContains(t, err.Error(), "s3cret")
		})
	}
	t.Run("missing", func(t *testing.T) {
		_, err := registry.Locate(config(t, `{"credsStore":"no-such-helper"}`), nil).Lookup(t.Context(), "registry.example.com")
		assert.ErrorContains(t, err, "docker-credential-no-such-helper")
	})
}

// A child of the helper may keep its stdout open.
func TestLookupEndsWithItsContextWhileAHelperHangs(t *testing.T) {
	note := filepath.Join(t.TempDir(), "child")
	environ := helper(t, "test", "sleep 300 & echo $! >"+note+".new; mv "+note+".new "+note+"; wait")
	ctx, cancel := context.WithCancelCause(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := registry.Locate(config(t, `{"credsStore":"test"}`), environ).Lookup(ctx, "registry.example.com")
		ended <- err
	}()
	require.Eventually(t, func() bool { _, err := os.Stat(note); return err == nil }, time.Minute, time.Millisecond)
	text, err := os.ReadFile(note)
	require.NoError(t, err)
	child, err := strconv.Atoi(strings.TrimSpace(string(text)))
	require.NoError(t, err)
	t.Cleanup(func() { _ = syscall.Kill(child, syscall.SIGKILL) })
	cancel(errors.New("stopped by a signal"))
	select {
	case err := <-ended:
		assert.ErrorContains(t, err, "stopped by a signal")
	case <-time.After(time.Minute):
		t.Error("Lookup waits for the helper's child")
	}
}

func TestHost(t *testing.T) {
	for image, want := range map[string]string{
		"hyperledger/fabric-ccenv:3.1": "docker.io", "ubuntu": "docker.io", "docker.io/library/ubuntu": "docker.io",
		"localhost/x": "localhost", "registry.example.com/a/b@sha256:0000000000000000000000000000000000000000000000000000000000000000": "registry.example.com",
		"127.0.0.1:5000/x:1": "127.0.0.1:5000",
	} {
		got, err := registry.Host(image)
		require.NoError(t, err)
		assert.Equal(t, want, got, image)
	}
	_, err := registry.Host("Not A Name")
	assert.ErrorContains(t, err, `"Not A Name"`)
}

// Nobody writes to the FIFO, so build would wait for ever.
func TestCredentialsThatAreNotInAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.json")
	require.NoError(t, syscall.Mkfifo(path, 0o600))
	_, err := registry.Locate(path, nil).Lookup(t.Context(), "registry.example.com")
	assert.EqualError(t, err, "reading registry credentials: open "+path+": it is a FIFO, not a regular file")
}
