package platform

import "errors"

// nodeBuild is the script of the build container: the image's own where there is one.
const nodeBuild = `set -e
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

// nodeStart is the command of the chaincode's container. Its argument is the peer's address.
const nodeStart = `if [ -x /chaincode/start.sh ]; then
	exec /chaincode/start.sh --peer.address "$1"
fi
cd ` + nodeTarget + `
exec npm start -- --peer.address "$1"
`

func planNode(r request) (Plan, error) {
	if !r.exists("src/package.json") {
		return Plan{}, errors.New("the package has no src/package.json: a Node chaincode is packaged as an npm package")
	}
	image := Image{r.settings.Chaincode.Node.Runtime, "chaincode.node.runtime"}
	return Plan{
		Builder:     image,
		Runtime:     image,
		Command:     []string{"/bin/sh", "-c", nodeBuild},
		Environment: r.environ.pick(proxies...),
		Target:      nodeTarget,
	}, nil
}

func startNode(peerAddress string) []string {
	return []string{"/bin/sh", "-c", nodeStart, "start", peerAddress}
}
