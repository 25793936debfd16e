package platform

import "errors"

// nodeBuild is the script of the build container: the image's own where there is one. A package that brings
// node_modules is taken as it is. The peer refuses links in a package, so the commands of such dependencies are
// missing from it: npm puts them back, which takes no network and runs no script.
const nodeBuild = `set -e
if [ -d ` + InputDir + `/src/node_modules ]; then
	cp -R ` + InputDir + `/src/. ` + OutputDir + `
	cd ` + OutputDir + `
	if [ -d node_modules/.bin ]; then
		exit
	fi
	exec npm rebuild --ignore-scripts
fi
if [ -x /chaincode/build.sh ]; then
	exec /chaincode/build.sh
fi
cp -R ` + InputDir + `/src/. ` + OutputDir + `
cd ` + OutputDir + `
if [ -f package-lock.json ] || [ -f npm-shrinkwrap.json ]; then
	exec npm ci --omit=dev
fi
exec npm install --omit=dev
`

const nodeTarget = "/usr/local/src"

func planNode(r request) (Plan, error) {
	r = r.rooted("package.json")
	if !r.isFile("src/package.json") {
		return Plan{}, errors.New("the package has no src/package.json: a Node chaincode is packaged as an npm package")
	}
	manifest, err := r.npmManifest()
	if err != nil {
		return Plan{}, err
	}
	image := Image{r.settings.Chaincode.Node.Runtime, "chaincode.node.runtime"}
	snapshot, whole := r.nodeSnapshot(manifest)
	return Plan{
		Builder:          image,
		Runtime:          image,
		Command:          []string{"/bin/sh", "-c", nodeBuild},
		Environment:      r.given(proxies...),
		DigestInputs:     r.snapshotSettings(),
		CodeAtRoot:       r.atRoot,
		Target:           nodeTarget,
		Snapshot:         snapshot,
		NoSnapshotReason: whole,
		NPMStart:         r.npmStart(manifest),
	}, nil
}
