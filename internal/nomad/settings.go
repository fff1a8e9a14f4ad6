package nomad

import "github.com/heron-nomad/heron/internal/conf"

// OptionsFor are the options of a client for the Nomad that the settings name.
// The caller adds the way there, if it is its own, and a sink for progress.
func OptionsFor(n conf.Nomad) ClientOptions {
	a := n.Access
	o := ClientOptions{
		Address: n.Address, Region: n.Region, Namespace: n.Namespace,
		Token: string(a.Token), User: a.HTTPUser, Password: string(a.HTTPPassword),
		TLS: TLSOptions{
			CACert: a.CACert, CAPath: a.CAPath, ClientCert: a.ClientCert, ClientKey: a.ClientKey,
			ServerName: a.ServerName, Insecure: a.SkipVerify,
		},
		RequestTimeout: n.RequestTimeout,
		From:           n.AddressFrom.String(),
	}
	return o
}
