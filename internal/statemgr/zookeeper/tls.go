package zookeeper

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
	"github.com/heron-nomad/heron/internal/statemgr"
)

// TLSConfig reads the files that the settings name; nil stands for no TLS. A
// file that cannot be used is a statemgr.InvalidError.
func TLSConfig(t *conf.ZooKeeperTLS) (*tls.Config, error) {
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
			return nil, &statemgr.InvalidError{What: t.CACert, Why: "cannot be read (heron.statemgr.zookeeper.tls.ca.cert): " + err.Error()}
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(text) {
			return nil, &statemgr.InvalidError{What: t.CACert, Why: "contains no certificate in PEM format (heron.statemgr.zookeeper.tls.ca.cert)"}
		}
	}
	if t.ClientCert != "" {
		pair, err := tls.LoadX509KeyPair(t.ClientCert, t.ClientKey)
		if err != nil {
			return nil, &statemgr.InvalidError{
				What: t.ClientCert,
				Why:  fmt.Sprintf("and %s are not a certificate and its key in PEM format (heron.statemgr.zookeeper.tls.client.cert and .key): %v", t.ClientKey, err),
			}
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// shake turns a connection to a server into one with TLS.
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

// permanentError is a reason that does not change by trying again.
type permanentError struct{ error }

func (e permanentError) Unwrap() error { return e.error }

// Permanent returns true.
func (permanentError) Permanent() bool { return true }

// isPermanent reports whether an error says of itself that trying again is
// useless.
func isPermanent(err error) bool {
	var told interface{ Permanent() bool }
	return errors.As(err, &told) && told.Permanent()
}

// tlsError explains an error of TLS. A rejected certificate is permanent.
func tlsError(err error) error {
	var untrusted *tls.CertificateVerificationError
	var notTLS tls.RecordHeaderError
	switch {
	case errors.As(err, &untrusted):
		return permanentError{fmt.Errorf("its certificate is not accepted: %w; name its authority in heron.statemgr.zookeeper.tls.ca.cert, or its name in heron.statemgr.zookeeper.tls.server.name", untrusted.Err)}
	case isAlert(err):
		return permanentError{fmt.Errorf("it refuses TLS with this client: %w; does it require another certificate (heron.statemgr.zookeeper.tls.client.cert)?", err)}
	case errors.As(err, &notTLS):
		return permanentError{errors.New("it does not speak TLS; is this its port without TLS?")}
	case errors.Is(err, context.DeadlineExceeded):
		return errors.New("accepts connections but does not answer")
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		return errors.New("closes the connection instead of speaking TLS; is this its port without TLS?")
	}
	return err
}

// isAlert reports whether the other side has complained about TLS, for instance
// about our certificate. With TLS 1.3 that comes after the handshake.
func isAlert(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "remote error"
}
