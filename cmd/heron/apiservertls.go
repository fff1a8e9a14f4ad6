package main

import (
	"crypto/tls"
	"crypto/x509"
	"os"
)

// serverTLS is how the API server speaks TLS; nil for not at all.
func serverTLS(f *apiserverFlags) (*tls.Config, error) {
	switch {
	case f.tlsCert == "" && f.tlsKey == "" && f.clientCA == "":
		return nil, nil
	case f.tlsCert == "" || f.tlsKey == "":
		return nil, usagef("TLS takes both --tls-cert and --tls-key")
	}
	// It is read at every handshake, so that a new certificate counts at once.
	load := func() (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(f.tlsCert, f.tlsKey)
		return &pair, err
	}
	if _, err := load(); err != nil {
		return nil, usagef("read --tls-cert and --tls-key: %v", err)
	}
	c := &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return load() },
	}
	if f.clientCA == "" {
		return c, nil
	}
	text, err := os.ReadFile(f.clientCA)
	if err != nil {
		return nil, usagef("read --tls-client-ca: %v", err)
	}
	c.ClientCAs = x509.NewCertPool()
	if !c.ClientCAs.AppendCertsFromPEM(text) {
		return nil, usagef("--tls-client-ca: %s holds no certificate in PEM", f.clientCA)
	}
	// Nodes fetch packages without one.
	c.ClientAuth = tls.VerifyClientCertIfGiven
	return c, nil
}
