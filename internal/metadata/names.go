package metadata

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"net"
	"regexp"
	"strings"
)

// The labels on all that this project makes on an engine. Values are in full, whatever a name had to cut.
const (
	LabelKind         = "fabric-builder-docker.kind"
	LabelVersion      = "fabric-builder-docker.version"       // of the program
	LabelDigest       = "fabric-builder-docker.digest"        // content digest of a build
	LabelChaincodeID  = "fabric-builder-docker.chaincode-id"  // container of a run
	LabelMSPID        = "fabric-builder-docker.mspid"         // container of a run
	LabelPeerAddress  = "fabric-builder-docker.peer-address"  // container of a run
	LabelInstallToken = "fabric-builder-docker.install-token" // container of a run
	LabelBegan        = "fabric-builder-docker.began"         // container of a run: when that run began, RFC 3339 with nanoseconds

	// The built-in controller's own labels on images. The type is in upper case there.
	LabelChaincodeType = "org.hyperledger.fabric.chaincode.type"
	LabelFabricVersion = "org.hyperledger.fabric.version"
)

// The values of LabelKind.
const (
	KindBuild     = "build"     // container that builds; its name is the lock
	KindAssembly  = "assembly"  // container that is never started and becomes an image
	KindChaincode = "chaincode" // image that build made, and container that run made
	KindSnapshot  = "snapshot"  // image of a package's dependencies, on which its image is built
	KindCache     = "cache"     // volume that outlives builds
)

// maxName bounds a container's name in bytes. Engines take more; tools that show names do not.
const maxName = 128

// ImageName is the name of the image with that content, PREFIX/TYPE:DIGEST.
func ImageName(prefix, packageType, digest string) string {
	return prefix + "/" + packageType + ":" + digest
}

// BuildName is the name of the container that builds that content. Holding the name is holding the lock.
func BuildName(prefix, digest string) string { return containerName(prefix) + "-build-" + digest }

// AssemblyName is the name of the container that becomes the image with that content, and the lock for doing so.
func AssemblyName(prefix, digest string) string { return containerName(prefix) + "-assembly-" + digest }

// RandomID returns 16 random hex digits, for names and tokens that must not collide.
func RandomID() string {
	id := make([]byte, 8)
	rand.Read(id) // never returns an error
	return hex.EncodeToString(id)
}

// CacheName is the name of a cache volume.
func CacheName(prefix, cache string) string { return containerName(prefix) + "-cache-" + cache }

// RunName is the one name of a chaincode's container: MSPID-PEER_HOST-CHAINCODE_ID, sanitised and cut, with a hash
// over all that identifies the chaincode of one peer. The install token is in the hash alone.
func RunName(c Chaincode, installToken string) string {
	return RunNameOf("", "", c, installToken)
}

// RunNameOf is RunName for a peer that is known by name: NETWORK-PEER-CHAINCODE_ID, as the built-in controller has it.
// One of the two may be empty; the name must be the same at each launch.
func RunNameOf(networkID, peerID string, c Chaincode, installToken string) string {
	host, _, err := net.SplitHostPort(c.PeerAddress)
	if err != nil {
		host = c.PeerAddress
	}
	who := []string{networkID, peerID}
	if networkID == "" && peerID == "" {
		who = []string{c.MSPID, host}
	}
	var parts []string
	for _, part := range append(who, c.ID) {
		if part != "" {
			parts = append(parts, part)
		}
	}
	identity := sha256.Sum256([]byte(strings.Join([]string{c.MSPID, c.PeerAddress, c.ID, installToken}, "\x00")))
	hash := "-" + hex.EncodeToString(identity[:8])
	name := sanitise(strings.Join(parts, "-"))
	if len(name)+len(hash) > maxName {
		name = name[:maxName-len(hash)]
	}
	return name + hash
}

// ReplacedName is the name that a chaincode's container gets when a later run takes its name over.
func ReplacedName(name, containerID string) string {
	return name + "-replaced-" + containerID[:min(12, len(containerID))]
}

var forbidden = regexp.MustCompile(`[^a-zA-Z0-9_.-]`)

// sanitise makes a part of a container's name, as the built-in controller does, and never an empty one or one that
// begins with a separator.
func sanitise(name string) string {
	name = strings.TrimLeft(forbidden.ReplaceAllString(name, "-"), "_.-")
	if name == "" {
		return "chaincode"
	}
	return name
}

// containerName is an image prefix as a part of a container's name: a prefix may hold a registry and slashes.
func containerName(prefix string) string { return sanitise(prefix) }
