// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"sync"
	"time"
)

// authority is the CA that the peer creates at each start.
type authority struct {
	cert    *x509.Certificate
	key     *ecdsa.PrivateKey
	certPEM []byte
}

// keyPair is a certificate and its key, as in chaincode.json.
type keyPair struct {
	cert    []byte // DER
	certPEM []byte
	keyPEM  []byte
}

func newAuthority() (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generating key: %w", err)
	}
	template, err := certTemplate(10 * 365 * 24 * time.Hour)
	if err != nil {
		return nil, err
	}
	template.IsCA = true
	template.BasicConstraintsValid = true
	template.KeyUsage |= x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}
	pair, err := sign(template, template, key, key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(pair.cert)
	if err != nil {
		return nil, fmt.Errorf("parsing certificate: %w", err)
	}
	return &authority{cert: cert, key: key, certPEM: pair.certPEM}, nil
}

// clientPair issues a certificate for a launch, valid for 24 hours.
func (a *authority) clientPair() (*keyPair, error) {
	template, err := certTemplate(24 * time.Hour)
	if err != nil {
		return nil, err
	}
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	return a.issue(template)
}

// serverPair issues a certificate whose only name is host.
func (a *authority) serverPair(host string) (*keyPair, error) {
	template, err := certTemplate(10 * 365 * 24 * time.Hour)
	if err != nil {
		return nil, err
	}
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}
	if ip := net.ParseIP(host); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{host}
	}
	return a.issue(template)
}

func (a *authority) issue(template *x509.Certificate) (*keyPair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generating key: %w", err)
	}
	return sign(template, a.cert, key, a.key)
}

// serverTLS returns the TLS configuration of the chaincode address.
func (a *authority) serverTLS(host string) (*tls.Config, error) {
	pair, err := a.serverPair(host)
	if err != nil {
		return nil, err
	}
	cert, err := tls.X509KeyPair(pair.certPEM, pair.keyPEM)
	if err != nil {
		return nil, fmt.Errorf("loading server certificate: %w", err)
	}
	clients := x509.NewCertPool()
	clients.AddCert(a.cert)
	return &tls.Config{
		MinVersion:   tls.VersionTLS12,
		Certificates: []tls.Certificate{cert},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    clients,
	}, nil
}

func certTemplate(lifetime time.Duration) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 128))
	if err != nil {
		return nil, fmt.Errorf("generating serial number: %w", err)
	}
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{SerialNumber: serial.String()},
		NotBefore:    time.Now().Add(-24 * time.Hour),
		NotAfter:     time.Now().Add(lifetime),
		KeyUsage:     x509.KeyUsageKeyEncipherment | x509.KeyUsageDigitalSignature,
	}, nil
}

// sign issues a certificate, and encodes the key as Fabric does: in PKCS#8, although the block's type is "EC PRIVATE
// KEY".
func sign(template, parent *x509.Certificate, key, signer *ecdsa.PrivateKey) (*keyPair, error) {
	public, err := key.PublicKey.ECDH()
	if err != nil {
		return nil, fmt.Errorf("hashing key: %w", err)
	}
	keyID := sha256.Sum256(public.Bytes())
	template.SubjectKeyId = keyID[:]
	cert, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		return nil, fmt.Errorf("signing certificate: %w", err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encoding key: %w", err)
	}
	return &keyPair{
		cert:    cert,
		certPEM: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}),
		keyPEM:  pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: private}),
	}, nil
}

// clientCerts records for a limited time which chaincode each client certificate was issued for.
type clientCerts struct {
	lifetime time.Duration
	mutex    sync.Mutex
	names    map[[sha256.Size]byte]string
}

func newClientCerts(lifetime time.Duration) *clientCerts {
	return &clientCerts{lifetime: lifetime, names: map[[sha256.Size]byte]string{}}
}

func (c *clientCerts) remember(cert []byte, name string) {
	hash := sha256.Sum256(cert)
	c.mutex.Lock()
	c.names[hash] = name
	c.mutex.Unlock()
	time.AfterFunc(c.lifetime, func() {
		c.mutex.Lock()
		delete(c.names, hash)
		c.mutex.Unlock()
	})
}

// check returns an error unless the certificate was issued for the chaincode of that name.
func (c *clientCerts) check(cert []byte, name string) error {
	hash := sha256.Sum256(cert)
	c.mutex.Lock()
	owner, known := c.names[hash]
	c.mutex.Unlock()
	if !known {
		//lint:ignore ST1005 the words of the real peer
		return fmt.Errorf("Chaincode %s with given certificate hash %v not found in registry", name, hash[:])
	}
	if owner != name {
		//lint:ignore ST1005 the words of the real peer
		return fmt.Errorf("Chaincode %s with given certificate hash %v belongs to a different chaincode", name, hash[:])
	}
	return nil
}
