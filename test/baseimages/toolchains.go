// SPDX-License-Identifier: Apache-2.0

package baseimages

import (
	"fmt"
	"os"
)

// goFiles copies the machine's Go, except directories that no build reads.
func (m *maker) goFiles(t *tarball) {
	t.tree("/usr/local/go", m.system.goRoot, "api", "doc", "test", "misc", ".git")
}

// nodeFiles copies the machine's Node and npm and adds the scripts that Fabric calls.
func (m *maker) nodeFiles(t *tarball) {
	t.file("/usr/local/bin/node", m.system.node)
	t.tree("/usr/local/lib/node_modules/npm", m.system.npm, "docs", "man")
	t.link("/usr/local/bin/npm", "../lib/node_modules/npm/bin/npm-cli.js")
	t.link("/usr/local/bin/npx", "../lib/node_modules/npm/bin/npx-cli.js")
	for _, dir := range []string{"/chaincode", "/chaincode/input", "/chaincode/output", "/usr/local/src"} {
		t.dir(dir)
	}
	t.text("/chaincode/build.sh", 0o755, nodeBuild)
	t.text("/chaincode/start.sh", 0o755, nodeStart)
}

// aptSettings makes apt fast, retry when a mirror resets a connection, and use the machine's proxy. slim removes the
// file.
func (m *maker) aptSettings(t *tarball) {
	settings := `Acquire::Languages "none";
Acquire::Retries "3";
DPkg::Options { "--force-unsafe-io"; };
`
	if m.opts.HTTPProxy != "" {
		settings += fmt.Sprintf("Acquire::http::Proxy %q;\n", m.opts.HTTPProxy)
	}
	t.text("/etc/apt/apt.conf.d/99test", 0o644, settings)
}

const (
	javaHome = "/root/chaincode-java"
	// keptBundles holds copies of the machine's certificates, because installing packages regenerates both bundles
	// without certificates that an administrator appended.
	keptBundles = "/root/bundles"
	keepBundles = "cp " + keptBundles + "/ca-certificates.crt " + caBundle + "\n" +
		"if [ -f " + keptBundles + "/cacerts ]; then cp " + keptBundles + "/cacerts " + javaBundle + "; fi\n" +
		"rm -rf " + keptBundles + "\n"
	// warm adds a library that exists nowhere else to the image's Maven repository, as the official image has libraries
	// there. A build that finds it can use what the image contains.
	warm = `mkdir -p /root/.gradle /root/.m2/repository/org/example/warmed/1.0
cd /root/.m2/repository/org/example/warmed/1.0
echo "it was in the image" >warmed.txt
jar cf warmed-1.0.jar warmed.txt
rm warmed.txt
cat >warmed-1.0.pom <<END
<project><modelVersion>4.0.0</modelVersion><groupId>org.example</groupId><artifactId>warmed</artifactId><version>1.0</version></project>
END
`
)

// javaFiles adds the scripts that Fabric calls, and the machine's certificates.
func (m *maker) javaFiles(t *tarball) {
	m.aptSettings(t)
	for _, dir := range []string{"/chaincode", "/chaincode/input", "/chaincode/output", javaHome, javaHome + "/chaincode", keptBundles} {
		t.dir(dir)
	}
	t.text(javaHome+"/build.sh", 0o755, javaBuild)
	t.text(javaHome+"/start", 0o755, javaStart)
	t.file(keptBundles+"/ca-certificates.crt", caBundle)
	if _, err := os.Stat(javaBundle); err == nil {
		t.file(keptBundles+"/cacerts", javaBundle)
	}
}
