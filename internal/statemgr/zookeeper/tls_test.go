package zookeeper

import (
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/testenv"
)

func TestTLSChecksTheServer(t *testing.T) {
	server := secure.get(t)
	f := secureFixture(onlyCreator)(t)
	stranger, err := testenv.NewAuthority(t.TempDir(), "stranger")
	must(t, err)
	ca := server.Authority.CertFile
	for _, tls := range []conf.ZooKeeperTLS{
		{CACert: ca},
		{CACert: ca, ServerName: "zookeeper.test"},
		{SkipVerify: true},
	} {
		f.entered(func(a *conf.ZooKeeperAccess) { a.TLS = &tls }).Tree(t)
	}
	for _, c := range []struct {
		name, addr string
		tls        *conf.ZooKeeperTLS
		says       string
	}{
		{"an unknown authority", server.TLSAddr, &conf.ZooKeeperTLS{}, "name its authority in heron.statemgr.zookeeper.tls.ca.cert"},
		{"another authority", server.TLSAddr, &conf.ZooKeeperTLS{CACert: stranger.CertFile}, "unknown authority"},
		{"another name", server.TLSAddr, &conf.ZooKeeperTLS{CACert: ca, ServerName: "other.test"}, "not other.test"},
		{"the port without TLS", server.Addr, &conf.ZooKeeperTLS{CACert: ca}, "is this its port without TLS?"},
		{"TLS not switched on", server.TLSAddr, nil, "is this a port for TLS"},
		{"a silent server", listener(t, silent), &conf.ZooKeeperTLS{CACert: ca}, "accepts connections but does not answer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := f
			f.access.TLS = c.tls
			before := runtime.NumGoroutine()
			err := wantUnreachable(t, patience, c.addr, func() error {
				_, err := Open(t.Context(), f.options(t, Options{Servers: []string{c.addr}, ConnectTimeout: patience}))
				return err
			})
			if !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, want %q", err, c.says)
			}
			wantNoMoreGoroutines(t, before)
		})
	}
}

// What is wrong with a certificate does not change by waiting.
func TestTLSRefusesAtOnce(t *testing.T) {
	f := secureFixture(onlyCreator)(t)
	f.access.TLS = &conf.ZooKeeperTLS{}
	begin := time.Now()
	_, err := Open(t.Context(), f.options(t, Options{ConnectTimeout: time.Hour}))
	wantErr(t, err, statemgr.ErrUnreachable, "")
	if took := time.Since(begin); took > slack {
		t.Errorf("gave up after %s", took)
	}
	// One server of two may have a good certificate.
	f.access.TLS = &conf.ZooKeeperTLS{CACert: secure.get(t).Authority.CertFile}
	_, port, _ := strings.Cut(f.addr, ":")
	for range 4 {
		f.openZK(t, Options{Servers: []string{"localhost:" + port, f.addr}})
	}
}

func TestClientCertificate(t *testing.T) {
	server := testenv.RunSecureZooKeeper(t, testenv.SecureZooKeeperOptions{ClientAuth: "need"})
	stranger, err := testenv.NewAuthority(t.TempDir(), "stranger")
	must(t, err)
	other, err := stranger.Issue("other")
	must(t, err)
	entry := func(pair testenv.KeyPair) fixture {
		return serverFixture(t, server.TLSAddr, conf.ZooKeeperAccess{
			TLS: &conf.ZooKeeperTLS{CACert: server.Authority.CertFile, ClientCert: pair.CertFile, ClientKey: pair.KeyFile},
			ACL: onlyCreator,
		})
	}
	// The certificate is a user to ZooKeeper.
	f := entry(server.Client)
	f.Tree(t)
	acl, _, err := rawZK(t, server.Addr).GetACL(f.Root)
	if !errors.Is(err, zk.ErrNoAuth) {
		t.Errorf("who may see %s: %v, %v", f.Root, acl, err)
	}
	for name, pair := range map[string]testenv.KeyPair{"none": {}, "another authority's": other} {
		f := f
		f.access.TLS = &conf.ZooKeeperTLS{CACert: server.Authority.CertFile, ClientCert: pair.CertFile, ClientKey: pair.KeyFile}
		err := wantUnreachable(t, patience, f.addr, func() error {
			_, err := Open(t.Context(), f.options(t, Options{ConnectTimeout: patience}))
			return err
		})
		if !strings.Contains(err.Error(), "heron.statemgr.zookeeper.tls.client.cert") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
