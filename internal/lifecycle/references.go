package lifecycle

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"
	"sync"

	"github.com/hashicorp/nomad/api"
	"golang.org/x/sync/errgroup"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/nomad/jobspec"
	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/topology"
)

// references are what packages are known by to those that use them.
type references struct {
	uris map[string]bool
	// ids are topology ids, names those of topologies all of whose packages
	// stay; both as they stand in names of packages.
	ids, names map[string]bool
}

func newReferences() *references {
	return &references{uris: map[string]bool{}, ids: map[string]bool{}, names: map[string]bool{}}
}

func (r *references) addID(id string) {
	if id != "" {
		r.ids[topology.EscapePart(id)] = true
	}
}

// to says whether anything refers to a package.
func (r *references) to(c *candidate) bool {
	return r.uris[c.URI] || r.ids[c.parts.ID] || r.names[c.parts.Topology]
}

// lookers is how many topologies are looked at at a time.
const lookers = 8

// readReferences looks at every topology that has an intent, a record or state
// below the root. What cannot be read, or understood, is an error.
func readReferences(ctx context.Context, cl cluster.Cluster) (*references, error) {
	const what = "look for what uses packages"
	listed, err := names(ctx, cl.State)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	r := newReferences()
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(lookers)
	var mu sync.Mutex
	for name, nodes := range listed {
		group.Go(func() error {
			there, err := cl.Look(inner, name, cluster.Scope{Versions: true})
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			for _, path := range nodes {
				_, read := there.Data(path)
				if !read && path != cl.State.History(name) && (there.Pending == nil || path != cl.State.Operation(name)) {
					// It was removed just now, or is just being written.
					r.names[topology.EscapePart(name)] = true
				}
			}
			return r.addTopology(there)
		})
	}
	if err := group.Wait(); err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return r, nil
}

// names lists the topologies that have a node which may refer to a package,
// with those nodes.
func names(ctx context.Context, tree statemgr.Tree) (map[string][]string, error) {
	listed := map[string][]string{}
	for _, of := range []func(string) string{tree.Operation, tree.Deployment, tree.ExecutionState, tree.Topology, tree.History} {
		dir := path.Dir(of("x"))
		children, err := tree.Children(ctx, dir)
		// A root without topologies/ is not one, or not the right one; the other
		// directories may be missing where only an old client was at work.
		if errors.Is(err, statemgr.ErrNotFound) && dir != tree.Topologies() {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", dir, err)
		}
		for _, name := range children {
			listed[name] = append(listed[name], of(name))
		}
	}
	return listed, nil
}

// addTopology notes what a topology's nodes refer to. Of one without a record,
// which the original client submitted, all packages stay: nobody knows which one it
// uses.
func (r *references) addTopology(t *cluster.Topology) error {
	for _, err := range []error{t.Definition.Err, t.ExecutionState.Err, t.Record.Err, t.VersionsErr} {
		if err != nil {
			return err
		}
	}
	if t.Pending != nil {
		r.addID(t.Pending.Intent.TopologyID)
		r.uris[t.Pending.Intent.Package.URI] = true
	}
	if t.Record.There {
		r.addID(t.Record.Value.TopologyID)
		r.uris[t.Record.Value.Package.URI] = true
	}
	for _, v := range t.Versions {
		r.addID(v.Deployment.TopologyID)
		r.uris[v.Deployment.Package.URI] = true
	}
	if t.ExecutionState.There {
		r.addID(t.ExecutionState.Value.GetTopologyId())
	}
	if t.Definition.There {
		r.addID(t.ID())
		if !t.Record.There {
			r.names[topology.EscapePart(t.Name)] = true
		}
	}
	return nil
}

// jobReferences finds out which candidates the jobs of a cluster refer to.
type jobReferences struct {
	used       *references
	candidates []*candidate
}

// add looks at one job, wherever in it a package may be named: by its URI, its
// digest, which is in its name, or the topology's id.
func (j *jobReferences) add(job *api.Job) error {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(job); err != nil {
		return fmt.Errorf("look into job: %w", err)
	}
	j.used.addID(job.Meta[jobspec.MetaTopologyID])
	all := strings.ToLower(text.String())
	for _, c := range j.candidates {
		if j.used.to(c) {
			continue
		}
		if strings.Contains(all, c.parts.SHA256) || strings.Contains(all, strings.ToLower(c.URI)) {
			j.used.uris[c.URI] = true
		}
	}
	return nil
}
