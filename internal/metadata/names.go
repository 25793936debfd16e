package metadata

import (
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

	// LabelChaincodeType is the built-in controller's own label on images.
	LabelChaincodeType = "org.hyperledger.fabric.chaincode.type"
)

// The values of LabelKind.
const (
	KindBuild     = "build"     // container that builds; its name is the lock
	KindAssembly  = "assembly"  // container that is never started and becomes an image
	KindChaincode = "chaincode" // image that build made, and container that run made
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

// CacheName is the name of a cache volume.
func CacheName(prefix, cache string) string { return containerName(prefix) + "-cache-" + cache }

// RunName is the one name of a chaincode's container: MSPID-PEER_HOST-CHAINCODE_ID, sanitised and cut, with a hash
// over all that identifies the chaincode of one peer. The install token is in the hash alone.
func RunName(c Chaincode, installToken string) string {
	host, _, err := net.SplitHostPort(c.PeerAddress)
	if err != nil {
		host = c.PeerAddress
	}
	var parts []string
	for _, part := range []string{c.MSPID, host, c.ID} {
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
