// SPDX-License-Identifier: Apache-2.0

package platform

import "errors"

// nodeBuild is the script of the build container. Its arguments are how much of its dependencies the package contains (see
// vendored) and the names of those that it cannot do without.
//
// It runs the image's own build script if the package contains no dependencies. Otherwise it uses those in the package, and
// installs what is missing. The peer rejects packages with links, so what a package has in node_modules/.bin is never right:
// copies of scripts do not find their own modules, and Windows shims do not run. npm rebuild links the commands again, without
// network access and without running scripts. Without its commands, npm install would download a package again.
//
// npm up to 6 ignores --omit, and up to 5.6 has no npm ci.
//
// In the end, every dependency must be where node looks for it in the image. An image whose own script leaves no node_modules
// is taken to have put the dependencies elsewhere, such as into one file with the code.
const nodeBuild = `set -e
contained=$1
shift
unlink() {
	rm -rf "$1/.bin"
	for package in "$1"/* "$1"/@*/*; do
		if [ -d "$package/node_modules" ]; then
			unlink "$package/node_modules"
		fi
	done
}
link() {
	unlink node_modules
	npm rebuild --ignore-scripts
}
complete() {
	link && npm install $omit
}
check() {
	missing=
	for name; do
		found=
		for dir in node_modules ` + nodeParent + `/node_modules /node_modules $(echo "$NODE_PATH" | tr : ' '); do
			if [ -d "$dir/$name" ]; then
				found=yes
			fi
		done
		if [ -z "$found" ]; then
			missing="$missing $name"
		fi
	done
	if [ -n "$missing" ]; then
		echo "dependencies in package.json that are not installed:$missing" >&2
		exit 1
	fi
}
if [ "$contained" = ` + string(noModules) + ` ] && [ -x /chaincode/build.sh ]; then
	/chaincode/build.sh
	cd ` + OutputDir + `
	if [ -d node_modules ]; then
		check "$@"
	fi
	exit
fi
cp -R ` + InputDir + `/src/. ` + OutputDir + `
cd ` + OutputDir + `
omit=--omit=dev install=install
if [ -f package-lock.json ] || [ -f npm-shrinkwrap.json ]; then
	install=ci
fi
if [ "$contained" != ` + string(allModules) + ` ]; then
	version=$(npm --version) || version=
	case $version in
	[1-6].*) omit=--production ;;
	esac
	case $version in
	[1-4].* | 5.[0-6].*) install=install ;;
	esac
fi
case $contained in
` + string(allModules) + `) link ;;
` + string(someModules) + `) complete ;;
` + string(mostModules) + `)
	if ! complete; then
		echo "cannot install what the dependencies in the package lack: using them as they are" >&2
		rm -rf node_modules
		cp -R ` + InputDir + `/src/node_modules .
		link
	fi
	;;
*) npm $install $omit ;;
esac
check "$@"
`

// nodeTarget is the directory in which the image's start script expects the chaincode.
const nodeTarget = nodeParent + "/src"

// nodeParent is the directory above nodeTarget. node also looks into its node_modules.
const nodeParent = "/usr/local"

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
	contained, lacking := r.vendored(manifest)
	snapshot, noSnapshotReason := r.nodeSnapshot(manifest, contained, lacking)
	return Plan{
		Builder:          image,
		Runtime:          image,
		Command:          append([]string{"/bin/sh", "-c", nodeBuild, "build", string(contained)}, manifest.Required...),
		Environment:      r.npmEnvironment(proxies...),
		DigestInputs:     r.snapshotInputs(),
		CodeAtRoot:       r.atRoot,
		LeftOut:          r.uselessModules(contained),
		Target:           nodeTarget,
		Snapshot:         snapshot,
		NoSnapshotReason: noSnapshotReason,
		Unpinned:         r.unpinnedNode(manifest, contained),
		NPMStart:         r.npmStart(manifest),
	}, nil
}
