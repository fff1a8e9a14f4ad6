package testenv

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net"
	"os"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
)

func TestSecureZooKeeperServesTheSameNodesOnBothPorts(t *testing.T) {
	s := RunSecureZooKeeper(t, SecureZooKeeperOptions{ClientAuth: "need"})
	client, err := tls.LoadX509KeyPair(s.Client.CertFile, s.Client.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(s.Authority.CertFile)
	if err != nil {
		t.Fatal(err)
	}
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(text)
	dialer := &tls.Dialer{Config: &tls.Config{RootCAs: trusted, Certificates: []tls.Certificate{client}}}
	secure, _, err := zk.Connect([]string{s.TLSAddr}, 10*time.Second, zk.WithLogInfo(false), zk.WithLogger(log.New(io.Discard, "", 0)),
		zk.WithDialer(func(network, addr string, _ time.Duration) (net.Conn, error) {
			return dialer.DialContext(context.Background(), network, addr)
		}))
	if err != nil {
		t.Fatal(err)
	}
	defer secure.Close()
	if _, err := secure.Create("/shared", []byte("x"), 0, zk.WorldACL(zk.PermAll)); err != nil {
		t.Fatal(err)
	}
	if data, _, err := zkConn(t, s.Addr).Get("/shared"); err != nil || string(data) != "x" {
		t.Errorf("without TLS: %q, %v", data, err)
	}
}
