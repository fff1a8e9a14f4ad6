package testenv

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
)

// A SecureZooKeeper is a ZooKeeper that also answers over TLS. Both its ports
// serve the same nodes.
type SecureZooKeeper struct {
	// Server has the address without TLS.
	*Server
	// TLSAddr is the host:port that wants TLS. Its certificate is for
	// 127.0.0.1 and zookeeper.test.
	TLSAddr string
	// Authority signs the server's certificate, and those of the clients that
	// it knows.
	Authority *Authority
	// Client is a certificate that the server knows, called client.
	Client KeyPair
}

// SecureZooKeeperOptions change how the server is run.
type SecureZooKeeperOptions struct {
	// ClientAuth is none, want or need: whether clients show a certificate on
	// the port with TLS; want if empty.
	ClientAuth string
	// Config is put at the end of the server's configuration.
	Config string
}

// StartSecureZooKeeper runs a ZooKeeper with two ports, its data and
// certificates in dir, as StartZooKeeper does.
func StartSecureZooKeeper(ctx context.Context, dir string, opts SecureZooKeeperOptions) (*SecureZooKeeper, error) {
	s := &SecureZooKeeper{}
	var server KeyPair
	var err error
	if s.Authority, err = NewAuthority(dir, "authority"); err != nil {
		return nil, err
	}
	if server, err = s.Authority.Issue("server", "127.0.0.1", "zookeeper.test"); err != nil {
		return nil, err
	}
	if s.Client, err = s.Authority.Issue("client"); err != nil {
		return nil, err
	}
	block, err := reservePorts(16000, 18000, 3, 2)
	if err != nil {
		return nil, fmt.Errorf("start ZooKeeper: %w", err)
	}
	s.TLSAddr = loopback(block.port(1))
	config := fmt.Sprintf(`secureClientPort=%d
secureClientPortAddress=127.0.0.1
serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory
authProvider.x509=org.apache.zookeeper.server.auth.X509AuthenticationProvider
ssl.keyStore.location=%s
ssl.keyStore.type=PEM
ssl.trustStore.location=%s
ssl.trustStore.type=PEM
ssl.clientAuth=%s
%s
`, block.port(1), server.BothFile, s.Authority.CertFile, cmp.Or(opts.ClientAuth, "want"), opts.Config)
	if s.Server, err = startZooKeeper(ctx, dir, onLoopback(), block, config); err != nil {
		return s, err
	}
	// The port for TLS is opened behind the other one, also after a restart.
	plain := s.ready
	s.ready = func(ctx context.Context) error { return errors.Join(plain(ctx), reachable(ctx, s.TLSAddr)) }
	if err := s.waitReady(ctx, s.proc.Load()); err != nil {
		return s, errors.Join(err, s.Stop())
	}
	return s, nil
}

// reachable says whether somebody listens on an address.
func reachable(ctx context.Context, addr string) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	return conn.Close()
}

// RunSecureZooKeeper runs a ZooKeeper with TLS until the test ends.
func RunSecureZooKeeper(t testing.TB, opts SecureZooKeeperOptions) *SecureZooKeeper {
	t.Helper()
	var s *SecureZooKeeper
	ownServer(t, func(ctx context.Context, dir string) (*Server, error) {
		var err error
		if s, err = StartSecureZooKeeper(ctx, dir, opts); err != nil {
			return nil, err
		}
		return s.Server, nil
	})
	return s
}
