package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"strconv"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// transport reads the variables that the peer's own controller sets. As in
// Fabric's shim CORE_PEER_TLS_ENABLED has to be a boolean.
func transport() (credentials.TransportCredentials, error) {
	enabled, err := strconv.ParseBool(os.Getenv("CORE_PEER_TLS_ENABLED"))
	if err != nil {
		return nil, fmt.Errorf("parsing CORE_PEER_TLS_ENABLED: %w", err)
	}
	if !enabled {
		return insecure.NewCredentials(), nil
	}
	key, err := pemOf("CORE_TLS_CLIENT_KEY")
	if err != nil {
		return nil, err
	}
	cert, err := pemOf("CORE_TLS_CLIENT_CERT")
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("loading client certificate: %w", err)
	}
	root, err := os.ReadFile(os.Getenv("CORE_PEER_TLS_ROOTCERT_FILE"))
	if err != nil {
		return nil, fmt.Errorf("reading root certificate: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(root) {
		return nil, errors.New("reading root certificate: no certificate in it")
	}
	return credentials.NewTLS(&tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, RootCAs: roots,
	}), nil
}

// pemOf reads the PEM file that NAME_FILE points to or, without that, the
// base64 of one that NAME_PATH points to.
func pemOf(name string) ([]byte, error) {
	if file := os.Getenv(name + "_FILE"); file != "" {
		raw, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("reading %s_FILE: %w", name, err)
		}
		return raw, nil
	}
	raw, err := os.ReadFile(os.Getenv(name + "_PATH"))
	if err != nil {
		return nil, fmt.Errorf("reading %s_PATH: %w", name, err)
	}
	decoded, err := base64.StdEncoding.DecodeString(string(raw))
	if err != nil {
		return nil, fmt.Errorf("decoding %s_PATH: %w", name, err)
	}
	return decoded, nil
}
