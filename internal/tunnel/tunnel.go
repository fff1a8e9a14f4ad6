// Package tunnel reaches servers behind a bastion: over the bastion's SSH server,
// in this process. It makes connections; what they carry is up to the caller.
//
// A server is first tried without the bastion, so that a program that moves
// between networks needs no other configuration. The way that worked is
// remembered. All connections through a bastion share one SSH connection. It is
// made when it is first needed, and again after it was lost.
package tunnel

import (
	"errors"
	"strings"
	"sync"

	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/progress"
	"github.com/heron-nomad/heron/internal/sshclient"
)

// Options are what connections to bastions take from the user.
type Options struct {
	// Home is the folder that has .ssh; Getenv reads an environment variable.
	Home   string
	Getenv func(string) string
	// Progress gets an event with step StepLogIn whenever the log-in to a bastion
	// begins.
	Progress progress.Sink
}

// StepLogIn is the step of events that say that the log-in to a bastion, an
// outcome.Server, begins.
const StepLogIn = "log in to"

// Bastions are the SSH connections of one program.
type Bastions struct {
	options Options

	mu   sync.Mutex
	open map[login]*bastion
}

// login is what makes two bastions the same.
type login struct{ target, options string }

// New returns Bastions without any connection yet.
func New(o Options) *Bastions {
	return &Bastions{options: o, open: map[login]*bastion{}}
}

// Dial returns the way through a tunnel, nil if none is needed. It has the form
// of net.Dialer's DialContext, and its errors are an *Error. Settings that SSH
// does not understand are a *conf.Error.
//
// Connections behave as those of package net, deadlines included. The bastion
// resolves the names of hosts.
func (b *Bastions) Dial(t conf.Tunnel) (DialFunc, error) {
	if !t.Needed {
		return nil, nil
	}
	key := login{target: target(t.Host), options: t.Options}
	options := sshclient.Options{Home: b.options.Home, Getenv: b.options.Getenv, Args: t.Options}
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
		shared = newBastion(key.target, t.Host, options, b.options.Progress)
		b.open[key] = shared
	}
	return newDialer(t, shared).DialContext, nil
}

// Close ends all connections and all attempts to make one.
func (b *Bastions) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	var errs []error
	for _, one := range b.open {
		errs = append(errs, one.close())
	}
	return errors.Join(errs...)
}

// target returns a bastion in the form that the SSH client expects: a URL if there
// is a port.
func target(host string) string {
	rest := host[strings.LastIndex(host, "@")+1:]
	if strings.Contains(host, "://") || strings.Contains(rest, ":") && (strings.HasPrefix(rest, "[") || strings.Count(rest, ":") == 1) {
		return "ssh://" + strings.TrimPrefix(host, "ssh://")
	}
	return host
}
