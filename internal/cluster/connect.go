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
	"github.com/heron-nomad/heron/internal/statemgr"
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
	// toState is the way to the servers of the state store.
	toState tunnel.DialFunc
	observe func(backend, request string, took time.Duration)
}

// Connect opens what the settings name, through their tunnels. Nomad and the
// uploader are first asked by the use case; the state store is connected here.
func Connect(ctx context.Context, s *conf.Settings, opts Options) (*Connection, error) {
	c, err := prepare(s, opts) //nolint:contextcheck // it only reads files
	if err == nil {
		err = c.openUploader()
	}
	if err == nil {
		err = c.openState(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// Unopened is why parts of a connection could not be opened; nil for those that
// were.
type Unopened struct{ State, Uploader error }

// ConnectEach is Connect for those who go on with what they can reach. Where the
// store could not be opened, the connection's State has a layout and no Store;
// where the uploader could not, it is nil.
func ConnectEach(ctx context.Context, s *conf.Settings, opts Options) (*Connection, Unopened, error) {
	c, err := prepare(s, opts) //nolint:contextcheck // it only reads files
	if err != nil {
		return nil, Unopened{}, errors.Join(err, c.Close())
	}
	not := Unopened{Uploader: c.openUploader(), State: c.openState(ctx)}
	if not.State != nil {
		c.State = statemgr.Tree{Layout: statemgr.Layout{Root: s.State.Root}}
	}
	return c, not, nil
}

// prepare makes a connection that is connected to nothing. It is not nil, also
// beside an error.
func prepare(s *conf.Settings, opts Options) (c *Connection, err error) {
	c = &Connection{
		bastions: tunnel.New(tunnel.Options{Home: opts.Home, Getenv: opts.Getenv, Progress: opts.Progress}),
		observe:  opts.Observe,
	}
	if c.toState, err = c.bastions.Dial(s.State.Tunnel); err != nil {
		return c, err
	}
	toNomad, err := c.bastions.Dial(s.Nomad.Tunnel)
	if err != nil {
		return c, err
	}
	toClient := clientOptions(s.Nomad, toNomad, opts.Progress)
	if opts.Observe != nil {
		toClient.Observe = func(method string, took time.Duration) { opts.Observe("nomad", method, took) }
	}
	if c.Nomad, err = nomad.NewClient(toClient); err != nil {
		return c, err
	}
	c.Shell = heronshell.New(heronshell.Options{Dial: toNomad})
	c.Cluster = Cluster{Settings: s, Jobs: c.Nomad, TManager: tmanager.New(tmanager.Options{Dial: toNomad}), Progress: opts.Progress}
	c.uploaders = newUploaders(opts.Uploaders, uploader.Options{
		Home: opts.Home, Getenv: opts.Getenv, Progress: opts.Progress,
		Nodes: func(ctx context.Context) ([]uploader.Node, error) { return uploadNodes(ctx, c.Nomad, s.Nomad) },
	})
	return c, nil
}

// openUploader makes the uploader, unless each topology has one of its own.
func (c *Connection) openUploader() (err error) {
	if !PerTopology(c.Settings.Upload) {
		c.Uploader, err = c.uploaders.get(c.Settings.Upload)
	}
	return err
}

func (c *Connection) openState(ctx context.Context) (err error) {
	s := c.Settings.State
	c.Progress.Begin("connect to", outcome.Resource{Kind: outcome.Server, ID: s.Kind + " " + s.Address()})
	if c.State, err = state.Open(ctx, s, c.toState); err == nil && c.observe != nil {
		c.State.Store = &observed{Store: c.State.Store, observe: c.observe}
	}
	return err
}

// StateServers asks each server of the state store for its version; none where
// the store is a folder.
func (c *Connection) StateServers(ctx context.Context) ([]StateServer, error) {
	found, err := state.Servers(ctx, c.Settings.State, c.toState)
	var list []StateServer
	for _, s := range found {
		list = append(list, StateServer(s))
	}
	return list, err
}

// StateServer is what a server of the state store says of itself.
type StateServer struct {
	Address string
	// Version and Mode are "" where it does not say.
	Version, Mode string
	// Err is why it could not be reached.
	Err error
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
