// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"crypto/rand"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/metadata"
)

// changingUser returns a config whose Go chaincodes run on an image that begins as root and goes to user 500, as images with
// gosu or su-exec do.
func changingUser(t *testing.T, hostConfig, extra string) string {
	t.Helper()
	image := prefix + "/changing:" + strings.ToLower(rand.Text())
	buildImage(t, image, "FROM "+world.baseos+`
USER root
ENTRYPOINT ["setpriv", "--reuid=500", "--regid=500", "--clear-groups"]
LABEL name=`+image+"\n")
	settings := strings.Replace(config(extra), "golang: {runtime: "+world.baseos+"}", "golang: {runtime: "+image+"}", 1)
	return strings.Replace(settings, "chaincode:\n", "  docker: {hostConfig: {"+hostConfig+"}}\nchaincode:\n", 1)
}

func TestAnEntrypointThatChangesTheUser(t *testing.T) {
	t.Parallel()
	const both = "CapAdd: [SETUID, SETGID]"
	for name, test := range map[string]struct {
		hostConfig, extra string
		mode              string // of the key
		owner             int
	}{
		"a user":             {both, "  security: {keyReader: 500}\n", "-r--------", 500},
		"a user and a group": {both, "  security: {keyReader: \"0:500\"}\n", "-r--r-----", 0},
		"everybody":          {both, "  security: {keyReader: all}\n", "-r--r--r--", 0},
		"read-only":          {both + ", ReadonlyRootfs: true", "  security: {keyReader: 500}\n", "-r--------", 500},
		"an override":        {"", "  overrides: [{label: kv_*, keyReader: \"500\", capAdd: [SETUID, SETGID]}]\n", "-r--------", 500},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPeer(t, withBuilder(builder(t, changingUser(t, test.hostConfig, test.extra))))
			id := p.install(t, sample(t, "go", "golang", "kv_1.0"))
			p.invoke(t, id, "put", "colour", "blue")
			assert.Equal(t, "blue", p.invoke(t, id, "get", "colour"))
			file := keyOf(t, p, id)
			assert.Equal(t, 500, file.UID)
			assert.Equal(t, test.mode, file.Mode)
			assert.Equal(t, test.owner, file.Owner)
		})
	}
}

func TestAnEntrypointThatCannotChangeTheUserNamesTheSettings(t *testing.T) {
	t.Parallel()
	const capAdd, keyReader = "SETUID and SETGID in vm.docker.hostConfig.CapAdd", "builder.security.keyReader"
	for name, test := range map[string]struct {
		hostConfig, extra string
		named, not        []string
	}{
		"nothing is set":            {"", "", []string{capAdd, keyReader}, nil},
		"only the capabilities are": {"CapAdd: [SETUID, SETGID]", "", []string{keyReader}, []string{capAdd}},
		"all are kept":              {"", "  security: {dropCapabilities: false}\n", []string{keyReader}, []string{capAdd}},
		"only the reader is":        {"", "  security: {keyReader: all}\n", []string{capAdd}, []string{keyReader}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPeer(t, withBuilder(builder(t, changingUser(t, test.hostConfig, test.extra))))
			id := p.install(t, sample(t, "go", "golang", "kv_1.0"))
			_, err := p.Launch(timeout(t), id)
			require.Error(t, err)
			p.ended(t, id)
			last := lastLine(p.said("run"))
			assert.NotContains(t, last, "not found", "setpriv ends with 127 where it is not permitted to change the user")
			for _, setting := range test.named {
				assert.Contains(t, last, setting)
			}
			for _, setting := range test.not {
				assert.NotContains(t, last, setting)
			}
			noContainers(t, metadata.LabelChaincodeID, id)
		})
	}
}

func TestAMissingProgramSaysWhat127Means(t *testing.T) {
	t.Parallel()
	image := prefix + "/missing:" + strings.ToLower(rand.Text())
	buildImage(t, image, "FROM "+world.baseos+"\nENTRYPOINT [\"/bin/sh\", \"-c\", \"exec no-such-program\"]\n")
	settings := strings.Replace(config(""), "golang: {runtime: "+world.baseos+"}", "golang: {runtime: "+image+"}", 1)
	p := newPeer(t, withBuilder(builder(t, settings)))
	id := p.install(t, sample(t, "go", "golang", "kv_1.0"))
	_, err := p.Launch(timeout(t), id)
	require.ErrorContains(t, err, "exit status 127")
	p.ended(t, id)
	assert.Contains(t, lastLine(p.said("run")), "a program was not found")
}
