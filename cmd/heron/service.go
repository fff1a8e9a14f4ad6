package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/url"
	"os"

	"github.com/spf13/pflag"

	"github.com/heron-nomad/heron/internal/apiclient"
	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/conf"
)

// serviceFlags say which API server to go through, and how.
type serviceFlags struct {
	url                                      string
	tokenFile, caCert, clientCert, clientKey string
	skipVerify                               bool
}

// addURL adds the flag that the original client had, add the others.
func (s *serviceFlags) addURL(f *pflag.FlagSet) {
	f.StringVar(&s.url, "service-url", "", "address of an API server to go through, as http://host:9000 (also heron config CLUSTER set service_url)")
}

func (s *serviceFlags) add(f *pflag.FlagSet) {
	f.StringVar(&s.tokenFile, "service-token-file", "", "file that holds a token for the API server (also HERON_SERVICE_TOKEN, the token itself)")
	f.StringVar(&s.caCert, "service-ca-cert", "", "PEM file of the authority that the API server's certificate is checked with (also HERON_SERVICE_CA_CERT)")
	f.StringVar(&s.clientCert, "service-client-cert", "", "PEM file of the client's own certificate (also HERON_SERVICE_CLIENT_CERT)")
	f.StringVar(&s.clientKey, "service-client-key", "", "PEM file of its key (also HERON_SERVICE_CLIENT_KEY)")
	f.BoolVar(&s.skipVerify, "service-skip-verify", false, "do not check the API server's certificate")
}

// fromEnvironment fills in what no flag says.
func (s *serviceFlags) fromEnvironment(getenv func(string) string) {
	for name, to := range map[string]*string{
		"HERON_SERVICE_CA_CERT": &s.caCert, "HERON_SERVICE_CLIENT_CERT": &s.clientCert, "HERON_SERVICE_CLIENT_KEY": &s.clientKey,
	} {
		if *to == "" {
			*to = getenv(name)
		}
	}
}

// again adds the flags with which another command reaches the same server.
func (s *serviceFlags) again(add func(name, value string)) {
	add("service-url", s.url)
	add("service-token-file", s.tokenFile)
	add("service-ca-cert", s.caCert)
	add("service-client-cert", s.clientCert)
	add("service-client-key", s.clientKey)
	if s.skipVerify {
		add("service-skip-verify", "true")
	}
}

// options turns the flags into the client's.
func (s *serviceFlags) options(a *app, address string) (apiclient.Options, error) {
	flags := *s
	flags.fromEnvironment(a.getenv)
	o := apiclient.Options{URL: address, Token: a.getenv("HERON_SERVICE_TOKEN"), Progress: a.progress()}
	if user, err := a.userName(); err == nil {
		host, err := os.Hostname()
		if err != nil {
			host = "unknown"
		}
		o.Client = user + "@" + host
	}
	if flags.tokenFile != "" {
		token, err := conf.ReadSecretFile(flags.tokenFile)
		if err != nil {
			return o, usagef("--service-token-file: %v", err)
		}
		o.Token = string(token)
	}
	var err error
	if o.TLS, err = flags.tls(); err != nil {
		return o, err
	}
	if u, err := url.Parse(address); err == nil && o.Token != "" && u.Scheme == "http" && !loopback(u.Hostname()) {
		a.say("warning: the token goes to %s unencrypted, because its address does not begin with https", address)
	}
	return o, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// tls is how the server's certificate is checked; nil for the usual way.
func (s *serviceFlags) tls() (*tls.Config, error) {
	if s.caCert == "" && s.clientCert == "" && s.clientKey == "" && !s.skipVerify {
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: s.skipVerify} //nolint:gosec // it is asked for
	if s.caCert != "" {
		text, err := os.ReadFile(s.caCert)
		if err != nil {
			return nil, usagef("read --service-ca-cert: %v", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(text) {
			return nil, usagef("--service-ca-cert: %s holds no certificate in PEM", s.caCert)
		}
	}
	if s.clientCert == "" && s.clientKey == "" {
		return c, nil
	}
	if s.clientCert == "" || s.clientKey == "" {
		return nil, usagef("a client's certificate takes both --service-client-cert and --service-client-key")
	}
	pair, err := tls.LoadX509KeyPair(s.clientCert, s.clientKey)
	if err != nil {
		return nil, usagef("read --service-client-cert and --service-client-key: %v", err)
	}
	c.Certificates = []tls.Certificate{pair}
	return c, nil
}

// service is the API server to go through and what names it; "" for none.
func (a *app) service(flags *clusterFlags, name string) (address, from string, err error) {
	if flags.service.url != "" {
		return flags.service.url, "--service-url", nil
	}
	home, err := a.userHome()
	if err != nil {
		return "", "", err
	}
	address, err = conf.NewClientConfig(home).ServiceURL(name)
	return address, fmt.Sprintf("service_url of cluster %q (heron config %s unset service_url)", name, name), err
}

// refuseService stops a command that works on the servers themselves where an
// API server is asked for: it would be another deployment than the one meant.
func (a *app) refuseService(flags *clusterFlags, p place) error {
	address, from, err := a.service(flags, p.cluster)
	if err == nil && address != "" {
		return usagef("heron %s works on the state store and Nomad themselves and cannot go through the API server %s that %s names; "+
			"run it where the cluster's configuration is", a.commandName(), address, from)
	}
	return err
}

// commandName is the command of the line.
func (a *app) commandName() string {
	if len(a.line) == 0 {
		return ""
	}
	return a.line[0]
}

// reach is session for a command that also goes through an API server, where one
// is asked for. Then there is no configuration.
func (a *app) reach(ctx context.Context, flags *clusterFlags, where string, more func(*conf.Options)) (*session, error) {
	p, user, err := a.place(where)
	if err != nil {
		return nil, err
	}
	address, _, err := a.service(flags, p.cluster)
	if err != nil {
		return nil, err
	}
	if address == "" {
		return a.session(flags, where, more)
	}
	if err := a.unusedWithService(flags); err != nil {
		return nil, err
	}
	options, err := flags.service.options(a, address)
	if err != nil {
		return nil, err
	}
	a.again = flags.again()
	client, err := apiclient.Connect(ctx, options)
	if err != nil {
		return nil, err
	}
	if flags.verbose {
		a.say("API server %s, %s", address, client.Version()["heron.build.version"])
	}
	return &session{app: a, service: client.At(apiclient.Place{Cluster: p.cluster, Role: p.role, Environ: p.environ, User: user})}, nil
}

// original says that what is gone through is Apache Heron's own API server.
func (s *session) original() bool { return s.service != nil && s.service.Client().Original() }

// protected says that a person has to confirm before a topology is killed.
func (s *session) protected() bool {
	if s.service != nil {
		return s.service.Client().Protected()
	}
	return s.config.Settings.Nomad.Protected
}

// unusedWithService refuses flags that name other servers than the API server
// does, and tells of others that mean nothing to it.
func (a *app) unusedWithService(flags *clusterFlags) error {
	for _, flag := range flags.nomadFlags() {
		if *flag.to != "" {
			return usagef("--%s does not go with an API server, which has its own way to Nomad", flag.name)
		}
	}
	if flags.configPath != "" {
		a.say("--config-path is not used: the API server has the configuration")
	}
	if len(flags.properties) > 0 && a.commandName() != "submit" && a.commandName() != "plan" {
		a.say("--config-property is not used: the API server takes settings with submissions alone")
	}
	return nil
}

// carryOut carries a use case out: on the servers themselves, or on an API
// server. What changes a topology comes with the flags about other operations on
// it, what only reads comes without.
func carryOut[T any](ctx context.Context, s *session, lock *lockFlags,
	direct func(*cluster.Connection) (T, error), through func(*apiclient.Topologies) (T, error),
) (done T, err error) {
	if s.service != nil {
		if lock == nil {
			return through(s.service)
		}
		if err := lock.check(); err != nil {
			return done, err
		}
		done, err = through(s.service.Locked(lock.timeout))
		return done, lock.hint(err)
	}
	cl, err := s.connect(ctx)
	if err != nil {
		return done, err
	}
	defer cl.Close()
	if lock == nil {
		return direct(cl)
	}
	err = lock.whenFree(ctx, cl.Cluster, func() (err error) {
		done, err = direct(cl)
		return err
	})
	return done, err
}

// carryOutNothing is carryOut without a result.
func carryOutNothing(ctx context.Context, s *session, direct func(*cluster.Connection) error, through func(*apiclient.Topologies) error) error {
	_, err := carryOut(ctx, s, nil,
		func(cl *cluster.Connection) (struct{}, error) { return struct{}{}, direct(cl) },
		func(t *apiclient.Topologies) (struct{}, error) { return struct{}{}, through(t) })
	return err
}
