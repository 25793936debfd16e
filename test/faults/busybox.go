// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"fabric-builder-docker/test/engine"
)

// layer is the one layer of the base images: BusyBox with its tools, and what Fabric's images have that a build or a
// start needs.
func layer() ([]byte, error) {
	busybox := engine.LookPath("busybox")
	if busybox == "" {
		return nil, fmt.Errorf("making base images: no busybox in PATH (install Debian's package busybox, as make faults does where it can)")
	}
	var buffer bytes.Buffer
	l := &layerWriter{out: tar.NewWriter(&buffer)}
	for _, dir := range []string{"/bin", "/etc", "/tmp", "/usr/local/bin", "/usr/local/src", "/chaincode"} {
		l.dir(dir, 0)
	}
	for _, dir := range []string{"/chaincode/input", "/chaincode/output"} {
		l.dir(dir, userID)
	}
	l.copy("/bin/busybox", busybox)
	for _, library := range libraries(busybox) {
		l.copy(library, library)
	}
	tools, err := exec.Command(busybox, "--list").Output()
	if err != nil {
		return nil, fmt.Errorf("listing the tools of %s: %w", busybox, err)
	}
	for _, tool := range strings.Fields(string(tools)) {
		if tool != "busybox" {
			l.link("/bin/"+tool, "busybox")
		}
	}
	for name, text := range files {
		l.file(name, 0o755, []byte(text))
	}
	if l.err != nil {
		return nil, fmt.Errorf("making base images: %w", l.err)
	}
	return buffer.Bytes(), l.out.Close()
}

// userID is the user of Go images, as in Fabric's.
const userID = 500

// files are the small files of the base images. In place of a compiler and of npm, builds run the package's own script.
var files = map[string]string{
	"/etc/passwd":         "root:x:0:0:root:/root:/bin/sh\nchaincode:x:500:500::/tmp:/bin/sh\n",
	"/etc/group":          "root:x:0:\nchaincode:x:500:\n",
	"/chaincode/build.sh": "#!/bin/sh\nexec /bin/sh /chaincode/input/src/" + workFile + "\n",
	"/chaincode/start.sh": "#!/bin/sh\nexec /usr/local/src/chaincode\n",
	"/usr/local/bin/go": "#!/bin/sh\ncase $1 in\nversion) echo \"go version go1.21.0 linux/amd64\" ;;\n" +
		"build) exec /bin/sh /chaincode/input/src/" + workFile + " ;;\nesac\n",
}

// libraries returns the shared libraries of a program and its loader; none if it is static.
func libraries(program string) []string {
	listed, err := exec.Command("ldd", program).Output()
	if err != nil {
		return nil
	}
	var paths []string
	for _, word := range strings.Fields(string(listed)) {
		if filepath.IsAbs(word) {
			paths = append(paths, word)
		}
	}
	return paths
}

// layerWriter writes a tar, and keeps the first error.
type layerWriter struct {
	out *tar.Writer
	err error
}

func (l *layerWriter) write(header tar.Header, content []byte) {
	if l.err != nil {
		return
	}
	header.Name = strings.TrimPrefix(header.Name, "/")
	header.Size = int64(len(content))
	if l.err = l.out.WriteHeader(&header); l.err == nil {
		_, l.err = l.out.Write(content)
	}
}

func (l *layerWriter) dir(name string, owner int) {
	mode := int64(0o755)
	if name == "/tmp" {
		mode = 0o1777
	}
	l.write(tar.Header{Typeflag: tar.TypeDir, Name: name + "/", Mode: mode, Uid: owner, Gid: owner}, nil)
}

func (l *layerWriter) link(name, target string) {
	l.write(tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target, Mode: 0o777}, nil)
}

func (l *layerWriter) file(name string, mode int64, content []byte) {
	l.write(tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode}, content)
}

// copy copies a program or a library of the machine.
func (l *layerWriter) copy(name, source string) {
	content, err := os.ReadFile(source)
	if err != nil && l.err == nil {
		l.err = err
	}
	l.file(name, 0o755, content)
}
