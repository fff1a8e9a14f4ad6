// Package tunnel reaches servers that only a bastion reaches: over its SSH
// server, in process. It says how a connection comes about; what goes over it
// is up to the caller.
//
// A server is first tried without the bastion, for a program that moves
// between networks needs no other configuration. What worked is remembered.
// There is one SSH connection to a bastion, whoever goes through it. It is
// made when it is first needed, and again after it died.
package tunnel

import (
	"errors"
	"strings"
	"sync"

	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/sshclient"
)

// Environment is what connections to bastions take from the user.
type Environment struct {
	// Home is the folder that has .ssh; Getenv reads an environment variable.
	Home   string
	Getenv func(string) string
	// Report, unless nil, gets a line for a person whenever a bastion is
	// logged in to.
	Report func(format string, args ...any)
}

// Bastions are the SSH connections of one program.
type Bastions struct {
	env Environment

	mu   sync.Mutex
	open map[login]*bastion
}

// login is what makes two bastions the same.
type login struct{ target, options string }

// New returns Bastions that are connected to nothing yet.
func New(env Environment) *Bastions {
	return &Bastions{env: env, open: map[login]*bastion{}}
}

// Dial is the way through a tunnel, nil where none is needed. It has the form
// of net.Dialer's DialContext; errors of what it returns are an *Error.
// Settings that SSH does not understand are a *conf.Error.
//
// Connections are as those of package net, deadlines included. Names of hosts
// are looked up by the bastion.
func (b *Bastions) Dial(t conf.Tunnel) (DialFunc, error) {
	if !t.Needed {
		return nil, nil
	}
	key := login{target: target(t.Host), options: t.Options}
	options := sshclient.Options{Home: b.env.Home, Getenv: b.env.Getenv, Args: t.Options}
	if err := sshclient.Check(key.target, options); err != nil {
		return nil, &conf.Error{
			Key: t.HostKey(), Msg: "cannot be used to log in", Err: err,
			Hint: "options go into " + t.OptionsKey(),
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	shared := b.open[key]
	if shared == nil {
		shared = newBastion(key.target, t.Host, options, b.env.Report)
		b.open[key] = shared
	}
	return newDialer(t, shared).DialContext, nil
}

// Close ends all connections, and all attempts to make one.
func (b *Bastions) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	var errs []error
	for _, one := range b.open {
		errs = append(errs, one.close())
	}
	return errors.Join(errs...)
}

// target is a bastion as the SSH client wants it: a port takes a URL.
func target(host string) string {
	rest := host[strings.LastIndex(host, "@")+1:]
	if strings.Contains(host, "://") || strings.Contains(rest, ":") && (strings.HasPrefix(rest, "[") || strings.Count(rest, ":") == 1) {
		return "ssh://" + strings.TrimPrefix(host, "ssh://")
	}
	return host
}
