package main

import (
	"strings"

	"github.com/spf13/pflag"

	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/lazyregexp"
)

// clusterFlags are those of every command that acts on a cluster.
type clusterFlags struct {
	configPath string
	properties []string
	service    serviceFlags
	verbose    bool
	nomad      conf.NomadOverrides
}

func (c *clusterFlags) add(f *pflag.FlagSet) {
	f.StringVar(&c.configPath, "config-path", "", "folder that holds the clusters' folders (default: conf in Heron's home)")
	f.StringArrayVar(&c.properties, "config-property", nil, "override a setting, as KEY=VALUE; may be repeated")
	c.service.addURL(f)
	f.BoolVar(&c.verbose, "verbose", false, "say which configuration and servers are used")
}

// nomadFlag is a flag that the original client did not have.
type nomadFlag struct {
	to          *string
	name, usage string
}

func (c *clusterFlags) nomadFlags() []nomadFlag {
	n := &c.nomad
	return []nomadFlag{
		{&n.Address, "nomad-address", "address of Nomad, as http://host:4646 (also NOMAD_ADDR)"},
		{&n.Region, "nomad-region", "region of Nomad (also NOMAD_REGION)"},
		{&n.Namespace, "nomad-namespace", "namespace of Nomad (also NOMAD_NAMESPACE)"},
		{&n.TokenFile, "nomad-token-file", "file that holds an ACL token (also NOMAD_TOKEN, the token itself)"},
		{&n.CACert, "nomad-ca-cert", "PEM file of the authority that Nomad's certificate is checked with (also NOMAD_CACERT)"},
		{&n.CAPath, "nomad-ca-path", "folder of such files (also NOMAD_CAPATH)"},
		{&n.ClientCert, "nomad-client-cert", "PEM file of the client's own certificate (also NOMAD_CLIENT_CERT)"},
		{&n.ClientKey, "nomad-client-key", "PEM file of its key (also NOMAD_CLIENT_KEY)"},
		{&n.TLSServerName, "nomad-tls-server-name", "name that Nomad's certificate must have (also NOMAD_TLS_SERVER_NAME)"},
		{&n.SkipVerify, "nomad-skip-verify", "do not check Nomad's certificate (also NOMAD_SKIP_VERIFY)"},
	}
}

// addNomad adds these flags.
func (c *clusterFlags) addNomad(f *pflag.FlagSet) {
	for _, flag := range c.nomadFlags() {
		f.StringVar(flag.to, flag.name, "", flag.usage)
	}
	f.Lookup("nomad-skip-verify").NoOptDefVal = "true"
	c.service.add(f)
}

// again is the flags, quoted for a shell, with which another command gets the
// same configuration. Secrets are left out.
func (c *clusterFlags) again() string {
	var words []string
	add := func(name, value string) {
		if value != "" {
			words = append(words, "--"+name+"="+quote(value))
		}
	}
	add("config-path", c.configPath)
	for _, p := range c.properties {
		if key, _, _ := strings.Cut(p, "="); !conf.IsSecret(key) {
			add("config-property", p)
		}
	}
	for _, flag := range c.nomadFlags() {
		add(flag.name, *flag.to)
	}
	c.service.again(add)
	return strings.Join(words, " ")
}

// plain are words that a shell takes as they are.
var plain = lazyregexp.New(`^[A-Za-z0-9_@%+=:,./-]+$`)

func quote(word string) string {
	if plain.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
