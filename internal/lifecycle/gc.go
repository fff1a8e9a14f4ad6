package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/nomad/api"
	"golang.org/x/sync/errgroup"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/operation"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/progress"
	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/topology"
	"github.com/heron-nomad/heron/internal/uploader"
)

// AllJobs is what GC needs of Nomad; *nomad.Client has the contracts.
type AllJobs interface {
	SeesAllJobs(ctx context.Context) error
	EachJob(ctx context.Context, f func(*api.Job) error) error
}

// GCOptions say what is garbage.
type GCOptions struct {
	// OlderThan spares what was stored later than that before Now.
	OlderThan time.Duration
	Now       time.Time
	// DryRun removes nothing.
	DryRun bool
}

// Garbage is a package that nothing refers to.
type Garbage struct {
	Name string `json:"name"`
	URI  string `json:"uri"`
	// Size is in bytes, parts of killed uploads included.
	Size   int64     `json:"size"`
	Stored time.Time `json:"stored"`
	// Partial: there is no whole package, only what killed uploads left.
	Partial bool `json:"partial"`
}

// Collected is what GC found and did.
type Collected struct {
	DryRun bool `json:"dry_run"`
	// Removed is what was removed or, in a dry run, would be, by name; Bytes
	// is its size.
	Removed []Garbage `json:"removed"`
	Bytes   int64     `json:"bytes"`
	// Kept counts packages that something refers to, Young those that are not
	// old enough to be looked at.
	Kept  int `json:"kept"`
	Young int `json:"young"`
}

// gcWorkers bounds how many packages are removed at a time.
const gcWorkers = 4

// GC removes the packages of a cluster that no deployment record, no intent, no
// topology and no job refers to. Where any of these cannot be read as a whole,
// nothing is removed. What it did is returned beside an error.
func GC(ctx context.Context, cl cluster.Cluster, jobs AllJobs, opts GCOptions) (*Collected, error) {
	g := &collection{cl: cl, jobs: jobs, opts: opts}
	g.done = &Collected{DryRun: opts.DryRun, Removed: []Garbage{}}
	if err := g.check(ctx); err != nil {
		return nil, err
	}
	// What is stored is looked at first: by then, what refers to it is there.
	found, err := g.candidates(ctx)
	if err != nil {
		return nil, err
	}
	if len(found) > 0 {
		cl.Progress.Send(progress.Event{
			State: progress.Noted, Step: "collect", What: outcome.Resource{Kind: outcome.Package, ID: "of cluster " + cl.Settings.Cluster},
			Total: int64(len(found)), Unit: "packages", Note: "old enough to be looked at",
		})
	}
	found, err = g.unreferenced(ctx, found)
	if err != nil {
		return nil, err
	}
	err = g.remove(ctx, found)
	slices.SortFunc(g.done.Removed, func(a, b Garbage) int { return strings.Compare(a.Name, b.Name) })
	return g.done, err
}

// collection is one run of GC.
type collection struct {
	cl   cluster.Cluster
	jobs AllJobs
	opts GCOptions

	mu   sync.Mutex
	done *Collected
}

// check refuses what could not work, or not be trusted.
func (g *collection) check(ctx context.Context) error {
	if g.cl.Uploader == nil {
		return outcome.Errorf(outcome.Usage, "the place of packages depends on the topology (${TOPOLOGY…}), so what is stored there cannot be listed; killing a topology removes its package")
	}
	can := g.cl.Uploader.Capabilities()
	switch {
	case !can.List:
		return outcome.Errorf(outcome.Usage, "packages stored by uploader %s cannot be listed, so nothing can be collected", g.cl.Settings.Upload.Kind)
	case !can.Delete && !g.opts.DryRun:
		return outcome.Errorf(outcome.Usage, "packages stored by uploader %s cannot be removed; a dry run shows which of them nothing uses", g.cl.Settings.Upload.Kind)
	}
	if err := g.jobs.SeesAllJobs(ctx); err != nil {
		return fmt.Errorf("%w; nothing was removed", err)
	}
	return nil
}

// candidate is what is stored under one URI.
type candidate struct {
	Garbage
	parts  topology.NameParts
	newest time.Time
}

// candidates lists what is old enough. Files that are not named like packages
// are left alone.
func (g *collection) candidates(ctx context.Context) ([]*candidate, error) {
	folder := topology.EscapePart(g.cl.Settings.Cluster)
	byURI := map[string]*candidate{}
	for stored, err := range g.cl.Uploader.List(ctx, folder) {
		if err != nil {
			return nil, fmt.Errorf("list the packages of cluster %s: %w; nothing was removed", g.cl.Settings.Cluster, err)
		}
		parts, ok := topology.ParsePackageName(stored.Name)
		if !ok || parts.Cluster != folder {
			continue
		}
		c := byURI[stored.URI]
		if c == nil {
			c = &candidate{parts: parts, Garbage: Garbage{Name: stored.Name, URI: stored.URI, Partial: true, Stored: stored.Modified}}
			byURI[stored.URI] = c
		}
		c.Size += stored.Size
		c.Partial = c.Partial && stored.Partial
		if stored.Modified.Before(c.Stored) {
			c.Stored = stored.Modified
		}
		if stored.Modified.After(c.newest) {
			c.newest = stored.Modified
		}
	}
	var old []*candidate
	for _, c := range byURI {
		if g.opts.Now.Sub(c.newest) < g.opts.OlderThan {
			g.done.Young++
			continue
		}
		old = append(old, c)
	}
	slices.SortFunc(old, func(a, b *candidate) int { return strings.Compare(a.Name, b.Name) })
	return old, nil
}

// unreferenced leaves out what something refers to.
func (g *collection) unreferenced(ctx context.Context, found []*candidate) ([]*candidate, error) {
	if len(found) == 0 {
		return nil, nil
	}
	used, err := readReferences(ctx, g.cl)
	if err != nil {
		return nil, fmt.Errorf("%w; nothing was removed", err)
	}
	check := &jobReferences{used: used, candidates: found}
	if err := g.jobs.EachJob(ctx, check.add); err != nil {
		return nil, fmt.Errorf("look for jobs that use packages: %w; nothing was removed", err)
	}
	var free []*candidate
	for _, c := range found {
		if used.to(c) {
			g.done.Kept++
			continue
		}
		free = append(free, c)
	}
	return free, nil
}

// remove removes the candidates, a few at a time. The first failure ends it.
func (g *collection) remove(ctx context.Context, found []*candidate) error {
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(gcWorkers)
	for _, c := range found {
		group.Go(func() error {
			if err := inner.Err(); err != nil {
				return err
			}
			if g.opts.DryRun {
				g.add(c)
				return nil
			}
			return g.removeOne(inner, c)
		})
	}
	err := group.Wait()
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("%w; %d of %d packages were removed before", err, len(g.done.Removed), len(found))
	}
	return nil
}

// removeOne removes a package, unless something refers to it by now: somebody
// may have submitted it again since.
func (g *collection) removeOne(ctx context.Context, c *candidate) error {
	used, err := g.usedNow(ctx, c)
	if err != nil {
		return fmt.Errorf("look once more for what uses package %s: %w", c.URI, err)
	}
	if used {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.done.Kept++
		return nil
	}
	g.cl.Progress.Begin(operation.Remove, outcome.Resource{Kind: outcome.Package, ID: c.URI, Where: g.cl.Settings.Upload.Kind})
	err = g.cl.Uploader.Delete(ctx, c.URI)
	switch {
	case errors.Is(err, errors.ErrUnsupported), errors.Is(err, uploader.ErrForeign):
		return fmt.Errorf("remove package %s: %w; a dry run shows which packages nothing uses", c.URI, err)
	case err != nil:
		return fmt.Errorf("remove package %s: %w", c.URI, err)
	}
	g.add(c)
	return nil
}

func (g *collection) add(c *candidate) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.done.Removed = append(g.done.Removed, c.Garbage)
	g.done.Bytes += c.Size
}

// usedNow looks once more at the topology that the package belongs to, and at
// its job.
func (g *collection) usedNow(ctx context.Context, c *candidate) (bool, error) {
	name, ok := topology.UnescapePart(c.parts.Topology)
	if !ok || statemgr.CheckName(name) != nil {
		// No job can have this name.
		used, err := readReferences(ctx, g.cl)
		return err != nil || used.to(c), err
	}
	there, err := g.cl.Look(ctx, name, cluster.Scope{Job: true, Versions: true})
	if err != nil {
		return true, err
	}
	used := newReferences()
	if err := used.addTopology(there); err != nil {
		return true, err
	}
	if there.Job != nil {
		check := &jobReferences{used: used, candidates: []*candidate{c}}
		if err := check.add(there.Job); err != nil {
			return true, err
		}
	}
	return used.to(c), nil
}
