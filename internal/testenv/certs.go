package testenv

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// An Authority signs certificates for servers and clients on loopback. All its
// files are PEM.
type Authority struct {
	// CertFile is what trusts the authority's certificates.
	CertFile string

	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// A KeyPair is a certificate with its key; BothFile has one behind the other.
type KeyPair struct {
	CertFile, KeyFile, BothFile string
}

// NewAuthority makes an authority that keeps its files in dir.
func NewAuthority(dir, name string) (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the authority %s: %w", name, err)
	}
	a := &Authority{CertFile: filepath.Join(dir, name+".pem"), dir: dir, key: key}
	template := certTemplate(name)
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err == nil {
		a.cert, err = x509.ParseCertificate(der)
	}
	if err == nil {
		err = os.WriteFile(a.CertFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600)
	}
	if err != nil {
		return nil, fmt.Errorf("make the authority %s: %w", name, err)
	}
	return a, nil
}

// Issue makes a certificate for a server or client called name. hosts are the
// names and addresses it is good for, as a server.
func (a *Authority) Issue(name string, hosts ...string) (KeyPair, error) {
	pair, err := a.issue(name, hosts)
	if err != nil {
		return KeyPair{}, fmt.Errorf("make the certificate %s: %w", name, err)
	}
	return pair, nil
}

func (a *Authority) issue(name string, hosts []string) (KeyPair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return KeyPair{}, err
	}
	template := certTemplate(name)
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, h)
		}
	}
	certDER, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		return KeyPair{}, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return KeyPair{}, err
	}
	certText := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certDER})
	keyText := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
	pair := KeyPair{
		CertFile: filepath.Join(a.dir, name+"-cert.pem"),
		KeyFile:  filepath.Join(a.dir, name+"-key.pem"),
		BothFile: filepath.Join(a.dir, name+"-both.pem"),
	}
	for file, text := range map[string][]byte{
		pair.CertFile: certText,
		pair.KeyFile:  keyText,
		pair.BothFile: append(keyText[:len(keyText):len(keyText)], certText...),
	} {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			return KeyPair{}, err
		}
	}
	return pair, nil
}

// certTemplate is good from an hour ago, for clocks that differ, for a day.
func certTemplate(name string) *x509.Certificate {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		panic(err) // the system's randomness does not fail
	}
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.Add(24 * time.Hour),
	}
}
