// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/test/ours"
)

func kind(value string) map[string]string { return map[string]string{kindLabel: value} }

func holding(objects ...object) state {
	s := state{}
	for _, o := range objects {
		s.add(o)
	}
	return s
}

func TestLeftovers(t *testing.T) {
	tests := []struct {
		name   string
		o      object
		shared bool // reported on a shared engine
		alone  bool // reported on withengine's own engine
	}{
		{"our chaincode", object{kind: container, id: "1", labels: map[string]string{kindLabel: "chaincode", metadata.LabelMSPID: ours.MSPID}}, true, true},
		{"our build", object{kind: container, id: "1", names: []string{"/fabric-builder-docker-test-build-1"}, labels: kind("build")}, true, true},
		{"our benchmark's build", object{kind: container, id: "1", names: []string{"/fabric-builder-docker-bench-build-1"}, labels: kind("build")}, true, true},
		{"somebody's chaincode", object{kind: container, id: "1", names: []string{"/dev-peer0.org1.example.com-kv_1.0-1"},
			labels: map[string]string{kindLabel: "chaincode", metadata.LabelMSPID: "Org1MSP"}}, false, true},
		{"somebody's build", object{kind: container, id: "1", names: []string{"/fabric-chaincode-build-1"}, labels: kind("build")}, false, true},
		{"somebody's assembly", object{kind: container, id: "1", names: []string{"/fabric-chaincode-assembly-1"}, labels: kind("assembly")}, false, true},
		{"somebody's image", object{kind: image, id: "1", names: []string{"fabric-chaincode/golang:1"}, labels: kind("x")}, false, true},
		{"a container", object{kind: container, id: "1"}, false, true},
		{"our network", object{kind: network, id: "1", names: []string{"fabric-builder-docker-test-n"}, labels: kind("test")}, true, true},
		{"a network", object{kind: network, id: "1", names: []string{"n"}}, false, true},
		{"a default network", object{kind: network, id: "1", names: []string{"bridge"}}, false, false},
		{"our cache", object{kind: volume, id: "v", labels: kind("cache")}, false, false},
		{"our volume", object{kind: volume, id: "fabric-builder-docker-test-v", labels: kind("x")}, true, true},
		{"somebody's volume", object{kind: volume, id: "fabric-chaincode-v", labels: kind("x")}, false, true},
		{"a volume", object{kind: volume, id: "v"}, false, true},
		{"a chaincode's image", object{kind: image, id: "i", labels: kind("chaincode")}, false, false},
		{"a snapshot", object{kind: image, id: "i", labels: kind("snapshot")}, false, false},
		{"our image", object{kind: image, id: "i", names: []string{"fabric-builder-docker-test-faults/golang:1"}, labels: kind("x")}, true, true},
		{"an image", object{kind: image, id: "i", names: []string{"x:y"}}, false, true},
		{"a stand-in", object{kind: image, id: "i", names: []string{"fabric-builder-docker-test/ccenv:standin"}}, false, false},
		{"an official image", object{kind: image, id: "i", names: []string{"hyperledger/fabric-baseos:3.1"}}, false, false},
		{"made from a stand-in", object{kind: image, id: "i", labels: map[string]string{"fabric-builder-docker-test.recipe": "1"}}, false, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			after := holding(test.o)
			assert.Equal(t, test.shared, len(leftovers(state{}, after, false)) == 1, "shared engine")
			assert.Equal(t, test.alone, len(leftovers(state{}, after, true)) == 1, "own engine")
			assert.Empty(t, leftovers(after, after, true), "it was there before")
			assert.Empty(t, leftovers(after, state{}, true), "it is gone")
		})
	}
}

func TestLeftoversAreListedInTheOrderOfRemoval(t *testing.T) {
	after := holding(
		object{kind: image, id: "sha256:1", names: []string{"x:y"}},
		object{kind: volume, id: "v"},
		object{kind: network, id: "n", names: []string{"net"}},
		object{kind: container, id: "c2", names: []string{"/b"}},
		object{kind: container, id: "c1", names: []string{"/a"}},
	)
	err := leftoversError(leftovers(state{}, after, true))
	assert.EqualError(t, err, "checking what the command left on the engine: 5 objects:\n"+
		"  container /a\n  container /b\n  network net\n  volume v\n  image x:y")
	assert.NoError(t, leftoversError(nil))
}
