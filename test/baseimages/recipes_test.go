// SPDX-License-Identifier: Apache-2.0

package baseimages

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func machine() system {
	return system{codename: "bookworm", architecture: "amd64", caSum: "ca", javaSum: "java", goVersion: "go1", nodeVersion: "v20", npmVersion: "10"}
}

func fingerprints(s system) map[string]string {
	recipes := (&maker{system: s}).recipes()
	all := map[string]string{}
	for name := range recipes {
		all[name] = fingerprint(recipes, name)
	}
	return all
}

func TestAChangeOfTheMachineOutdatesTheImagesThatUseIt(t *testing.T) {
	tests := []struct {
		name     string
		change   func(*system)
		outdated []string
	}{
		{"nothing", func(*system) {}, nil},
		{"another Go", func(s *system) { s.goVersion = "go2" }, []string{"ccenv"}},
		{"another Node", func(s *system) { s.nodeVersion = "v22" }, []string{"nodeenv"}},
		{"another npm", func(s *system) { s.npmVersion = "11" }, []string{"nodeenv"}},
		{"other certificates", func(s *system) { s.caSum = "new" }, []string{"baseos", "ccenv", "compilers", "debian", "javaenv", "nodeenv"}},
		{"other certificates for Java", func(s *system) { s.javaSum = "new" }, []string{"javaenv"}},
		{"another release", func(s *system) { s.codename = "trixie" }, []string{"baseos", "ccenv", "compilers", "debian", "javaenv", "nodeenv"}},
	}
	before := fingerprints(machine())
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := machine()
			test.change(&s)
			var outdated []string
			for name, now := range fingerprints(s) {
				if now != before[name] {
					outdated = append(outdated, name)
				}
			}
			assert.ElementsMatch(t, test.outdated, outdated)
		})
	}
}

func TestStandinsHaveDifferentFingerprints(t *testing.T) {
	seen := map[string]string{}
	for name, mark := range fingerprints(machine()) {
		assert.Empty(t, seen[mark], name)
		seen[mark] = name
	}
}

// A stand-in must never be mistaken for Fabric's own image.
func TestStandinsHaveTheirOwnNames(t *testing.T) {
	recipes := (&maker{system: machine()}).recipes()
	for _, image := range images {
		require.Contains(t, recipes, image.recipe)
		assert.Regexp(t, `^fabric-builder-docker-test/[a-z]+:standin$`, reference(image.recipe))
		assert.True(t, Provided(reference(image.recipe)))
		assert.True(t, Provided(image.official))
	}
	assert.False(t, Provided("hyperledger/fabric-peer:3.1"))
}

func TestEnvNamesEveryImage(t *testing.T) {
	assert.Equal(t, []string{"FBD_TEST_CCENV=c", "FBD_TEST_BASEOS=b", "FBD_TEST_NODEENV=n", "FBD_TEST_JAVAENV=j"},
		Images{Ccenv: "c", Baseos: "b", Nodeenv: "n", Javaenv: "j"}.Env())
}
