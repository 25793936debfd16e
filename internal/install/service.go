// SPDX-License-Identifier: Apache-2.0

package install

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"

	"fabric-builder-docker/internal/config"
	"fabric-builder-docker/internal/imagebuild"
	"fabric-builder-docker/internal/metadata"
)

// serviceConfig is the variable with the template values, a JSON object. Fabric's chaincode-as-a-service builder reads the
// same variable.
const serviceConfig = "CHAINCODE_AS_A_SERVICE_BUILDER_CONFIG"

// renderConnection reads connection.json from a package, which tells the peer how to connect to a chaincode that runs as a
// service, and renders and checks it. As in Fabric's own builder, its strings are templates for values that the operator
// sets on each peer, so that every peer can use the same package with its own service.
func renderConnection(sourceDir string, environ []string) (metadata.Connection, error) {
	connection, err := metadata.ReadConnection(sourceDir)
	if err != nil {
		return metadata.Connection{}, err
	}
	values, err := serviceValues(environ)
	if err != nil {
		return metadata.Connection{}, err
	}
	hint := ""
	connection, err = connection.Render(func(text string) (string, error) {
		hint = ""
		parsed, err := parseTemplate(text)
		if err != nil || parsed == nil {
			return text, err
		}
		hint = fmt.Sprintf(" (set the values in %s)", serviceConfig)
		return execute(parsed, values)
	})
	if err != nil {
		return metadata.Connection{}, fmt.Errorf("%w%s", err, hint)
	}
	if err := connection.Check(); err != nil {
		return metadata.Connection{}, err
	}
	if err := checkKeys(connection); err != nil {
		return metadata.Connection{}, fmt.Errorf("checking %s: %w", metadata.ConnectionFile, err)
	}
	return connection, nil
}

// writeService writes OUTPUT_DIR for a service: META-INF and connection.json for release, and last the build record, without
// an image because the peer does not call run for a service.
func (i *install) writeService() error {
	connection, err := renderConnection(i.sourceDir, i.process.Environ)
	if err != nil {
		return err
	}
	ignored, err := metadata.CopyServiceStateDB(i.sourceDir, i.outputDir)
	if err != nil {
		return err
	}
	if err := metadata.CopyMetaInf(i.sourceDir, i.outputDir); err != nil {
		return err
	}
	if err := connection.Write(i.outputDir); err != nil {
		return err
	}
	if err := metadata.WriteRecord(i.outputDir, newRecord(i.pkg, imagebuild.Image{})); err != nil {
		return err
	}
	if ignored {
		i.process.Log.Warn("the package has indexes in two places: those in META-INF/statedb are used", "ignored", metadata.ServiceStateDB)
	}
	if connection.IsTooFast() {
		i.process.Log.Warn("the peer will give up at once when it connects to the chaincode: dial_timeout in connection.json is shorter than 1ms; " +
			"a number without a unit counts nanoseconds: set a duration such as 10s")
	}
	i.process.Log.Info("connection.json written: the peer connects to the chaincode at this address",
		"address", connection.Address, "tls_required", connection.TLSRequired)
	return nil
}

// serviceValues returns the values for the templates, from serviceConfig. It returns nil if the variable is not set;
// connection.json without templates needs no values.
func serviceValues(environ []string) (map[string]any, error) {
	text := config.Lookup(environ, serviceConfig)
	if text == "" {
		return nil, nil
	}
	var values map[string]any
	if err := json.Unmarshal([]byte(text), &values); err != nil {
		return nil, fmt.Errorf("variable %s: invalid value: expected a JSON object", serviceConfig) // without its value, which may hold a key
	}
	return values, nil
}

// checkKeys checks certificates and keys, which the peer would otherwise refuse only at the first transaction. It drops the
// errors of the standard library, some of which show parts of a certificate.
func checkKeys(c metadata.Connection) error {
	if !c.TLSRequired {
		return nil
	}
	for rest := []byte(c.RootCert); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return fmt.Errorf("%q is not an X.509 certificate", "root_cert")
		}
	}
	if !c.ClientAuthRequired {
		return nil
	}
	if _, err := tls.X509KeyPair([]byte(c.ClientCert), []byte(c.ClientKey)); err != nil {
		return fmt.Errorf("%q is not an X.509 certificate with the key in %q", "client_cert", "client_key")
	}
	return nil
}
