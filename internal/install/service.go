package install

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"text/template"

	"fabric-builder-docker/internal/imagebuild"
	"fabric-builder-docker/internal/metadata"
)

// serviceConfig is the variable that the bundled chaincode-as-a-service builder takes its values from, a JSON object.
const serviceConfig = "CHAINCODE_AS_A_SERVICE_BUILDER_CONFIG"

// service reads how a peer connects to a chaincode that runs elsewhere. As for the bundled builder, the texts are
// templates over the operator's values: one package serves peers with a service each.
func service(sourceDir string, environ []string) (metadata.Connection, error) {
	connection, err := metadata.ReadConnection(sourceDir)
	if err != nil {
		return metadata.Connection{}, err
	}
	values, err := serviceValues(environ)
	if err != nil {
		return metadata.Connection{}, err
	}
	connection, err = connection.Render(func(text string) (string, error) { return render(text, values) })
	if err != nil {
		return metadata.Connection{}, fmt.Errorf("%w (values come from %s)", err, serviceConfig)
	}
	if err := connection.Check(); err != nil {
		return metadata.Connection{}, err
	}
	if err := checkKeys(connection); err != nil {
		return metadata.Connection{}, fmt.Errorf("checking %s: %w", metadata.ConnectionFile, err)
	}
	return connection, nil
}

// leaveService writes OUTPUT_DIR of a service: META-INF and the connection for release, and last the record, which
// tells run that there is nothing to run.
func leaveService(outputDir, sourceDir string, pkg metadata.Package, connection metadata.Connection) error {
	if err := metadata.CopyMetaInf(sourceDir, outputDir); err != nil {
		return err
	}
	if err := connection.Write(outputDir); err != nil {
		return err
	}
	return metadata.WriteRecord(outputDir, recordOf(pkg, imagebuild.Image{}))
}

// serviceValues are nil when the variable is not set: a text that asks for none is fine then.
func serviceValues(environ []string) (map[string]any, error) {
	var values map[string]any
	for _, variable := range environ {
		text, ok := strings.CutPrefix(variable, serviceConfig+"=")
		if !ok || text == "" {
			continue
		}
		if err := json.Unmarshal([]byte(text), &values); err != nil {
			return nil, fmt.Errorf("variable %s: a JSON object is expected", serviceConfig) // not its content: there may be a key in it
		}
	}
	return values, nil
}

func render(text string, values map[string]any) (string, error) {
	parsed, err := template.New("template").Option("missingkey=error").Parse(text)
	if err != nil {
		return "", err
	}
	var rendered bytes.Buffer
	if err := parsed.Execute(&rendered, values); err != nil {
		return "", err
	}
	return rendered.String(), nil
}

// checkKeys finds what the peer would stumble over at the first transaction.
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
			return fmt.Errorf("%q is not a certificate: %w", "root_cert", err)
		}
	}
	if !c.ClientAuthRequired {
		return nil
	}
	if _, err := tls.X509KeyPair([]byte(c.ClientCert), []byte(c.ClientKey)); err != nil {
		return fmt.Errorf("%q and %q: %w", "client_cert", "client_key", errors.New(strings.TrimPrefix(err.Error(), "tls: ")))
	}
	return nil
}
