// SPDX-License-Identifier: Apache-2.0

package install

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// Peers start with these: they are found in public files.
func TestWhatThePeerToleratesInCoreYAMLStopsNoBuild(t *testing.T) {
	const reachesTheEngine = "[ERROR] build: no container engine answers"
	const image = "$(BASE_DOCKER_NS)/fabric-baseos:$(ARCH)-$(BASE_VERSION)"
	for core, warning := range map[string]string{
		"chaincode: {startuptimeout: 300}":                    "5s is used",
		"vm: {docker: {hostConfig: {Memory: 2g}}}":            "2147483648 is used",
		`vm: {docker: {attachStdout: "yes"}}`:                 "true is used",
		"ledger:\n  a: 1\nledger:\n  a: 2\n":                  "the last one counts",
		"chaincode: {golang: {runtime: '" + image + "'}}":     "",
		"chaincode: {java: {runtime: '" + image + "'}, x: 1}": "",
	} {
		for packageType, source := range map[string]string{"golang": "src/go.mod", "node": "src/package.json"} {
			t.Run(packageType+" "+core, func(t *testing.T) {
				d := newDirs(t, `{"type":"`+packageType+`","label":"basic_1.0"}`, source)
				write(t, filepath.Join(d.home, "core.yaml"), core)
				status, stderr := d.run(t, noEngine, "FABRIC_CFG_PATH="+d.home)
				assert.Equal(t, 1, status)
				lines := strings.Split(strings.TrimSpace(stderr), "\n")
				last := lines[len(lines)-1]
				if packageType == "golang" && strings.Contains(core, "golang") {
					assert.Equal(t, "[ERROR] build: "+d.home+"/core.yaml: chaincode.golang.runtime: invalid value \""+image+"\": expected an image name; "+
						"the placeholders are $(ARCH), $(PROJECT_VERSION), $(TWO_DIGIT_VERSION) and $(DOCKER_NS) (to use another image, set the key in config.yaml beside bin/): label=basic_1.0", last)
					return
				}
				assert.True(t, strings.HasPrefix(last, reachesTheEngine), stderr)
				if warning == "" {
					assert.Len(t, lines, 1)
					return
				}
				assert.Len(t, lines, 2)
				assert.Contains(t, lines[0], "[WARN]  build: problem with settings: label=basic_1.0 reason=")
				assert.Contains(t, lines[0], warning)
			})
		}
	}
}
