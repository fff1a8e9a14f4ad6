package conf

import (
	"net/url"
	"os"
	"strconv"
	"strings"
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

// NomadFlags are what the command line says about Nomad; empty ones say
// nothing. The address and the rest of what tells where Nomad is win over the
// files. A token comes in a file, for others can read command lines.
type NomadFlags struct {
	Address, Region, Namespace string

	TokenFile                             string
	CACert, CAPath, ClientCert, ClientKey string
	TLSServerName                         string
	// SkipVerify is "true", "false" or empty.
	SkipVerify string
}

// said is a value and where it comes from: a flag, a variable, or a key with
// its file and line. The zero value says nothing.
type said struct {
	value, from string
	// key is set where it comes from the files.
	key string
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
	return &Error{File: s.from, Msg: msg, Hint: hint}
}

// resolveNomad chooses between what is said about Nomad. Where it is (address,
// region, namespace) is told by flag before file before environment. How to
// get in (token, TLS) is told by flag before environment before file; of what
// belongs together, as a certificate and its key, all comes from one source.
//
// What the environment says is about the server that NOMAD_ADDR names. Where
// another was chosen from the files nothing of it counts, so that its token
// never reaches that other server; ignored then names its variables.
func resolveNomad(flags, environ, file nomadSaid) (chosen nomadSaid, ignored []string) {
	chosen.address = first(flags.address, file.address, environ.address)
	if environ.address.set() && !flags.address.set() && !sameServer(environ.address.value, chosen.address.value) {
		for _, s := range []said{
			environ.region, environ.namespace, environ.token, environ.httpAuth, environ.caCert, environ.caPath,
			environ.clientCert, environ.clientKey, environ.serverName, environ.skipVerify,
		} {
			if s.set() {
				ignored = append(ignored, s.from)
			}
		}
		environ = nomadSaid{}
	}
	chosen.region = first(flags.region, file.region, environ.region)
	chosen.namespace = first(flags.namespace, file.namespace, environ.namespace)
	for _, s := range []nomadSaid{flags, environ, file} {
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
	chosen.httpAuth = environ.httpAuth
	chosen.serverName = first(flags.serverName, environ.serverName, file.serverName)
	chosen.skipVerify = first(flags.skipVerify, environ.skipVerify, file.skipVerify)
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

// nomadFlags is what the flags say, and behind them --config-property: it is
// typed on the same line.
func (r *reader) nomadFlags() nomadSaid {
	f := r.opts.NomadFlags
	flag := func(value, name string) said {
		if value == "" {
			return said{}
		}
		return said{value: value, from: name}
	}
	s := nomadSaid{
		address: flag(f.Address, "--nomad-address"), region: flag(f.Region, "--nomad-region"), namespace: flag(f.Namespace, "--nomad-namespace"),
		tokenFile: flag(f.TokenFile, "--nomad-token-file"),
		caCert:    flag(f.CACert, "--nomad-ca-cert"), caPath: flag(f.CAPath, "--nomad-ca-path"),
		clientCert: flag(f.ClientCert, "--nomad-client-cert"), clientKey: flag(f.ClientKey, "--nomad-client-key"),
		serverName: flag(f.TLSServerName, "--nomad-tls-server-name"), skipVerify: flag(f.SkipVerify, "--nomad-skip-verify"),
	}
	typed := r.nomadKeys(func(e *entry) bool { return e.file == fromProperty })
	merged, _ := resolveNomad(s, nomadSaid{}, typed)
	return merged
}

// nomadEnviron is what the standard variables of Nomad's own client say.
func (r *reader) nomadEnviron() nomadSaid {
	variable := func(name string) said {
		if r.opts.Getenv == nil {
			return said{}
		}
		value := strings.TrimSpace(r.opts.Getenv(name))
		if value == "" {
			return said{}
		}
		return said{value: value, from: name}
	}
	return nomadSaid{
		address: variable("NOMAD_ADDR"), region: variable("NOMAD_REGION"), namespace: variable("NOMAD_NAMESPACE"),
		token: variable("NOMAD_TOKEN"), httpAuth: variable("NOMAD_HTTP_AUTH"),
		caCert: variable("NOMAD_CACERT"), caPath: variable("NOMAD_CAPATH"),
		clientCert: variable("NOMAD_CLIENT_CERT"), clientKey: variable("NOMAD_CLIENT_KEY"),
		serverName: variable("NOMAD_TLS_SERVER_NAME"), skipVerify: variable("NOMAD_SKIP_VERIFY"),
	}
}

// nomadFile is what the cluster's files say.
func (r *reader) nomadFile() nomadSaid {
	return r.nomadKeys(func(e *entry) bool { return e.file != fromProperty })
}

// nomadKeys are the values of those keys whose entry is wanted.
func (r *reader) nomadKeys(want func(*entry) bool) nomadSaid {
	get := func(key string, read func(key string) string) said {
		e, ok := r.lookup(key)
		if !ok || !want(e) {
			return said{}
		}
		value := read(key)
		if value == "" {
			return said{}
		}
		from := key + " in " + e.file
		if e.line > 0 {
			from += ":" + strconv.Itoa(e.line)
		}
		return said{value: value, from: from, key: key}
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
	c, ignored := resolveNomad(r.nomadFlags(), r.nomadEnviron(), r.nomadFile())
	if !c.address.set() {
		c.address = said{value: defaultNomadAddress, from: "the default"}
	}
	c.address.value = strings.TrimRight(c.address.value, "/")
	n.Address, n.Region, n.Namespace = c.address.value, c.region.value, c.namespace.value
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

func (r *reader) checkNomadAddress(s said) {
	u, err := url.Parse(s.value)
	switch {
	case err == nil && u.Scheme == "unix" && u.Host == "" && strings.HasPrefix(u.Path, "/"):
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		r.wrongSaid(s, "is not the address of a Nomad server", "write it as http://host:4646, https://host:4646 or unix:///path/of/a/socket")
	case u.User != nil:
		r.wrongSaid(s, "has a user or password in it, which other users of the cluster could read", "leave them out and set NOMAD_HTTP_AUTH, or use a token")
	}
}

// wrongSaid notes a mistake where the value comes from.
func (r *reader) wrongSaid(s said, msg, hint string) {
	if s.key != "" {
		r.wrong(s.key, msg, hint)
		return
	}
	r.fail(s.wrong(msg, hint))
}

func (r *reader) token(a *Access, c nomadSaid) {
	a.Token = Secret(c.token.value)
	if c.tokenFile.set() {
		token, err := readSecret(c.tokenFile.value)
		if err != nil {
			r.wrongSaid(c.tokenFile, err.Error(), "name a file that holds a token's secret id and nothing else")
		}
		a.Token = token
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
