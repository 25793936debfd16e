// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"fabric-builder-docker/test/ours"
)

// workFile is the script in a package that does the work of its build.
const workFile = "work.sh"

// pack is a package, and what its build does.
type pack struct {
	kind   string        // golang or node
	work   time.Duration // how long it prints lines
	output int           // MB of random bytes in its output
	upload int           // MB of the package itself
	trees  int           // trees of some hundred files that the build leaves in its container: they make its removal slow

	salt string
}

// fresh returns a package with content that no engine has seen.
func (p pack) fresh() pack {
	p.salt = rand.Text()
	return p
}

// pause is the time between two lines of a build.
const pause = 100 * time.Millisecond

// workLine begins each line of a build's own output.
const workLine = label + " | "

// label is the label of all packages.
const label = "faults_1.0"

// script returns the package's work. The output is random, so that two builds of one content make two images.
func (p pack) script() string {
	return fmt.Sprintf(`set -e
for tree in $(seq %d); do
	cp -a /bin /tmp/$tree
done
i=0
while [ $i -lt %d ]; do
	echo "line $i"
	i=$((i + 1))
	sleep 0.1
done
dd if=/dev/urandom of=/chaincode/output/data bs=64k count=%d 2>/dev/null
printf '#!/bin/sh\necho ready\nsleep 1\n' >/chaincode/output/chaincode
chmod 755 /chaincode/output/chaincode
`, p.trees, p.work/pause, p.output*16+1)
}

// unpacked is a package as the peer passes it to the programs.
type unpacked struct{ source, metadata, output, run string }

// unpack writes the package into a new directory.
func (p pack) unpack(scratch string) (unpacked, error) {
	dir, err := os.MkdirTemp(scratch, "package")
	if err != nil {
		return unpacked{}, err
	}
	u := unpacked{filepath.Join(dir, "src"), filepath.Join(dir, "metadata"), filepath.Join(dir, "bld"), filepath.Join(dir, "run")}
	files := map[string]string{
		u.source + "/src/" + workFile: p.script(),
		u.source + "/src/salt.txt":    p.salt,
		u.metadata + "/metadata.json": fmt.Sprintf(`{"type":%q,"label":%q,"path":"."}`, p.kind, label),
		u.run + "/chaincode.json": fmt.Sprintf(`{"chaincode_id":"%s:%s","peer_address":"127.0.0.1:7052","mspid":%q}`,
			label, strings.ToLower(filepath.Base(dir)), mspID),
	}
	if p.kind == "golang" {
		files[u.source+"/src/go.mod"] = "module example.com/faults\n\ngo 1.21\n"
		files[u.source+"/src/vendor/modules.txt"] = "\n"
		files[u.source+"/src/main.go"] = "package main\n\nfunc main() {}\n"
	} else {
		files[u.source+"/src/package.json"] = `{"name":"faults","version":"1.0.0","scripts":{"start":"./chaincode"}}`
	}
	if p.upload > 0 {
		files[u.source+"/src/data"] = strings.Repeat(p.salt, p.upload<<20/len(p.salt))
	}
	for name, text := range files {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return unpacked{}, err
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			return unpacked{}, err
		}
	}
	return u, os.MkdirAll(u.output, 0o755)
}

// mspID is the organisation of the peers, by which the containers of runs are found.
const mspID = ours.MSPID
