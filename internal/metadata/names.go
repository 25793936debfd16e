// SPDX-License-Identifier: Apache-2.0

package metadata

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// The labels on everything that this project creates on an engine. Names may be truncated, but the values of labels
// never are.
const (
	LabelKind         = "fabric-builder-docker.kind"         // one of the kinds below
	LabelVersion      = "fabric-builder-docker.version"      // version of the program
	LabelDigest       = "fabric-builder-docker.digest"       // content digest of a build
	LabelTimeout      = "fabric-builder-docker.timeout"      // of a build container: its builder's time limit in seconds, which counts from the container's creation
	LabelWay          = "fabric-builder-docker.way"          // of a build container: a hash of the proxies, credentials and certificates that the build was given
	LabelCreate       = "fabric-builder-docker.create"       // of a build container: random, so that a builder knows its own if the engine's answer is lost
	LabelChaincodeID  = "fabric-builder-docker.chaincode-id" // on chaincode containers, like the next four
	LabelMSPID        = "fabric-builder-docker.mspid"
	LabelPeerAddress  = "fabric-builder-docker.peer-address"
	LabelInstallToken = "fabric-builder-docker.install-token"
	LabelBegan        = "fabric-builder-docker.began" // start time of run, RFC 3339 with nanoseconds
	LabelKeep         = "fabric-builder-docker.keep"  // on chaincode containers that stay after their end, for a look

	LabelSnapshot = "fabric-builder-docker.snapshot" // on images of chaincodes: the name of the snapshot

	// The labels that the peer's built-in Docker controller sets on images. It writes the type in upper case.
	LabelChaincodeType = "org.hyperledger.fabric.chaincode.type"
	LabelFabricVersion = "org.hyperledger.fabric.version"
)

// The values of LabelKind.
const (
	KindBuild     = "build"     // container that builds a package; its name is the lock
	KindAssembly  = "assembly"  // container that is never started, only created to make or inspect an image
	KindChaincode = "chaincode" // image of a chaincode, or container that runs it
	KindSnapshot  = "snapshot"  // image that builds begin with: the dependencies of a package, or Go's standard library
	KindBase      = "base"      // image that records what is known of a base image, and adds nothing to it
	KindCache     = "cache"     // cache volume, which is shared by builds
	KindCacheLock = "cachelock" // container that earlier versions locked a cache with
)

// maxName is the maximum length of a container name in bytes. Engines accept more, but tools that display names do not.
const maxName = 128

// ImageName returns the name of the image with the given content digest, PREFIX/TYPE:DIGEST.
func ImageName(prefix, packageType, digest string) string {
	return prefix + "/" + packageType + ":" + digest
}

// TemporaryName returns another name for an image until it gets its own, IMAGE-TIME-RANDOM. The time is in seconds, in hex: an
// image that a builder which was killed leaves behind has no other sign of its age.
func TemporaryName(image string) string {
	return fmt.Sprintf("%s-%x-%s", image, time.Now().Unix(), RandomID())
}

// A name of Anew's is temporary already when an engine that commits gets another one for it.
var temporary = regexp.MustCompile(`^[^:]+:[0-9a-f]{64}-([0-9a-f]{8})-[0-9a-f]{16}(-[0-9a-f]{8}-[0-9a-f]{16})?$`)

// TemporarySince returns when a builder with that prefix gave an image a temporary name, or false for any other name.
func TemporarySince(prefix, name string) (time.Time, bool) {
	found := temporary.FindStringSubmatch(name)
	if found == nil || !strings.HasPrefix(name, prefix+"/") {
		return time.Time{}, false
	}
	seconds, err := strconv.ParseInt(found[1], 16, 64)
	return time.Unix(seconds, 0), err == nil
}

// BuildName returns the name of the container that builds the content with the given digest. The container with that
// name holds the build lock.
func BuildName(prefix, digest string) string { return containerName(prefix) + "-build-" + digest }

// AttemptName returns the name of the container of the nth attempt at a build, the first of which is 1. Each is a lock.
func AttemptName(lock string, n int) string {
	if n == 1 {
		return lock
	}
	return fmt.Sprintf("%s-%d", lock, n)
}

// AssemblyName returns the name of a container that is only created to make or inspect an image. The ID is random. Older
// versions put the content digest there, and the name was a lock.
func AssemblyName(prefix, id string) string { return containerName(prefix) + "-assembly-" + id }

// RandomID returns 16 random hex digits, for names and tokens that must not collide.
func RandomID() string {
	id := make([]byte, 8)
	rand.Read(id) // never returns an error
	return hex.EncodeToString(id)
}

// CacheName returns the name of a cache volume.
func CacheName(prefix, cache string) string { return containerName(prefix) + "-cache-" + cache }

// imageName matches what [ImageName] and [TemporaryName] return. Temporary names of earlier versions have no time.
var imageName = regexp.MustCompile(`/[a-z0-9-]+:[0-9a-f]{64}((-[0-9a-f]{8})?-[0-9a-f]{16}){0,2}$`)

// IsImageName reports whether the name of an image is one that this project gives, with whatever prefix. Labels alone do not
// tell: an image that somebody builds on one of ours has them as well.
func IsImageName(name string) bool { return imageName.MatchString(name) }

// The ends of the names of containers, by kind: runs, and what builds create. look and the locks of caches are of earlier
// versions. A service of Compose may well be called build, so the digits count.
var (
	runName   = regexp.MustCompile(`-[0-9a-f]{16}(-replaced-[0-9a-f]{12})?$`)
	buildName = regexp.MustCompile(`-(build|assembly|look)-[0-9a-f]{16}([0-9a-f]{48})?(-c)?(-[0-9]+)?(-modules(-[0-9a-f]{16})?)?$|-cachelock-.+$|-cache-.+-lock$`)
)

// IsContainerName reports whether the name of a container is one that this project gives to those of a kind, with whatever
// prefix. Labels alone do not tell: an image that somebody commits from one of ours gives them to its containers.
func IsContainerName(kind, name string) bool {
	if kind == KindChaincode {
		return runName.MatchString(name)
	}
	return buildName.MatchString(name)
}

var oldCache = regexp.MustCompile(`-cache-(golang|java-|node)`)

// IsOldCacheName reports whether a cache volume is one of earlier versions, which this version does not use.
func IsOldCacheName(name string) bool { return oldCache.MatchString(name) }

// defaultNetworkID is the network ID of a peer whose core.yaml or environment sets none. Tools that clean up look for names
// that begin with dev-peer.
const defaultNetworkID = "dev"

// RunName returns the name of the container of a chaincode whose peer has neither a network ID nor a peer ID set, see
// [RunNameOf].
func RunName(c Chaincode, installToken string) string {
	return RunNameOf("", "", c, installToken)
}

// RunNameOf returns the name of a chaincode container, sanitised and truncated to 128 bytes. Like the built-in controller's,
// it begins with NETWORK_ID-PEER_ID-CHAINCODE_ID; -HASH follows. Without a network ID it has "dev", and without a peer ID
// the host of the peer's address, which is usually the same. The hash covers everything that identifies the chaincode of one
// peer. The install token is only in the hash. Every launch must pass the same IDs.
func RunNameOf(networkID, peerID string, c Chaincode, installToken string) string {
	var parts []string
	for _, part := range []string{cmp.Or(networkID, defaultNetworkID), cmp.Or(peerID, hostOf(c.PeerAddress)), c.ID} {
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

// hostOf returns address without its port.
func hostOf(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	return host
}

// ReplacedName returns the name to give a chaincode container when a later run takes over its name.
func ReplacedName(name, containerID string) string {
	return name + "-replaced-" + containerID[:min(12, len(containerID))]
}

var replaced = regexp.MustCompile(`-replaced-[0-9a-f]{12}$`)

// IsReplacedName reports whether a chaincode container has been given another name by a later run.
func IsReplacedName(name string) bool { return replaced.MatchString(name) }

var forbidden = regexp.MustCompile(`[^a-zA-Z0-9_.-]`)

// sanitise replaces the characters that Docker does not allow in container names, as the built-in controller does. The
// result is never empty and never begins with a separator.
func sanitise(name string) string {
	name = strings.TrimLeft(forbidden.ReplaceAllString(name, "-"), "_.-")
	if name == "" {
		return "chaincode"
	}
	return name
}

// containerName converts an image prefix, which may contain a registry and slashes, to the beginning of a container
// name.
func containerName(prefix string) string { return sanitise(prefix) }
