package platform

import "errors"

// nodeBuild is the script of the build container. It runs the image's own build script if there is one. If the package
// contains node_modules, it copies the package unchanged. The peer rejects packages with links, so node_modules/.bin is
// usually missing from such a package; npm rebuild creates it again, without network access and without running scripts.
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

// nodeTarget is the directory in which the image's start script expects the chaincode.
const nodeTarget = "/usr/local/src"

func planNode(r request) (Plan, error) {
	r = r.findCode("package.json")
	if !r.isFile("src/package.json") {
		return Plan{}, errors.New("the package has no src/package.json: Node chaincode must be an npm package")
	}
	manifest, err := r.readManifest()
	if err != nil {
		return Plan{}, err
	}
	image := Image{r.settings.Chaincode.Node.Runtime, "chaincode.node.runtime"}
	snapshot, noSnapshotReason := r.nodeSnapshot(manifest)
	return Plan{
		Builder:          image,
		Runtime:          image,
		Command:          []string{"/bin/sh", "-c", nodeBuild},
		Environment:      r.buildEnvironment(proxies...),
		DigestInputs:     r.snapshotInputs(),
		CodeAtRoot:       r.atRoot,
		Target:           nodeTarget,
		Snapshot:         snapshot,
		NoSnapshotReason: noSnapshotReason,
		NPMStart:         r.npmStart(manifest),
	}, nil
}
