package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/heronshell"
	"github.com/heron-nomad/heron/internal/nomad"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/progress"
	state "github.com/heron-nomad/heron/internal/statemgr/all"
	"github.com/heron-nomad/heron/internal/tmanager"
	"github.com/heron-nomad/heron/internal/tunnel"
	"github.com/heron-nomad/heron/internal/uploader"
)

// Options are what a connection needs besides the settings.
type Options struct {
	Progress progress.Sink
	// Home is the user's home folder; Getenv reads an environment variable.
	Home   string
	Getenv func(string) string
	// Uploaders makes uploaders; nil for the usual ones.
	Uploaders uploader.Factory
	// Observe, unless nil, is told how long each request took to a backend,
	// "nomad" or "state".
	Observe func(backend, request string, took time.Duration)
}

// Connection is a Cluster on real servers.
type Connection struct {
	Cluster
	// Nomad is the client behind Jobs.
	Nomad *nomad.Client
	// Shell asks the containers' heron-shells.
	Shell    *heronshell.Client
	bastions *tunnel.Bastions
}

// Connect opens what the settings name, through their tunnels. Nomad and the
// uploader are first asked by the use case; the state store is connected here.
func Connect(ctx context.Context, s *conf.Settings, opts Options) (_ *Connection, err error) {
	c := &Connection{bastions: tunnel.New(tunnel.Options{Home: opts.Home, Getenv: opts.Getenv, Progress: opts.Progress})}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Close())
		}
	}()
	toState, err := c.bastions.Dial(s.State.Tunnel) //nolint:contextcheck // it only reads files
	if err != nil {
		return nil, err
	}
	toNomad, err := c.bastions.Dial(s.Nomad.Tunnel) //nolint:contextcheck // it only reads files
	if err != nil {
		return nil, err
	}
	toClient := clientOptions(s.Nomad, toNomad, opts.Progress)
	if opts.Observe != nil {
		toClient.Observe = func(method string, took time.Duration) { opts.Observe("nomad", method, took) }
	}
	if c.Nomad, err = nomad.NewClient(toClient); err != nil {
		return nil, err
	}
	c.Shell = heronshell.New(heronshell.Options{Dial: toNomad})
	c.Cluster = Cluster{Settings: s, Jobs: c.Nomad, TManager: tmanager.New(tmanager.Options{Dial: toNomad}), Progress: opts.Progress}
	c.uploaders = newUploaders(opts.Uploaders, uploader.Options{
		Home: opts.Home, Getenv: opts.Getenv, Progress: opts.Progress,
		Nodes: func(ctx context.Context) ([]uploader.Node, error) { return uploadNodes(ctx, c.Nomad, s.Nomad) },
	})
	if !PerTopology(s.Upload) {
		if c.Uploader, err = c.uploaders.get(s.Upload); err != nil {
			return nil, err
		}
	}
	opts.Progress.Begin("connect to", outcome.Resource{Kind: outcome.Server, ID: s.State.Kind + " " + s.State.Address()})
	if c.State, err = state.Open(ctx, s.State, toState); err == nil && opts.Observe != nil {
		c.State.Store = &observed{Store: c.State.Store, observe: opts.Observe}
	}
	return c, err
}

// uploadNodes are the nodes that may fetch packages, for an uploader that puts
// them there.
func uploadNodes(ctx context.Context, client *nomad.Client, n conf.Nomad) ([]uploader.Node, error) {
	list, err := client.Nodes(ctx, n)
	if err != nil {
		return nil, fmt.Errorf("find the nodes to put packages on: %w", err)
	}
	nodes := make([]uploader.Node, len(list))
	for i, node := range list {
		nodes[i] = uploader.Node(node)
	}
	return nodes, nil
}

// clientOptions are how to reach the Nomad that the settings name.
func clientOptions(n conf.Nomad, dial tunnel.DialFunc, sink progress.Sink) nomad.ClientOptions {
	o := nomad.OptionsFor(n)
	o.Dial, o.Progress = dial, sink
	return o
}

// Close ends all connections, tunnels last.
func (c *Connection) Close() error {
	var errs []error
	if c.Nomad != nil {
		c.Nomad.Close()
	}
	if c.Shell != nil {
		c.Shell.Close()
	}
	if c.State.Store != nil {
		errs = append(errs, c.State.Close())
	}
	if c.uploaders != nil {
		errs = append(errs, c.uploaders.close())
	}
	return errors.Join(append(errs, c.bastions.Close())...)
}
