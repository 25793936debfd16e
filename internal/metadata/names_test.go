// SPDX-License-Identifier: Apache-2.0

package metadata_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/distribution/reference"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/metadata"
)

// container matches the names that Docker accepts for containers and volumes.
var container = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]+$`)

var digest = strings.Repeat("0123456789abcdef", 4)

const token = "0011223344556677"

// launches returns chaincodes that are hard to name: odd labels, IDs of the 1.x lifecycle, odd addresses.
func launches() map[string]metadata.Chaincode {
	hash := ":" + digest
	address := "peer0.org1.example.com:7052"
	launches := map[string]metadata.Chaincode{
		"usual":                {MSPID: "Org1MSP", PeerAddress: address, ID: "basic_1.0" + hash},
		"without mspid":        {PeerAddress: address, ID: "basic_1.0" + hash},
		"1.x lifecycle":        {MSPID: "Org1MSP", PeerAddress: address, ID: "mycc:1.0"},
		"address without port": {MSPID: "Org1MSP", PeerAddress: "peer0", ID: "basic_1.0" + hash},
		"IPv4":                 {MSPID: "Org1MSP", PeerAddress: "127.0.0.1:7052", ID: "basic_1.0" + hash},
		"IPv6":                 {MSPID: "Org1MSP", PeerAddress: "[::1]:7052", ID: "basic_1.0" + hash},
		"IPv6 alone":           {PeerAddress: "[::1]:7052", ID: "a:b"},
		"mspid all separators": {MSPID: "--..", PeerAddress: address, ID: "a:b"},
		"mspid with spaces":    {MSPID: "Org 1 / Ünit", PeerAddress: address, ID: "a:b"},
		"nothing allowed":      {MSPID: "é", PeerAddress: "::", ID: ":"},
		"everything empty":     {},
		"invalid UTF-8":        {MSPID: "\xff\xfe", PeerAddress: "\x00", ID: "\n"},
		"long mspid":           {MSPID: strings.Repeat("m", 300), PeerAddress: address, ID: "a:b"},
		"long everything":      {MSPID: strings.Repeat("m", 64), PeerAddress: strings.Repeat("p", 253) + ":7052", ID: strings.Repeat("l", 183) + hash},
	}
	// https://github.com/hyperledger-labs/fabric-builder-k8s/issues/80: labels that make names Docker rejects
	for _, label := range []string{"basic_", "basic-", "basic__1", "basic+-1", "basic.-_+", "BASIC", "1", "+a", "mycc:1.0", strings.Repeat("a", 173)} {
		launches["label "+label] = metadata.Chaincode{MSPID: "Org1MSP", PeerAddress: address, ID: label + hash}
	}
	return launches
}

func TestRunName(t *testing.T) {
	var lines []string
	names := map[string]string{}
	for name, chaincode := range launches() {
		runName := metadata.RunName(chaincode, token)
		assert.Regexp(t, container, runName, name)
		assert.LessOrEqual(t, len(runName), 128, name)
		assert.Equal(t, runName, metadata.RunName(chaincode, token), "%s: the same each time", name)
		assert.NotContains(t, names, runName, "%s: as %s", name, names[runName])
		names[runName] = name
		lines = append(lines, fmt.Sprintf("%.40s: %s\n", name, runName))
	}
	slices.Sort(lines)
	golden(t, "run-names.txt", strings.Join(lines, ""))
}

func TestRunNameDiffersForContainersThatMayCoexist(t *testing.T) {
	long := strings.Repeat("a", 183)
	base := metadata.Chaincode{MSPID: "Org1MSP", PeerAddress: "peer0.example.com:7052", ID: long + ":" + digest}
	others := map[string]struct {
		change func(*metadata.Chaincode)
		token  string
	}{
		"another token":                    {func(*metadata.Chaincode) {}, "0011223344556678"},
		"another mspid":                    {func(c *metadata.Chaincode) { c.MSPID = "Org2MSP" }, token},
		"another host":                     {func(c *metadata.Chaincode) { c.PeerAddress = "peer1.example.com:7052" }, token},
		"another port":                     {func(c *metadata.Chaincode) { c.PeerAddress = "peer0.example.com:8052" }, token},
		"another hash after a long label":  {func(c *metadata.Chaincode) { c.ID = long + ":" + strings.Repeat("f", 64) }, token},
		"another separator":                {func(c *metadata.Chaincode) { c.ID = long + "-" + digest }, token},
		"same characters, split elsewhere": {func(c *metadata.Chaincode) { c.MSPID, c.PeerAddress = "Org1MSP-peer0.example.com", "7052" }, token},
	}
	want := metadata.RunName(base, token)
	for name, other := range others {
		t.Run(name, func(t *testing.T) {
			chaincode := base
			other.change(&chaincode)
			assert.NotEqual(t, want, metadata.RunName(chaincode, other.token))
		})
	}
	t.Run("new certificates make no difference", func(t *testing.T) {
		chaincode := base
		chaincode.ClientCert, chaincode.ClientKey, chaincode.RootCert = "c", "k", "r"
		assert.Equal(t, want, metadata.RunName(chaincode, token))
	})
}

func TestRunNameNeverShowsTheToken(t *testing.T) {
	assert.NotContains(t, metadata.RunName(metadata.Chaincode{ID: "a:b", PeerAddress: "p:1"}, token), token)
}

func TestNamesOfABuild(t *testing.T) {
	var lines strings.Builder
	for _, prefix := range []string{"fabric-chaincode", "a", "registry.example.com/fabric/chaincode", "registry.example.com:5000/cc", "localhost:5000"} {
		image := metadata.ImageName(prefix, "golang", digest)
		parsed, err := reference.ParseNormalizedNamed(image)
		require.NoError(t, err, "an image's name is valid")
		assert.Equal(t, digest, parsed.(reference.Tagged).Tag())
		fmt.Fprintf(&lines, "%s\n", image)
		for _, name := range []string{
			metadata.BuildName(prefix, digest), metadata.AssemblyName(prefix, digest), metadata.CacheName(prefix, "golang"),
		} {
			assert.Regexp(t, container, name)
			assert.Equal(t, name == metadata.CacheName(prefix, "golang"), !strings.HasSuffix(name, digest), "the name of a lock contains the digest")
			fmt.Fprintf(&lines, "  %s\n", name)
		}
	}
	golden(t, "build-names.txt", lines.String())
}

func TestRunNameOfAPeerThatIsKnownByName(t *testing.T) {
	chaincode := metadata.Chaincode{ID: "basic_1.0:abc", MSPID: "Org1MSP", PeerAddress: "peer0.org1.example.com:7052"}
	unnamed := metadata.RunName(chaincode, "token")
	hash := unnamed[len(unnamed)-17:]
	for _, test := range []struct{ network, peer, want string }{
		{"", "", "dev-peer0.org1.example.com-basic_1.0-abc" + hash},
		{"prod", "peer0", "prod-peer0-basic_1.0-abc" + hash},
		{"prod", "", "prod-peer0.org1.example.com-basic_1.0-abc" + hash},
		{"", "peer0", "dev-peer0-basic_1.0-abc" + hash},
		{"_", "a b/c", "a-b-c-basic_1.0-abc" + hash},
		{strings.Repeat("n", 300), "p", strings.Repeat("n", 128-17) + hash},
	} {
		assert.Equal(t, test.want, metadata.RunNameOf(test.network, test.peer, chaincode, "token"))
	}
}

// An operator may commit a container of ours and look into the image: the labels come with it, the name does not.
func TestContainersAreToldByTheirNames(t *testing.T) {
	run := metadata.RunName(metadata.Chaincode{ID: "basic_1.0:abc", MSPID: "Org1MSP", PeerAddress: "peer0:7052"}, "token")
	digest := strings.Repeat("0123456789abcdef", 4)
	lock := metadata.BuildName("acme", digest)
	for _, name := range []string{run, metadata.ReplacedName(run, digest), "Org1MSP-" + run} {
		assert.True(t, metadata.IsContainerName(metadata.KindChaincode, name), name)
	}
	for _, name := range []string{lock, lock + "-c", metadata.AttemptName(lock+"-c", 2), metadata.AssemblyName("acme", metadata.RandomID()), "acme-look-" + metadata.RandomID(), metadata.AttemptName(lock+"-c", 2) + "-modules"} {
		assert.True(t, metadata.IsContainerName(metadata.KindBuild, name), name)
	}
	for _, name := range []string{"look", "happy_turing", "my-build", "basic-debug", "lab-build-1", "lab-cache-1", "my-look-2"} {
		assert.False(t, metadata.IsContainerName(metadata.KindChaincode, name), name)
		assert.False(t, metadata.IsContainerName(metadata.KindBuild, name), name)
	}
}

// An engine that commits gives a temporary name of Anew's another one for a moment. If the builder is killed then, it stays.
func TestATemporaryNameOfATemporaryName(t *testing.T) {
	image := metadata.ImageName("acme", "golang", strings.Repeat("0123456789abcdef", 4))
	for _, name := range []string{metadata.TemporaryName(image), metadata.TemporaryName(metadata.TemporaryName(image))} {
		made, ok := metadata.TemporarySince("acme", name)
		assert.True(t, ok, name)
		assert.WithinDuration(t, time.Now(), made, time.Minute)
		assert.True(t, metadata.IsImageName(name), name)
	}
}
