package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/pflag"

	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/submit"
)

// clusterFlags are those of every command that acts on a cluster.
type clusterFlags struct {
	configPath string
	properties []string
	serviceURL string
	verbose    bool
	nomad      conf.NomadOverrides
}

func (c *clusterFlags) add(f *pflag.FlagSet) {
	f.StringVar(&c.configPath, "config-path", "", "folder that holds the clusters' folders (default: conf in Heron's home)")
	f.StringArrayVar(&c.properties, "config-property", nil, "override a setting, as KEY=VALUE; may be repeated")
	f.StringVar(&c.serviceURL, "service-url", "", "address of an API server to go through")
	f.BoolVar(&c.verbose, "verbose", false, "tell more about what is done")
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
}

// config loads the configuration of a place; more adds what a command has to
// say to it.
func (a *app) config(c *clusterFlags, p place, who string, more func(*conf.Options)) (*submit.Config, error) {
	home, err := a.home()
	if err != nil {
		return nil, err
	}
	userHome, err := a.userHome()
	if err != nil {
		return nil, err
	}
	if err := a.refuseService(c, p, userHome); err != nil {
		return nil, err
	}
	parent := c.configPath
	if parent == "" {
		parent = filepath.Join(home, "conf")
	}
	dir, err := filepath.Abs(filepath.Join(parent, p.cluster))
	if err != nil {
		return nil, err
	}
	if !isDir(dir) {
		return nil, noCluster(dir, parent, p.cluster)
	}
	options := conf.Options{
		Home:       home,
		Dir:        dir,
		Properties: c.properties,
		Cluster:    p.cluster,
		Role:       p.role,
		Environ:    p.environ,
		User:       who,
		UserHome:   userHome,
		JavaHome:   a.getenv("JAVA_HOME"),
		Nomad:      c.nomad,
		Getenv:     a.getenv,
	}
	more(&options)
	config, err := submit.LoadConfig(options)
	switch {
	case err != nil:
		return nil, err
	case config.Settings.RoleRequired && p.noRole:
		return nil, usagef("cluster %s needs a role: give %s/ROLE/ENV (heron.config.is.role.required)", p.cluster, p.cluster)
	case config.Settings.EnvironRequired && p.noEnviron:
		return nil, usagef("cluster %s needs an environment: give %s/%s/ENV (heron.config.is.env.required)", p.cluster, p.cluster, p.role)
	}
	config.KillFlags = c.again()
	c.warn(a.report())
	c.explain(a.report(), config)
	return config, nil
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
	return strings.Join(words, " ")
}

// plain are words that a shell takes as they are.
var plain = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)

func quote(word string) string {
	if plain.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// warn tells of secrets that others on this machine can see.
func (c *clusterFlags) warn(report submit.Report) {
	if report == nil {
		return
	}
	for _, p := range c.properties {
		if key, _, _ := strings.Cut(p, "="); conf.IsSecret(key) {
			report("warning: every user of this machine can see the value of %s on the command line; put it into the cluster's configuration or a file", key)
		}
	}
}

// noCluster says which clusters there are instead.
func noCluster(dir, parent, cluster string) error {
	var have []string
	entries, err := os.ReadDir(parent)
	for _, e := range entries {
		if e.IsDir() {
			have = append(have, e.Name())
		}
	}
	hint := "there are: " + strings.Join(have, ", ")
	switch {
	case err != nil:
		hint = parent + " is not there; make the default one with: heron init"
	case len(have) == 0:
		hint = "there is none in " + parent + "; --config-path names the folder above those of the clusters"
	}
	return usagef("no folder %s for cluster %q: %s", dir, cluster, hint)
}

// refuseService stops where an API server is asked for: going to Nomad
// directly instead would be another deployment than the one meant.
func (a *app) refuseService(c *clusterFlags, p place, userHome string) error {
	url, from := c.serviceURL, "--service-url"
	if url == "" {
		service, err := conf.NewClientConfig(userHome).ServiceURL(p.cluster)
		if err != nil {
			return err
		}
		url, from = service, fmt.Sprintf("service_url of cluster %q (heron config %s unset service_url)", p.cluster, p.cluster)
	}
	if url != "" {
		return usagef("%s names the API server %s, but this version talks to Nomad directly only", from, url)
	}
	return nil
}

// explain prints what a person has to know about what is used, and what one
// asks for with --verbose.
func (c *clusterFlags) explain(report submit.Report, config *submit.Config) {
	if report == nil {
		return
	}
	s := config.Settings
	if ignored := s.Nomad.Access.Ignored; len(ignored) > 0 {
		report("Nomad is at %s, but NOMAD_ADDR names another server: not used are %s", s.Nomad.Address, strings.Join(ignored, ", "))
	}
	for _, w := range s.Warnings {
		report("warning: %s", worded(w))
	}
	if !c.verbose {
		return
	}
	report("cluster configuration %s", config.Options.Dir)
	state := s.State.Kind + " " + s.State.Address()
	if s.State.Address() != s.State.Root {
		state += " below " + s.State.Root
	}
	report("Nomad %s, state in %s, packages by %s", s.Nomad.Address, state, s.Upload.Kind)
	for _, o := range s.Nomad.Access.Origins {
		what := "Nomad's " + o.What
		if o.Value != "" {
			what += " " + o.Value
		}
		report("%s is from %s", what, sourceName(o.From))
	}
	if from := s.State.ZooKeeper.DigestFrom; from != "" {
		report("ZooKeeper's credentials are from %s", from)
	}
}

// overrideFlags are the flags that set conf.NomadOverrides, by the keys of
// their values.
func overrideFlags() map[string]string {
	return map[string]string{
		"heron.nomad.scheduler.uri":   "--nomad-address",
		"heron.nomad.region":          "--nomad-region",
		"heron.nomad.namespace":       "--nomad-namespace",
		"heron.nomad.token.file":      "--nomad-token-file",
		"heron.nomad.tls.ca.cert":     "--nomad-ca-cert",
		"heron.nomad.tls.ca.path":     "--nomad-ca-path",
		"heron.nomad.tls.client.cert": "--nomad-client-cert",
		"heron.nomad.tls.client.key":  "--nomad-client-key",
		"heron.nomad.tls.server.name": "--nomad-tls-server-name",
		"heron.nomad.tls.skip.verify": "--nomad-skip-verify",
	}
}

// sourceName says where a value comes from, in words of the command line.
func sourceName(s conf.Source) string {
	switch s.Kind {
	case conf.PropertySource:
		return s.Key + " in --config-property"
	case conf.OverrideSource:
		return overrideFlags()[s.Key]
	case conf.DefaultSource:
		return "the default"
	}
	return s.String()
}

// sourceWhere begins a message about a value, in words of the command line.
func sourceWhere(s conf.Source) string {
	const property, caller = "--config-property", "the command line"
	switch s.Kind {
	case conf.PropertySource:
		return strings.TrimSuffix(property+": "+s.Key, ": ")
	case conf.OverrideSource:
		return overrideFlags()[s.Key]
	case conf.CallerSource:
		return strings.TrimSuffix(caller+": "+s.Key, ": ")
	}
	return s.Where()
}

// worded is the text of an error with sources in words of the command line.
func worded(err error) string {
	text := err.Error()
	var c *conf.Error
	if errors.As(err, &c) {
		text = strings.Replace(text, c.Error(), c.Text(sourceWhere), 1)
	}
	return text
}
