package statemgr

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"

	"github.com/heron-nomad/heron/internal/conf"
)

// newTLSConfig reads the files that the settings name; nil stands for no TLS.
func newTLSConfig(t *conf.ZooKeeperTLS) (*tls.Config, error) {
	if t == nil {
		return nil, nil
	}
	c := &tls.Config{
		MinVersion:         tls.VersionTLS12,
		ServerName:         t.ServerName,
		InsecureSkipVerify: t.SkipVerify, //nolint:gosec // as configured
	}
	if t.CACert != "" {
		text, err := os.ReadFile(t.CACert)
		if err != nil {
			return nil, &InvalidError{What: t.CACert, Why: "cannot be read (heron.statemgr.zookeeper.tls.ca.cert): " + err.Error()}
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(text) {
			return nil, &InvalidError{What: t.CACert, Why: "holds no certificate in PEM (heron.statemgr.zookeeper.tls.ca.cert)"}
		}
	}
	if t.ClientCert != "" {
		pair, err := tls.LoadX509KeyPair(t.ClientCert, t.ClientKey)
		if err != nil {
			return nil, &InvalidError{
				What: t.ClientCert,
				Why:  fmt.Sprintf("and %s are no certificate and its key in PEM (heron.statemgr.zookeeper.tls.client.cert and .key): %v", t.ClientKey, err),
			}
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// shake makes a connection to a server one with TLS.
func shake(ctx context.Context, raw net.Conn, server string, config *tls.Config) (net.Conn, error) {
	if config.ServerName == "" {
		host, _, err := net.SplitHostPort(server)
		if err != nil {
			return nil, err
		}
		config = config.Clone()
		config.ServerName = host
	}
	conn := tls.Client(raw, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, tlsError(err)
	}
	return conn, nil
}

// permanentError is a reason that trying again does not change.
type permanentError struct{ error }

func (e permanentError) Unwrap() error { return e.error }

// Permanent is always true.
func (permanentError) Permanent() bool { return true }

// isPermanent says whether an error knows of itself that trying again does
// not change it.
func isPermanent(err error) bool {
	var told interface{ Permanent() bool }
	return errors.As(err, &told) && told.Permanent()
}

// tlsError says what an error of TLS means. What is wrong with a certificate
// stays wrong.
func tlsError(err error) error {
	var untrusted *tls.CertificateVerificationError
	var notTLS tls.RecordHeaderError
	switch {
	case errors.As(err, &untrusted):
		return permanentError{fmt.Errorf("its certificate is not accepted: %w; name its authority in heron.statemgr.zookeeper.tls.ca.cert, or its name in heron.statemgr.zookeeper.tls.server.name", untrusted.Err)}
	case isAlert(err):
		return permanentError{fmt.Errorf("it refuses TLS with this client: %w; does it want another certificate (heron.statemgr.zookeeper.tls.client.cert)?", err)}
	case errors.As(err, &notTLS):
		return permanentError{errors.New("it does not speak TLS; is this its port without?")}
	case errors.Is(err, context.DeadlineExceeded):
		return errors.New("accepts connections but does not answer")
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		return errors.New("closes the connection instead of speaking TLS; is this its port without?")
	}
	return err
}

// isAlert tells what the other side says about TLS, for instance that it does
// not like our certificate. With TLS 1.3 that comes after the handshake.
func isAlert(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "remote error"
}
