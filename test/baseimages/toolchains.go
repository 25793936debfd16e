package baseimages

import "fmt"

// goFiles copies the machine's Go, without what no build reads.
func (m *maker) goFiles(t *tarball) {
	t.tree("/usr/local/go", m.system.goRoot, "api", "doc", "test", "misc", ".git")
}

// nodeFiles copies the machine's Node and npm and adds the scripts that
// Fabric calls.
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

// aptSettings make apt quick, and let it go through the machine's proxy. The
// script that uses them removes them.
func (m *maker) aptSettings(t *tarball) {
	settings := `Acquire::Languages "none";
DPkg::Options { "--force-unsafe-io"; };
`
	if m.opts.HTTPProxy != "" {
		settings += fmt.Sprintf("Acquire::http::Proxy %q;\n", m.opts.HTTPProxy)
	}
	t.text("/etc/apt/apt.conf.d/99test", 0o644, settings)
}
