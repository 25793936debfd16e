// SPDX-License-Identifier: Apache-2.0

package baseimages

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"strings"
)

// recipeVersion must be raised when stand-ins are built in a different way that their fingerprints do not show.
const recipeVersion = "1"

var (
	//go:embed nodeenv/build.sh
	nodeBuild string
	//go:embed nodeenv/start.sh
	nodeStart string
	//go:embed javaenv/build.sh
	javaBuild string
	//go:embed javaenv/start
	javaStart string
)

// NodeScripts returns the SHA-256 of the scripts in the stand-in for nodeenv. The builder knows the official scripts,
// which do the same; it learns of these from builder.node.knownScripts.
func NodeScripts() []string {
	var sums []string
	for _, script := range []string{nodeBuild, nodeStart} {
		hash := sha256.Sum256([]byte(script))
		sums = append(sums, hex.EncodeToString(hash[:]))
	}
	return sums
}

// recipe describes how to build a stand-in. Without a parent it is Debian's minimal system. Otherwise it is the parent
// with files added and a script run as root.
type recipe struct {
	parent string
	// machine lists the versions of what comes from the machine, as part of the fingerprint.
	machine []string
	files   func(*tarball)
	script  string
	changes []string
}

const (
	// slim removes what an image does not need, at the end of every script that installs packages.
	slim = `rm -rf /var/cache/apt /var/lib/apt/lists/* /var/log/*.log /var/log/apt /usr/share/doc /usr/share/man /usr/share/info /usr/share/locale /etc/apt/apt.conf.d/99test
`
	// user creates the user that Fabric's images run as.
	user = `groupadd --gid 500 chaincode
useradd --uid 500 --gid 500 --create-home --home-dir /home/chaincode chaincode
`
	path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
)

// recipes returns all recipes by name. ccenv and nodeenv share an image with the compilers, which take longest to
// install.
func (m *maker) recipes() map[string]recipe {
	return map[string]recipe{
		"debian": {
			machine: []string{m.system.codename, m.system.architecture, m.system.caSum},
			changes: []string{
				"ENV PATH=" + path,
				"ENV SSL_CERT_FILE=" + caBundle,
				"ENV NODE_EXTRA_CA_CERTS=" + caBundle,
			},
		},
		"baseos": {
			parent:  "debian",
			script:  user,
			changes: []string{"USER chaincode"},
		},
		"compilers": {
			parent: "debian",
			files:  m.aptSettings,
			script: "apt-get -q update\n" +
				"apt-get -q install --yes --no-install-recommends gcc g++ libc6-dev make git python3\n" + slim,
		},
		"ccenv": {
			parent:  "compilers",
			machine: []string{m.system.goVersion},
			files:   m.goFiles,
			script: user + `mkdir -p /chaincode/input /chaincode/output
chown -R chaincode:chaincode /chaincode
/usr/local/go/bin/go version
`,
			changes: []string{"ENV PATH=/usr/local/go/bin:" + path, "USER chaincode"},
		},
		"nodeenv": {
			parent:  "compilers",
			machine: []string{m.system.nodeVersion, m.system.npmVersion, nodeBuild, nodeStart},
			files:   m.nodeFiles,
			script:  "node --version\nnpm --version\nrm -rf /root/.npm\n" + nodeEntrypoint,
			changes: []string{`ENTRYPOINT ["docker-entrypoint.sh"]`},
		},
		"javaenv": {
			parent:  "debian",
			machine: []string{m.system.javaSum, javaBuild, javaStart},
			files:   m.javaFiles,
			script: "apt-get -q update\n" +
				"apt-get -q install --yes --no-install-recommends openjdk-17-jdk-headless maven gradle\n" + keepBundles + warm + slim,
			changes: []string{"WORKDIR " + javaHome},
		},
	}
}

// nodeEntrypoint creates an entrypoint like the official image's, which replaces itself with the command it is given.
const nodeEntrypoint = `printf '#!/bin/sh\nset -e\nexec "$@"\n' >/usr/local/bin/docker-entrypoint.sh
chmod 755 /usr/local/bin/docker-entrypoint.sh
`

// fingerprint returns a digest that changes with anything that goes into an image.
func fingerprint(recipes map[string]recipe, name string) string {
	r := recipes[name]
	parts := append([]string{recipeVersion, name, r.script}, r.machine...)
	parts = append(parts, r.changes...)
	if r.parent != "" {
		parts = append(parts, fingerprint(recipes, r.parent))
	}
	return sum(strings.Join(parts, "\x00"))
}
