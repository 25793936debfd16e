// SPDX-License-Identifier: Apache-2.0

package install

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Nobody writes to the FIFOs and nobody listens at the sockets, so build would wait for ever for what is in them.
func TestBuildDoesNotWaitForSpecialFiles(t *testing.T) {
	kinds := map[string]func(path string){
		"FIFO": func(path string) { require.NoError(t, syscall.Mkfifo(path, 0o600)) },
		"socket": func(path string) {
			t.Chdir(filepath.Dir(path)) // the path of a socket must be short
			listener, err := net.Listen("unix", filepath.Base(path))
			require.NoError(t, err)
			t.Cleanup(func() { listener.Close() })
		},
	}
	const golang, service = `{"type":"golang","label":"a"}`, `{"type":"ccaas","label":"a"}`
	for kind, replace := range kinds {
		for name, test := range map[string]struct {
			json string
			path func(d dirs) string
			want string
		}{
			"metadata.json":      {golang, func(d dirs) string { return filepath.Join(d.metadata, "metadata.json") }, "it is a KIND, not a regular file"},
			"config.yaml":        {golang, func(d dirs) string { return filepath.Join(d.home, "config.yaml") }, "it is a KIND, not a regular file"},
			"go.mod":             {golang, func(d dirs) string { return filepath.Join(d.source, "src/go.mod") }, "src/go.mod is neither a file nor a directory"},
			"a metadata file":    {golang, func(d dirs) string { return filepath.Join(d.source, "META-INF/a") }, "META-INF/a is neither a file nor a directory"},
			"connection.json":    {service, func(d dirs) string { return filepath.Join(d.source, "connection.json") }, "connection.json is neither a file nor a directory"},
			"a service's output": {service, func(d dirs) string { return filepath.Join(d.output, "connection.json") }, "writing OUTPUT/connection.json: it is a KIND, not a regular file"},
			"a record's output":  {service, func(d dirs) string { return filepath.Join(d.output, "build-record.json") }, "build-record.json: it is a KIND, not a regular file"},
		} {
			t.Run(name+" "+kind, func(t *testing.T) {
				d := newDirs(t, test.json, "src/go.mod", "META-INF/a")
				write(t, filepath.Join(d.source, "connection.json"), `{"address":"cc:1"}`)
				path := test.path(d)
				require.NoError(t, os.RemoveAll(path))
				replace(path)
				status, stderr := d.run(t, noEngine)
				assert.Equal(t, 1, status)
				assert.Contains(t, strings.ReplaceAll(stderr, d.output, "OUTPUT"), strings.ReplaceAll(test.want, "KIND", kind))
			})
		}
	}
}
