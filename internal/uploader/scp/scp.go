// Package scp stores topology packages in a folder on nodes of the cluster,
// which it reaches by SSH.
package scp

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"sync"

	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/progress"
	"github.com/heron-nomad/heron/internal/sshclient"
	"github.com/heron-nomad/heron/internal/sshclient/sshconfig"
	"github.com/heron-nomad/heron/internal/uploader"
)

// Uploader stores each package at the same path on all of its hosts.
// Containers read it there as a file, so they run on these nodes only.
//
// URIs are those of package localfs. Each call makes its own connections.
type Uploader struct {
	settings conf.Upload
	ssh      sshclient.Options
	nodes    func(context.Context) ([]uploader.Node, error)
	sink     progress.Sink
	dir      string
	// logIns has room for the log-ins under way.
	logIns chan struct{}

	mu sync.Mutex
	// hosts are known after the first look at the nodes.
	hosts []*host
	// left are temporary files that could not be removed, by host.
	left map[string][]string
}

var _ uploader.Uploader = (*Uploader)(nil)

// maxLogIns are under way at a time. By default OpenSSH's server begins to drop
// log-ins when ten are, on one host or on a jump host to many (MaxStartups).
const maxLogIns = 6

// New makes an uploader for the hosts of the settings; it connects to none.
func New(settings conf.Upload, opts uploader.Options) (*Uploader, error) {
	c := settings.SCP
	reason := uploader.Unfit(c.Dir)
	if !path.IsAbs(c.Dir) {
		reason = "must be an absolute path"
	}
	if path.Clean(c.Dir) == "/" {
		reason = "must not be the root of the file system"
	}
	if reason != "" {
		return nil, &uploader.ConfigError{What: "heron.uploader.scp.dir.path", Value: c.Dir, Reason: reason}
	}
	s := &Uploader{
		settings: settings, nodes: opts.Nodes, sink: opts.Progress, dir: path.Clean(c.Dir), left: map[string][]string{},
		logIns: make(chan struct{}, maxLogIns),
		ssh:    sshclient.Options{Home: opts.Home, Getenv: opts.Getenv, Jumps: &sshclient.Jumps{}},
	}
	for key, options := range map[string]string{
		"heron.uploader.scp.command.options": c.Options, "heron.uploader.ssh.command.options": c.SSHOptions,
	} {
		one := s.ssh
		one.Args = options
		if err := sshclient.Check("host", one); err != nil {
			return nil, inputError(key, err)
		}
	}
	// Of an option that both give, that of scp counts.
	s.ssh.Args = strings.TrimSpace(c.Options + " " + c.SSHOptions)
	if t := settings.StallTimeout; t > 0 && t < sshclient.DefaultConnectTimeout {
		s.ssh.ConnectTimeout = t
	}
	if err := s.checkTargets(); err != nil {
		return nil, err
	}
	return s, nil
}

// inputError is the error for what the SSH client cannot understand.
func inputError(what string, err error) error {
	var input *sshconfig.InputError
	if errors.As(err, &input) {
		return &uploader.ConfigError{What: what + ": " + input.What, Value: input.Value, Reason: input.Reason}
	}
	return err
}

// Capabilities implements uploader.Uploader.
func (s *Uploader) Capabilities() uploader.Capabilities {
	return uploader.Capabilities{Delete: true, FixedNames: true, List: true}
}

// Close implements uploader.Uploader; each call has closed what it opened.
func (s *Uploader) Close() error { return nil }

// Locate implements uploader.Uploader. Before the nodes were looked at, their places
// are held by the names of hosts.
func (s *Uploader) Locate(name string) uploader.Location {
	s.mu.Lock()
	defer s.mu.Unlock()
	where := uploader.Location{URI: s.uri(name), Fetch: s.uri(name)}
	if s.hosts == nil {
		where.Nodes = s.settings.SCP.Hosts
	}
	for _, h := range s.hosts {
		where.Nodes = append(where.Nodes, h.nodes...)
	}
	return where
}

func (s *Uploader) uri(name string) string { return uploader.FileScheme + path.Join(s.dir, name) }

// Check implements uploader.Uploader: it logs in to every host and writes a byte into
// the folder, or the nearest one above it that is there, and removes it again.
func (s *Uploader) Check(ctx context.Context) error {
	hosts, err := s.resolve(ctx)
	if err != nil {
		return err
	}
	return s.onAll(ctx, hosts, func(ctx context.Context, c *session) error { return c.check(ctx, s.dir) })
}

// onAll does something on every host at the same time. The first failure ends
// the others.
func (s *Uploader) onAll(ctx context.Context, hosts []*host, do func(context.Context, *session) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	return inParallel(hosts, cancel, func(h *host) error {
		c, err := s.open(ctx, h)
		if err != nil {
			return err
		}
		defer c.close()
		return do(ctx, c)
	})
}

// resource is a package on hosts as events and errors name it.
func (s *Uploader) resource(uri, hosts string) outcome.Resource {
	return outcome.Resource{Kind: outcome.Package, ID: uri, Where: hosts}
}

// inParallel calls do with each of the items and returns the first error,
// after which it calls cancel.
func inParallel[T any](items []T, cancel context.CancelFunc, do func(T) error) error {
	var (
		all   sync.WaitGroup
		once  sync.Once
		first error
	)
	for _, item := range items {
		all.Go(func() {
			if err := do(item); err != nil {
				once.Do(func() { first = err })
				cancel()
			}
		})
	}
	all.Wait()
	return first
}

// Delete implements uploader.Uploader. It also removes what an upload of this package
// left that was killed in the middle.
func (s *Uploader) Delete(ctx context.Context, uri string) error {
	name, ok := strings.CutPrefix(uri, uploader.FileScheme+s.dir+"/")
	if !ok || uploader.CheckName(name) != nil {
		return fmt.Errorf("delete %s: %w: it is not below %s", uri, uploader.ErrForeign, s.dir)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	hosts, standby, err := s.holding(ctx)
	if err != nil {
		return err
	}
	remove := func(ctx context.Context, c *session) error { return c.remove(ctx, s.dir, name) }
	if err := s.onAll(ctx, hosts, remove); err != nil {
		return err
	}
	for _, h := range standby {
		// Nodes that take no containers any more may have it, or be gone.
		if err := s.onAll(ctx, []*host{h}, remove); err != nil {
			s.sink.Warn("remove", s.resource(uri, h.target), "the package may still be on a node that takes no containers", err)
		}
	}
	return nil
}
