package conf

import (
	"net/url"
	"os"
	"strconv"
	"strings"
	"unicode"
)

const (
	keyNomadAddress    = "heron.nomad.scheduler.uri"
	keyNomadRegion     = "heron.nomad.region"
	keyNomadNamespace  = "heron.nomad.namespace"
	keyNomadToken      = "heron.nomad.token"      //nolint:gosec // a key's name
	keyNomadTokenFile  = "heron.nomad.token.file" //nolint:gosec // a key's name
	keyNomadCACert     = "heron.nomad.tls.ca.cert"
	keyNomadCAPath     = "heron.nomad.tls.ca.path"
	keyNomadClientCert = "heron.nomad.tls.client.cert"
	keyNomadClientKey  = "heron.nomad.tls.client.key"
	keyNomadServerName = "heron.nomad.tls.server.name"
	keyNomadSkipVerify = "heron.nomad.tls.skip.verify"
)

const defaultNomadAddress = "http://127.0.0.1:4646"

// NomadOverrides are what a caller says about Nomad for one call; empty fields
// say nothing. They win over files and environment. A token comes in a file:
// other users can read command lines.
type NomadOverrides struct {
	Address, Region, Namespace string

	TokenFile                             string
	CACert, CAPath, ClientCert, ClientKey string
	TLSServerName                         string
	// SkipVerify is "true", "false" or empty.
	SkipVerify string
}

// said is a value and where it comes from. The zero value says nothing.
type said struct {
	value string
	from  Source
}

func (s said) set() bool { return s.value != "" }

// nomadSaid is what one source says about how to reach Nomad.
type nomadSaid struct {
	address, region, namespace            said
	token, tokenFile, httpAuth            said
	caCert, caPath, clientCert, clientKey said
	serverName, skipVerify                said
}

// wrong makes an error about the value.
func (s said) wrong(msg, hint string) error {
	return &Error{Source: s.from, Key: s.from.Key, Msg: msg, Hint: hint}
}

// resolveNomad chooses between what the sources say about Nomad. Where it is
// (address, region, namespace): the caller wins over the files, the files over
// the environment. How to get in (token, TLS): the caller wins over the
// environment, the environment over the files. What belongs together, as a
// certificate and its key, comes from one source.
//
// What the environment says is about the server that NOMAD_ADDR names. If the
// files name another server, nothing of the environment counts, so that its
// token never reaches that server. ignored names the variables in question.
func resolveNomad(caller, variables, file nomadSaid) (chosen nomadSaid, ignored []string) {
	chosen.address = first(caller.address, file.address, variables.address)
	if variables.address.set() && !caller.address.set() && !sameServer(variables.address.value, chosen.address.value) {
		for _, s := range []said{
			variables.region, variables.namespace, variables.token, variables.httpAuth, variables.caCert, variables.caPath,
			variables.clientCert, variables.clientKey, variables.serverName, variables.skipVerify,
		} {
			if s.set() {
				ignored = append(ignored, s.from.Name)
			}
		}
		variables = nomadSaid{}
	}
	chosen.region = first(caller.region, file.region, variables.region)
	chosen.namespace = first(caller.namespace, file.namespace, variables.namespace)
	for _, s := range []nomadSaid{caller, variables, file} {
		if !chosen.token.set() && !chosen.tokenFile.set() {
			chosen.token, chosen.tokenFile = s.token, s.tokenFile
		}
		if !chosen.caCert.set() && !chosen.caPath.set() {
			chosen.caCert, chosen.caPath = s.caCert, s.caPath
		}
		if !chosen.clientCert.set() && !chosen.clientKey.set() {
			chosen.clientCert, chosen.clientKey = s.clientCert, s.clientKey
		}
	}
	chosen.httpAuth = variables.httpAuth
	chosen.serverName = first(caller.serverName, variables.serverName, file.serverName)
	chosen.skipVerify = first(caller.skipVerify, variables.skipVerify, file.skipVerify)
	return chosen, ignored
}

func first(list ...said) said {
	for _, s := range list {
		if s.set() {
			return s
		}
	}
	return said{}
}

// sameServer says whether two addresses are of one server, as far as their
// texts tell.
func sameServer(a, b string) bool {
	return serverText(a) == serverText(b)
}

func serverText(address string) string {
	u, err := url.Parse(strings.TrimSpace(address))
	if err != nil {
		return address
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return u.Scheme + "://" + strings.ToLower(u.Hostname()) + ":" + port + strings.TrimRight(u.Path, "/")
}

// nomadCaller is what the caller's overrides say, and behind them its
// properties.
func (r *reader) nomadCaller() nomadSaid {
	o := r.opts.Nomad
	override := func(value, key string) said {
		return said{value: value, from: Source{Kind: OverrideSource, Key: key}}
	}
	s := nomadSaid{
		address: override(o.Address, keyNomadAddress), region: override(o.Region, keyNomadRegion), namespace: override(o.Namespace, keyNomadNamespace),
		tokenFile: override(o.TokenFile, keyNomadTokenFile),
		caCert:    override(o.CACert, keyNomadCACert), caPath: override(o.CAPath, keyNomadCAPath),
		clientCert: override(o.ClientCert, keyNomadClientCert), clientKey: override(o.ClientKey, keyNomadClientKey),
		serverName: override(o.TLSServerName, keyNomadServerName), skipVerify: override(o.SkipVerify, keyNomadSkipVerify),
	}
	merged, _ := resolveNomad(s, nomadSaid{}, r.nomadKeys(true))
	return merged
}

// nomadVariables is what the environment variables of Nomad's own client say.
func (r *reader) nomadVariables() nomadSaid {
	variable := func(name string) said {
		return said{value: strings.TrimSpace(r.getenv(name)), from: Source{Kind: EnvironmentSource, Name: name}}
	}
	return nomadSaid{
		address: variable("NOMAD_ADDR"), region: variable("NOMAD_REGION"), namespace: variable("NOMAD_NAMESPACE"),
		token: variable("NOMAD_TOKEN"), httpAuth: variable("NOMAD_HTTP_AUTH"),
		caCert: variable("NOMAD_CACERT"), caPath: variable("NOMAD_CAPATH"),
		clientCert: variable("NOMAD_CLIENT_CERT"), clientKey: variable("NOMAD_CLIENT_KEY"),
		serverName: variable("NOMAD_TLS_SERVER_NAME"), skipVerify: variable("NOMAD_SKIP_VERIFY"),
	}
}

// getenv reads a variable of this process; "" where there is none.
func (r *reader) getenv(name string) string {
	if r.opts.Getenv == nil {
		return ""
	}
	return r.opts.Getenv(name)
}

// nomadKeys are the values of Nomad's keys that the caller's properties set,
// or those that the files set.
func (r *reader) nomadKeys(fromCaller bool) nomadSaid {
	get := func(key string, read func(key string) string) said {
		e, ok := r.lookup(key)
		if !ok || e.source.fromCaller() != fromCaller {
			return said{}
		}
		return said{value: read(key), from: e.source.of(key)}
	}
	text := func(key string) string { return r.text(key, "") }
	place := func(key string) string { return r.place(key, "") }
	s := nomadSaid{
		address: get(keyNomadAddress, place), region: get(keyNomadRegion, text), namespace: get(keyNomadNamespace, text),
		token: get(keyNomadToken, r.secretText), tokenFile: get(keyNomadTokenFile, r.absolute),
		caCert: get(keyNomadCACert, r.absolute), caPath: get(keyNomadCAPath, r.absolute),
		clientCert: get(keyNomadClientCert, r.absolute), clientKey: get(keyNomadClientKey, r.absolute),
		serverName: get(keyNomadServerName, text),
		skipVerify: get(keyNomadSkipVerify, func(key string) string { return strconv.FormatBool(r.flag(key, false)) }),
	}
	if s.token.set() && s.tokenFile.set() {
		r.wrong(keyNomadTokenFile, keyNomadToken+" is set too", "leave one of them out")
	}
	return s
}

// access fills in where Nomad is and how to get in.
func (r *reader) access(n *Nomad) {
	c, ignored := resolveNomad(r.nomadCaller(), r.nomadVariables(), r.nomadKeys(false))
	if !c.address.set() {
		c.address = said{value: defaultNomadAddress, from: Source{Kind: DefaultSource, Key: keyNomadAddress, Name: r.dir}}
	}
	c.address.value = strings.TrimRight(c.address.value, "/")
	n.Address, n.Region, n.Namespace = c.address.value, c.region.value, c.namespace.value
	n.AddressFrom = c.address.from
	r.checkNomadAddress(c.address)
	for _, s := range []said{c.region, c.namespace} {
		if s.set() && !nomadName.MatchString(s.value) {
			r.wrongSaid(s, s.value+" is not the name of a region or namespace", "use letters, digits, - and _")
		}
	}
	n.Access = Access{Ignored: ignored, ServerName: c.serverName.value}
	r.token(&n.Access, c)
	// As Nomad's own client reads it, without a colon there is no password.
	user, password, _ := strings.Cut(c.httpAuth.value, ":")
	n.Access.HTTPUser, n.Access.HTTPPassword = user, Secret(password)
	if strings.HasPrefix(n.Address, "https:") {
		r.tls(&n.Access, c)
	}
	n.Access.origins(c)
}

// checkNomadAddress refuses what is no address, and says where it comes from.
// Behind host and port there may be a path, of a proxy, and in place of them
// the path of a socket.
func (r *reader) checkNomadAddress(s said) {
	const hint = "write it as http://host:4646, https://host:4646 or unix:///path/of/a/socket"
	u, err := url.Parse(s.value)
	switch {
	case strings.Contains(s.value, "@"):
		r.wrongSaid(s, "has a user or password in it, which other users of the cluster could read", "leave them out and set NOMAD_HTTP_AUTH, or use a token")
	case err == nil && u.Scheme == "unix" && u.Host == "" && strings.HasPrefix(u.Path, "/") && u.RawQuery == "" && u.Fragment == "":
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || strings.ContainsFunc(u.Host, unicode.IsSpace):
		r.wrongSaid(s, strconv.Quote(s.value)+" is not the address of a Nomad server", hint)
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		r.wrongSaid(s, strconv.Quote(s.value)+" has a query or fragment", "leave out what follows ? or #")
	case u.Port() == "" && strings.HasSuffix(u.Host, ":") || u.Port() != "" && !isPort(u.Port()):
		r.wrongSaid(s, strconv.Quote(s.value)+" has no port from 1 to 65535 behind its colon", hint)
	}
}

func isPort(text string) bool {
	n, err := strconv.Atoi(text)
	return err == nil && portForm.MatchString(text) && n >= 1 && n <= 65535
}

// wrongSaid notes a mistake in a value, wherever it comes from.
func (r *reader) wrongSaid(s said, msg, hint string) { r.fail(s.wrong(msg, hint)) }

func (r *reader) token(a *Access, c nomadSaid) {
	a.Token = Secret(c.token.value)
	if c.tokenFile.set() {
		a.Token = r.secretFrom(c.tokenFile.value, c.tokenFile.from, "a token's secret id")
	}
	if strings.ContainsFunc(string(a.Token), func(c rune) bool { return c <= ' ' || c >= 0x7f }) {
		r.wrongSaid(first(c.token, c.tokenFile), "is not a token", "give the secret id of an ACL token")
	}
}

// tls fills in what https needs.
func (r *reader) tls(a *Access, c nomadSaid) {
	a.CACert, a.CAPath, a.ClientCert, a.ClientKey = c.caCert.value, c.caPath.value, c.clientCert.value, c.clientKey.value
	for _, s := range []said{c.caCert, c.caPath, c.clientCert, c.clientKey} {
		if !s.set() {
			continue
		}
		if _, err := os.Stat(s.value); err != nil {
			r.wrongSaid(s, "cannot be read: "+err.Error(), "name a PEM file of this machine")
		}
	}
	if c.clientKey.set() {
		r.warnOpen(c.clientKey.value, c.clientKey.from)
	}
	switch {
	case c.clientCert.set() && !c.clientKey.set():
		r.wrongSaid(c.clientCert, "is a certificate without its key", "name the file of the key too")
	case c.clientKey.set() && !c.clientCert.set():
		r.wrongSaid(c.clientKey, "is a key without its certificate", "name the file of the certificate too")
	}
	if !c.skipVerify.set() {
		return
	}
	skip, err := strconv.ParseBool(c.skipVerify.value)
	if err != nil {
		r.wrongSaid(c.skipVerify, strconv.Quote(c.skipVerify.value)+" is not a boolean", "use true or false")
	}
	a.SkipVerify = skip
}

// origins notes where each thing comes from, for people.
func (a *Access) origins(c nomadSaid) {
	for _, o := range []struct {
		what   string
		said   said
		hidden bool
	}{
		{"address", c.address, false},
		{"region", c.region, false},
		{"namespace", c.namespace, false},
		{"token", c.token, true},
		{"token", c.tokenFile, true},
		{"HTTP account", c.httpAuth, true},
		{"CA certificate", c.caCert, false},
		{"CA certificates", c.caPath, false},
		{"client certificate", c.clientCert, false},
		{"client key", c.clientKey, false},
		{"TLS server name", c.serverName, false},
		{"skip verify", c.skipVerify, false},
	} {
		if !o.said.set() {
			continue
		}
		origin := Origin{What: o.what, Value: o.said.value, From: o.said.from}
		if o.hidden {
			origin.Value = ""
		}
		a.Origins = append(a.Origins, origin)
	}
}
