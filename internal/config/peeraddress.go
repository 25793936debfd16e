// SPDX-License-Identifier: Apache-2.0

package config

import (
	"cmp"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"sigs.k8s.io/yaml"
)

// defaultChaincodePort is the port for chaincodes of a peer that sets none.
const defaultChaincodePort = "7052"

// peerKeys are the keys that decide about the address which the peer gives to its chaincodes.
type peerKeys struct {
	ChaincodeAddress       string `json:"chaincodeAddress"`
	ChaincodeListenAddress string `json:"chaincodeListenAddress"`
	Address                string `json:"address"`
	AddressAutoDetect      any    `json:"addressAutoDetect"` // the peer takes "true" as well
	FileSystemPath         string `json:"fileSystemPath"`
}

// PeerAddress returns the address at which chaincodes connect to the peer, and what decides about it, as the peer computes it from
// core.yaml and its variables (computeChaincodeEndpoint in internal/peer/node/start.go of Fabric): peer.chaincodeAddress,
// otherwise the port of peer.chaincodeListenAddress, with the host of peer.address if it listens on all addresses. It returns an
// empty address if none is set.
func PeerAddress(environ []string) (address, source string, err error) {
	keys, file, err := readPeerKeys(environ)
	if err != nil {
		return "", "", err
	}
	find := func(value, key string) (string, string) {
		variable := "CORE_PEER_" + strings.ToUpper(key)
		if set := Lookup(environ, variable); set != "" {
			return set, variable
		}
		return value, "peer." + key + " in " + file
	}
	own, ownSource := find(keys.Address, "address")
	host, _, _ := net.SplitHostPort(own)
	if auto, autoSource := find(fmt.Sprint(keys.AddressAutoDetect), "addressAutoDetect"); own != "" && auto != "" {
		if detect, err := strconv.ParseBool(auto); err == nil && detect {
			host, ownSource = "", autoSource
		}
	}
	for _, key := range []struct{ value, name string }{{keys.ChaincodeAddress, "chaincodeAddress"}, {keys.ChaincodeListenAddress, "chaincodeListenAddress"}} {
		value, source := find(key.value, key.name)
		listen, port, err := net.SplitHostPort(value)
		switch {
		case err != nil, isAny(listen) && key.name == "chaincodeAddress":
			continue // the peer goes on to the next as well
		case !isAny(listen):
			return value, source, nil
		}
		return peerAt(host, port, source+" and "+ownSource)
	}
	if own == "" {
		return "", "", nil
	}
	return peerAt(host, defaultChaincodePort, ownSource)
}

// peerAt returns the address for the host of peer.address.
func peerAt(host, port, source string) (string, string, error) {
	if isAny(host) { // the peer takes the first address of its machine
		if host = firstAddress(); host == "" {
			return "", "", nil
		}
	}
	return net.JoinHostPort(host, port), source, nil
}

func isAny(host string) bool {
	ip := net.ParseIP(host)
	return host == "" || ip != nil && ip.IsUnspecified()
}

// firstAddress returns the first address of this machine that is no loopback one.
func firstAddress() string {
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return ""
	}
	for _, address := range addresses {
		if network, ok := address.(*net.IPNet); ok && !network.IP.IsLoopback() && network.IP.To4() != nil {
			return network.IP.String()
		}
	}
	return ""
}

// readPeerKeys reads the peer section of the first core.yaml that this user may read.
func readPeerKeys(environ []string) (keys peerKeys, file string, err error) {
	for _, dir := range coreDirsOf(environ) {
		path := filepath.Join(dir, coreFile)
		text, err := readFile(path)
		if err != nil {
			continue
		}
		var core struct {
			Peer peerKeys `json:"peer"`
		}
		if err := yaml.Unmarshal(text, &core); err != nil {
			return peerKeys{}, "", fmt.Errorf("%s: invalid YAML: %s", path, yamlReason(err))
		}
		return core.Peer, path, nil
	}
	return peerKeys{}, "", nil
}

// coreDirsOf lists the directories in which core.yaml may be.
func coreDirsOf(environ []string) []string {
	if dir := Lookup(environ, "FABRIC_CFG_PATH"); dir != "" {
		return append([]string{dir}, coreDirs...)
	}
	return coreDirs
}

// CoreDirs lists the directories in which core.yaml is looked for, for messages.
func CoreDirs(environ []string) string { return strings.Join(coreDirsOf(environ), ", ") }

// BuildsDir returns the directory in which the peer of these variables keeps builds, or an empty string if it is not there.
func BuildsDir(environ []string) string {
	keys, file, err := readPeerKeys(environ)
	if err == nil && keys.FileSystemPath != "" && !filepath.IsAbs(keys.FileSystemPath) {
		keys.FileSystemPath = filepath.Join(filepath.Dir(file), keys.FileSystemPath)
	}
	production := cmp.Or(Lookup(environ, "CORE_PEER_FILESYSTEMPATH"), keys.FileSystemPath, "/var/hyperledger/production")
	dir := filepath.Join(production, "externalbuilder", "builds")
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return ""
	}
	return dir
}
