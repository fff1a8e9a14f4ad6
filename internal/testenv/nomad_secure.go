package testenv

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/uuid"
	"github.com/hashicorp/nomad/api"
)

// A SecureNomad is a Nomad with access control on, which talks only to those
// who show a certificate of its authority.
type SecureNomad struct {
	// Server's address is an https URL.
	*Server
	// Authority signs the agent's certificate and those it accepts.
	Authority *Authority
	// Client is a certificate that the agent accepts.
	Client KeyPair
	// Token is the secret of the management token.
	Token string
	// API is a client with certificate and management token.
	API *api.Client
}

// RunSecureNomad runs a Nomad with access control and mutual TLS until the
// test ends.
func RunSecureNomad(t testing.TB) *SecureNomad {
	t.Helper()
	var n *SecureNomad
	ownServer(t, func(ctx context.Context, dir string) (*Server, error) {
		var err error
		if n, err = StartSecureNomad(ctx, dir); err != nil {
			return nil, err
		}
		return n.Server, nil
	})
	return n
}

// StartSecureNomad runs a Nomad with access control and mutual TLS, its data
// and certificates in dir, as StartNomad does. Its management token is made.
func StartSecureNomad(ctx context.Context, dir string) (*SecureNomad, error) {
	n := &SecureNomad{Token: uuid.NewString()}
	var server KeyPair
	var err error
	if n.Authority, err = NewAuthority(dir, "authority"); err != nil {
		return nil, err
	}
	if server, err = n.Authority.Issue("agent", "127.0.0.1", "localhost", "server.global.nomad", "client.global.nomad"); err != nil {
		return nil, err
	}
	if n.Client, err = n.Authority.Issue("client"); err != nil {
		return nil, err
	}
	n.Server, err = StartNomad(ctx, dir, NomadOptions{secure: n, Config: fmt.Sprintf(`
acl {
  enabled = true
}
tls {
  http = true
  rpc  = true

  ca_file   = %q
  cert_file = %q
  key_file  = %q

  verify_server_hostname = true
  verify_https_client    = true
}
`, n.Authority.CertFile, server.CertFile, server.KeyFile)})
	return n, err
}

// connect makes the client for an agent at address.
func (n *SecureNomad) connect(address string) (err error) {
	n.API, err = api.NewClient(&api.Config{
		Address:  address,
		SecretID: n.Token,
		TLSConfig: &api.TLSConfig{
			CACert: n.Authority.CertFile, ClientCert: n.Client.CertFile, ClientKey: n.Client.KeyFile,
		},
	})
	return err
}

// bootstrap makes the management token where it is not there yet.
func (n *SecureNomad) bootstrap(ctx context.Context) error {
	query := (&api.QueryOptions{}).WithContext(ctx)
	if _, _, err := n.API.ACLTokens().Self(query); err == nil {
		return nil
	}
	_, _, err := n.API.ACLTokens().BootstrapOpts(n.Token, (&api.WriteOptions{}).WithContext(ctx))
	return err
}

// NewToken makes a token whose only policy is rules, in Nomad's own language,
// and returns its secret.
func (n *SecureNomad) NewToken(t testing.TB, rules string) string {
	t.Helper()
	name := "test-" + uuid.NewString()
	write := (&api.WriteOptions{}).WithContext(t.Context())
	if _, err := n.API.ACLPolicies().Upsert(&api.ACLPolicy{Name: name, Rules: rules}, write); err != nil {
		t.Fatalf("make a policy of %s: %v", rules, err)
	}
	token, _, err := n.API.ACLTokens().Create(&api.ACLToken{Name: name, Type: "client", Policies: []string{name}}, write)
	if err != nil {
		t.Fatalf("make a token: %v", err)
	}
	return token.SecretID
}
