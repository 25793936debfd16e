// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"
)

// externalBuilder is an entry of chaincode.externalBuilders.
type externalBuilder struct {
	Name                 string   `json:"name"`
	Path                 string   `json:"path"`
	PropagateEnvironment []string `json:"propagateEnvironment"`
}

// core is the part of core.yaml that FromSettings uses.
type core struct {
	Peer struct {
		ChaincodeAddress       string `json:"chaincodeAddress"`
		ChaincodeListenAddress string `json:"chaincodeListenAddress"`
		FileSystemPath         string `json:"fileSystemPath"`
		TLS                    struct {
			Enabled bool `json:"enabled"`
		} `json:"tls"`
	} `json:"peer"`
	Chaincode struct {
		ExternalBuilders []externalBuilder `json:"externalBuilders"`
	} `json:"chaincode"`
}

// FromSettings returns options as Fabric's peer reads them: from core.yaml in FABRIC_CFG_PATH and from CORE_ variables, which
// win. Where the peer would try several external builders, FromSettings fails, because a [Peer] has only one.
func FromSettings(environ []string) (Options, error) {
	variable := func(name string) string { value, _ := lookup(environ, name); return value }
	file := filepath.Join(variable("FABRIC_CFG_PATH"), "core.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		return Options{}, fmt.Errorf("reading settings: %w", err)
	}
	var settings core
	if err := yaml.Unmarshal(text, &settings); err != nil {
		return Options{}, fmt.Errorf("reading %s: %w", file, err)
	}
	builders := settings.Chaincode.ExternalBuilders
	if text := variable("CORE_CHAINCODE_EXTERNALBUILDERS"); text != "" {
		builders = nil
		if err := yaml.UnmarshalStrict([]byte(text), &builders); err != nil {
			return Options{}, fmt.Errorf("reading CORE_CHAINCODE_EXTERNALBUILDERS: %w", err)
		}
	}
	builder, err := only(builders)
	if err != nil {
		return Options{}, err
	}
	host, _, err := net.SplitHostPort(cmp.Or(variable("CORE_PEER_CHAINCODEADDRESS"), settings.Peer.ChaincodeAddress))
	if err != nil {
		return Options{}, fmt.Errorf("reading peer.chaincodeAddress: %w", err)
	}
	return Options{
		BuilderPath: builder.Path,
		BuilderName: builder.Name,
		Propagate:   builder.PropagateEnvironment,
		Environ:     environ,
		Dir:         cmp.Or(variable("CORE_PEER_FILESYSTEMPATH"), settings.Peer.FileSystemPath),
		TLS:         cmp.Or(strings.ToLower(variable("CORE_PEER_TLS_ENABLED")), fmt.Sprint(settings.Peer.TLS.Enabled)) == "true",
		Listen:      cmp.Or(variable("CORE_PEER_CHAINCODELISTENADDRESS"), settings.Peer.ChaincodeListenAddress),
		Host:        host,
	}, nil
}

// only returns the single builder. Like Fabric's peer, it wants a name and a path.
func only(builders []externalBuilder) (externalBuilder, error) {
	if len(builders) != 1 {
		return externalBuilder{}, fmt.Errorf("reading chaincode.externalBuilders: expected one entry, got %d", len(builders))
	}
	if builders[0].Name == "" || builders[0].Path == "" {
		return externalBuilder{}, errors.New("reading chaincode.externalBuilders: an entry needs a name and a path")
	}
	return builders[0], nil
}
