package uploader

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"sync"

	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/sshclient"
)

// SCP keeps packages in a folder on nodes of the cluster, which it reaches by
// SSH: each package at the same path on all of its hosts. Containers read it
// there as a file, so they run on these nodes only.
//
// URIs are those of LocalFS. Each call makes its own connections.
type SCP struct {
	settings conf.Upload
	ssh      sshclient.Options
	nodes    func(context.Context) ([]Node, error)
	report   func(format string, args ...any)
	dir      string

	mu sync.Mutex
	// hosts are known after the first look at the nodes.
	hosts []*scpHost
	// left are temporary files that could not be removed, by host.
	left map[string][]string
}

var _ Uploader = (*SCP)(nil)

// NewSCP makes an uploader for the hosts of the settings; it connects to none.
func NewSCP(settings conf.Upload, env Environment) (*SCP, error) {
	c := settings.SCP
	reason := unfit(c.Dir)
	if !path.IsAbs(c.Dir) {
		reason = "must be an absolute path"
	}
	if path.Clean(c.Dir) == "/" {
		reason = "must not be the root of the file system"
	}
	if reason != "" {
		return nil, &ConfigError{What: "heron.uploader.scp.dir.path", Value: c.Dir, Reason: reason}
	}
	s := &SCP{
		settings: settings, nodes: env.Nodes, report: env.Report, dir: path.Clean(c.Dir), left: map[string][]string{},
		ssh: sshclient.Options{Home: env.Home, Getenv: env.Getenv},
	}
	for key, options := range map[string]string{
		"heron.uploader.scp.command.options": c.Options, "heron.uploader.ssh.command.options": c.SSHOptions,
	} {
		one := s.ssh
		one.Args = options
		if err := sshclient.Check("host", one); err != nil {
			return nil, scpInput(key, err)
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

// scpInput is the error for what the SSH client cannot understand.
func scpInput(what string, err error) error {
	var input *sshclient.InputError
	if errors.As(err, &input) {
		return &ConfigError{What: what + ": " + input.What, Value: input.Value, Reason: input.Reason}
	}
	return err
}

// Capabilities implements Uploader.
func (s *SCP) Capabilities() Capabilities {
	return Capabilities{Delete: true, FixedNames: true, List: true}
}

// Close implements Uploader; each call has closed what it opened.
func (s *SCP) Close() error { return nil }

// Locate implements Uploader. Before the nodes were looked at, their places
// are held by the names of hosts.
func (s *SCP) Locate(name string) Location {
	s.mu.Lock()
	defer s.mu.Unlock()
	where := Location{URI: s.uri(name), Fetch: s.uri(name)}
	if s.hosts == nil {
		where.Nodes = s.settings.SCP.Hosts
	}
	for _, h := range s.hosts {
		where.Nodes = append(where.Nodes, h.nodes...)
	}
	return where
}

func (s *SCP) uri(name string) string { return fileScheme + path.Join(s.dir, name) }

// Check implements Uploader: it logs in to every host and writes a byte into
// the folder, or the nearest one above it that is there, and removes it again.
func (s *SCP) Check(ctx context.Context) error {
	hosts, err := s.resolve(ctx)
	if err != nil {
		return err
	}
	return s.onAll(ctx, hosts, func(ctx context.Context, c *scpSession) error { return c.check(ctx, s.dir) })
}

// onAll does something on every host at the same time. The first failure ends
// the others.
func (s *SCP) onAll(ctx context.Context, hosts []*scpHost, do func(context.Context, *scpSession) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	return inParallel(hosts, cancel, func(h *scpHost) error {
		c, err := s.open(ctx, h)
		if err != nil {
			return err
		}
		defer c.close()
		return do(ctx, c)
	})
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

// Delete implements Uploader. It also removes what an upload of this package
// left that was killed in the middle.
func (s *SCP) Delete(ctx context.Context, uri string) error {
	name, ok := strings.CutPrefix(uri, fileScheme+s.dir+"/")
	if !ok || checkName(name) != nil {
		return fmt.Errorf("delete %s: %w: it is not below %s", uri, ErrForeign, s.dir)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	hosts, standby, err := s.holding(ctx)
	if err != nil {
		return err
	}
	remove := func(ctx context.Context, c *scpSession) error { return c.remove(ctx, s.dir, name) }
	if err := s.onAll(ctx, hosts, remove); err != nil {
		return err
	}
	for _, h := range standby {
		// Nodes that take no containers any more may have it, or be gone.
		if err := s.onAll(ctx, []*scpHost{h}, remove); err != nil && s.report != nil {
			s.report("%s may still be on node %s, which takes no containers: %v", uri, h, err)
		}
	}
	return nil
}
