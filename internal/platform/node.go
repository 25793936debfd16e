package platform

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

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

// nodeStart is the command of the chaincode's container. Its argument is the peer's address.
//
// Between the container's first process and node stand a shell or two and npm, which end at SIGTERM at once, and with
// the first process the container: node would be killed before it could do anything. So this shell stays until nobody
// else is left. An init hands the signal to all; without one this shell is process 1 and does it.
const nodeStart = `stop=
trap 'stop=yes; if [ $$ -eq 1 ]; then kill -TERM -1; fi' TERM
if [ -x /chaincode/start.sh ]; then
	/chaincode/start.sh --peer.address "$1" &
else
	cd ` + nodeTarget + `
	npm start -- --peer.address "$1" &
fi
wait $!
status=$?
if [ -n "$stop" ]; then
	wait $!
	status=$?
	while kill -0 -1 2>/dev/null; do
		sleep 0.02
	done
fi
exit $status
`

func planNode(r request) (Plan, error) {
	r = r.rooted("package.json")
	if !r.isFile("src/package.json") {
		return Plan{}, errors.New("the package has no src/package.json: a Node chaincode is packaged as an npm package")
	}
	if err := r.checkPackageJSON(); err != nil {
		return Plan{}, err
	}
	image := Image{r.settings.Chaincode.Node.Runtime, "chaincode.node.runtime"}
	return Plan{
		Builder:     image,
		Runtime:     image,
		Command:     []string{"/bin/sh", "-c", nodeBuild},
		Environment: r.environ.pick(proxies...),
		Rooted:      r.atRoot,
		Target:      nodeTarget,
	}, nil
}

// checkPackageJSON finds what npm would stumble over after minutes. What stands in it is npm's business.
func (r request) checkPackageJSON() error {
	name := r.at("src/package.json")
	text, err := fs.ReadFile(r.source, name)
	if err != nil {
		return fmt.Errorf("reading %s: %w", name, err)
	}
	var content map[string]json.RawMessage
	if err := json.Unmarshal([]byte(strings.TrimPrefix(string(text), "\ufeff")), &content); err != nil {
		return fmt.Errorf("%s is not a JSON object: %w", name, err)
	}
	if content == nil {
		return fmt.Errorf("%s is not a JSON object: null", name)
	}
	return nil
}

func startNode(peerAddress string) []string {
	return []string{"/bin/sh", "-c", nodeStart, "start", peerAddress}
}
