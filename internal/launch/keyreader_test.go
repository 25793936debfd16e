// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"archive/tar"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/test/fakeengine"
)

// An image whose entrypoint changes the user runs its chaincode as another user than the engine knows.
func TestWhoReadsTheKeys(t *testing.T) {
	for name, test := range map[string]struct {
		reader   string
		byInput  bool // the image has a shell
		script   string
		archived tar.Header // of the keys; the zero value: they go by input
	}{
		"nobody else":                {"", true, " 377:client.key ", tar.Header{}},
		"nobody else, no shell":      {"", false, "", tar.Header{Mode: 0o400, Uid: 500, Gid: 501}},
		"all":                        {"all", true, " 333:client.key ", tar.Header{}},
		"all, no shell":              {"all", false, "", tar.Header{Mode: 0o444}},
		"a user":                     {"1000", true, "", tar.Header{Mode: 0o400, Uid: 1000}},
		"a user, no shell":           {"1000", false, "", tar.Header{Mode: 0o400, Uid: 1000}},
		"a user and a group":         {"1000:1001", true, "", tar.Header{Mode: 0o440, Uid: 1000, Gid: 1001}},
		"a user and group, no shell": {"0:1001", false, "", tar.Header{Mode: 0o440, Gid: 1001}},
	} {
		for _, readOnly := range []string{"false", "true"} {
			t.Run(name+", read-only: "+readOnly, func(t *testing.T) {
				r := newRunner(t).withTLS()
				r.record.TLSByInput = test.byInput
				process := r.process(t)
				process.Environ = append(process.Environ, "CORE_BUILDER_SECURITY_KEYREADER="+test.reader,
					"CORE_VM_DOCKER_HOSTCONFIG_READONLYROOTFS="+readOnly)
				var key, cert tar.Header
				r.engine.SetProgram(func(p *fakeengine.Process) int {
					if file, ok := p.Files.Get(tlsDir + "/client_pem.key"); ok {
						key = file.Header
					}
					if file, ok := p.Files.Get(tlsDir + "/client_pem.crt"); ok {
						cert = file.Header
					}
					return 0
				})
				require.NoError(t, Run(t.Context(), process))
				request := firstCreate(t, r)
				if test.script != "" {
					assert.Contains(t, strings.Join(request.Entrypoint, " "), test.script)
					assert.True(t, request.OpenStdin)
					return
				}
				assert.False(t, request.OpenStdin)
				assert.Equal(t, []any{test.archived.Mode, test.archived.Uid, test.archived.Gid}, []any{key.Mode, key.Uid, key.Gid})
				assert.EqualValues(t, 0o444, cert.Mode)
			})
		}
	}
}

// The hints are on the last line of what run prints, where an operator looks first.
func TestTheLastLineNamesTheSettingsForAnotherUser(t *testing.T) {
	const caps, reader = "SETUID and SETGID in vm.docker.hostConfig.CapAdd", "that user in builder.security.keyReader"
	type image = fakeengine.Image
	gosu := image{Name: imageName, Entrypoint: []string{"/usr/local/bin/gosu", "app"}}
	script := image{Name: imageName, User: "0:0", Entrypoint: []string{"/entrypoint.sh"}}
	for name, test := range map[string]struct {
		image   image
		output  string
		status  int
		tls     bool
		environ []string
		hints   []string
	}{
		"gosu":                              {gosu, "", 1, true, nil, []string{caps, reader}},
		"gosu as the command":               {image{Name: imageName, User: "root", Command: []string{"su-exec", "app"}}, "", 1, true, nil, []string{caps, reader}},
		"a script that is denied something": {script, "setgroups: Operation not permitted\n", 1, true, nil, []string{caps, reader}},
		"a key that is not readable":        {script, "open client_pem.key: permission denied", 1, true, nil, []string{caps, reader}},
		"without TLS":                       {gosu, "", 1, false, nil, []string{caps}},
		"with the capabilities":             {gosu, "", 1, true, []string{"CORE_VM_DOCKER_HOSTCONFIG_CAPADD=cap_setuid SETGID"}, []string{reader}},
		"with all capabilities":             {gosu, "", 1, true, []string{"CORE_VM_DOCKER_HOSTCONFIG_CAPADD=ALL"}, []string{reader}},
		"with the engine's":                 {gosu, "", 1, true, []string{"CORE_BUILDER_SECURITY_DROPCAPABILITIES=false"}, []string{reader}},
		"with the reader":                   {gosu, "", 1, true, []string{"CORE_BUILDER_SECURITY_KEYREADER=all"}, []string{caps}},
		"with both": {gosu, "permission denied", 1, true,
			[]string{"CORE_VM_DOCKER_HOSTCONFIG_CAPADD=SETUID SETGID", "CORE_BUILDER_SECURITY_KEYREADER=500"}, nil},
		"a script":                  {script, "panic: no configuration\n", 1, true, nil, nil},
		"an image of a user":        {image{Name: imageName, User: "500", Entrypoint: []string{"gosu"}}, "permission denied\n", 1, true, nil, nil},
		"a chaincode that is done":  {gosu, "permission denied\n", 0, true, nil, nil},
		"126":                       {image{Name: imageName, User: "500"}, "", 126, true, nil, []string{"a program was found but cannot be executed"}},
		"127":                       {image{Name: imageName, User: "500"}, "", 127, true, nil, []string{"a program was not found"}},
		"127 of setpriv":            {image{Name: imageName, Entrypoint: []string{"setpriv", "--reuid=500"}}, "setpriv: setresuid failed: Operation not permitted\n", 127, true, nil, []string{caps, reader}},
		"127 of a gosu not in PATH": {gosu, "", 127, true, nil, []string{"a program was not found", caps, reader}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRunner(t)
			if test.tls {
				r.withTLS()
			}
			r.engine.RemoveImage(imageName)
			r.engine.AddImage(test.image)
			r.engine.SetProgram(prints(test.output, test.status))
			process := r.process(t)
			process.Environ = append(process.Environ, test.environ...)
			err := Run(t.Context(), process)
			assert.Equal(t, test.status == 0, err == nil)
			r.assertLastLine(t, append(test.hints, "the chaincode has ended")...)
			if len(test.hints) == 0 {
				assert.NotContains(t, r.lastLine(), "hint=")
			}
			for _, hint := range []string{caps, reader, "not found"} {
				assert.Equal(t, strings.Contains(strings.Join(test.hints, "\n"), hint), strings.Contains(r.lastLine(), hint), hint)
			}
		})
	}
}

// One that has run for a while can change its user.
func TestAChaincodeThatEndsLaterIsGivenNoHint(t *testing.T) {
	r := newRunner(t).withTLS()
	r.engine.RemoveImage(imageName)
	r.engine.AddImage(fakeengine.Image{Name: imageName, Entrypoint: []string{"gosu", "app"}})
	r.engine.SetProgram(func(p *fakeengine.Process) int {
		r.engine.SetSkew(2 * atOnce) // the engine's clock goes on
		return 1
	})
	status, _ := r.run(t.Context(), t)
	assert.Equal(t, 1, status)
	assert.NotContains(t, r.lastLine(), "hint=")
}
