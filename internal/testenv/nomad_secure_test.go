package testenv

import (
	"testing"

	"github.com/hashicorp/nomad/api"
)

func TestSecureNomadWantsTokenAndCertificate(t *testing.T) {
	n := RunSecureNomad(t)
	list := func(token, cert, key string) error {
		client, err := api.NewClient(&api.Config{
			Address: n.Addr, SecretID: token,
			TLSConfig: &api.TLSConfig{CACert: n.Authority.CertFile, ClientCert: cert, ClientKey: key},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		_, _, err = client.Jobs().List((&api.QueryOptions{}).WithContext(t.Context()))
		return err
	}
	token := n.NewToken(t, `namespace "default" { capabilities = ["list-jobs"] }`)
	if err := list(token, n.Client.CertFile, n.Client.KeyFile); err != nil {
		t.Errorf("with both: %v", err)
	}
	if err := list("", n.Client.CertFile, n.Client.KeyFile); err == nil {
		t.Error("without a token there is an answer")
	}
	if err := list(token, "", ""); err == nil {
		t.Error("without a certificate there is an answer")
	}
}
