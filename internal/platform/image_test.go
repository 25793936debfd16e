// SPDX-License-Identifier: Apache-2.0

package platform_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/config"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/platform"
)

const digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func imagePlan(packageType, content string) (platform.Plan, error) {
	files := fstest.MapFS{"image.json": {Data: []byte(content)}}
	return planFor(metadata.Package{Type: packageType, Label: "x"}, files, config.Defaults(), nil)
}

func TestPrebuiltPlan(t *testing.T) {
	names := map[string]string{ // name in image.json -> name on the engine
		"registry.example.com/example/chaincode": "registry.example.com/example/chaincode",
		"example/chaincode":                      "example/chaincode",
		"chaincode":                              "chaincode",
		"docker.io/library/chaincode":            "chaincode",
		"127.0.0.1:5000/chaincode":               "127.0.0.1:5000/chaincode",
		"registry.example.com:5000/a/b/c:1.0":    "registry.example.com:5000/a/b/c",
		"registry.example.com/chaincode:v1-beta": "registry.example.com/chaincode",
	}
	for name, want := range names {
		for _, packageType := range []string{"docker", "k8s"} {
			got, err := imagePlan(packageType, fmt.Sprintf(`{"name":%q,"digest":%q,"more":1}`, name, digest))
			require.NoError(t, err)
			assert.Equal(t, platform.Plan{Type: packageType, Kind: platform.Prebuilt, Runtime: platform.Image{Name: want + "@" + digest}}, got)
		}
	}
}

func TestInvalidImageJSON(t *testing.T) {
	tests := map[string]struct{ content, want string }{
		"empty":              {"", "reading image.json: the file is empty"},
		"not JSON":           {"{", "reading image.json: parsing JSON: line 1: unexpected end of JSON input"},
		"wrong type":         {`{"name":1}`, "reading image.json: parsing JSON: line 1: "},
		"no name":            {`{"digest":"` + digest + `"}`, `image.json has no "name": expected an object such as {"name":"example.com/chaincode","digest":"sha256:…"}`},
		"no digest":          {`{"name":"chaincode:1.0"}`, `image.json has no "digest": expected an object such as `},
		"null":               {"null", `image.json has no "name": `},
		"a name in capitals": {`{"name":"Chaincode","digest":"` + digest + `"}`, `reading image.json: invalid "name" "Chaincode": expected an image name: `},
		"a name with space":  {`{"name":"a b","digest":"` + digest + `"}`, `reading image.json: invalid "name" "a b": expected an image name: `},
		"a relative path":    {`{"name":"../x","digest":"` + digest + `"}`, `reading image.json: invalid "name" "../x": expected an image name: `},
		"an image ID":        {`{"name":"` + strings.TrimPrefix(digest, "sha256:") + `","digest":"` + digest + `"}`, `: expected an image name: `},
		"two digests":        {`{"name":"a@` + digest + `","digest":"` + digest + `"}`, `move the digest to "digest"`},
		"a tag":              {`{"name":"a","digest":"latest"}`, `reading image.json: invalid "digest" "latest": expected sha256: and 64 hex digits: `},
		"a short digest":     {`{"name":"a","digest":"sha256:0123"}`, `expected sha256: and 64 hex digits: `},
		"another algorithm":  {`{"name":"a","digest":"md5:0123456789abcdef0123456789abcdef"}`, `expected sha256: and 64 hex digits: `},
		"only hex digits":    {`{"name":"a","digest":"` + strings.TrimPrefix(digest, "sha256:") + `"}`, `expected sha256: and 64 hex digits: `},
		"a suffix":           {`{"name":"a","digest":"` + digest + `@x"}`, `expected sha256: and 64 hex digits: `},
		"a prefix":           {`{"name":"a","digest":"b:1@` + digest + `"}`, `expected sha256: and 64 hex digits: `},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := imagePlan("k8s", test.content)
			assert.ErrorContains(t, err, "planning the build of a k8s package: ")
			assert.ErrorContains(t, err, test.want)
			assert.NotContains(t, err.Error(), "\n")
		})
	}
	_, err := planFor(metadata.Package{Type: "docker"}, source("src/image.json"), config.Defaults(), nil)
	assert.ErrorContains(t, err, "planning the build of a docker package: reading image.json: ")
}

func TestServicePlan(t *testing.T) {
	for _, packageType := range []string{"ccaas", "external"} {
		got := plan(t, metadata.Package{Type: packageType}, source("connection.json"))
		assert.Equal(t, platform.Plan{Type: packageType, Kind: platform.Service}, got)
	}
}
