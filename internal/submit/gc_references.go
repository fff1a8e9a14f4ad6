package submit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/hashicorp/nomad/api"
	"google.golang.org/protobuf/proto"

	"github.com/heron-nomad/heron/internal/heronpb"
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

// to says whether something refers to a package.
func (r *references) to(c *candidate) bool {
	return r.uris[c.URI] || r.ids[c.parts.ID] || r.names[c.parts.Topology]
}

// readReferences reads all records, intents and topologies below the root, or
// those of one name alone. What cannot be read, or understood, is an error.
func readReferences(ctx context.Context, env Env, layout statemgr.Layout, only ...string) (*references, error) {
	r := newReferences()
	for _, part := range []struct {
		of   func(string) string
		read func(name string, data []byte) error
	}{
		{layout.Operation, func(_ string, data []byte) error {
			i, err := statemgr.DecodeIntent(data)
			r.addID(i.TopologyID)
			r.uris[i.Package.URI] = true
			return err
		}},
		{layout.Deployment, func(_ string, data []byte) error {
			record, err := statemgr.DecodeDeployment(data)
			r.addID(record.TopologyID)
			r.uris[record.Package.URI] = true
			return err
		}},
		{layout.ExecutionState, func(_ string, data []byte) error {
			var es heronpb.ExecutionState
			err := proto.Unmarshal(data, &es)
			r.addID(es.GetTopologyId())
			return err
		}},
		{layout.Topology, func(_ string, data []byte) error {
			def, err := topology.Decode(data)
			if err != nil {
				return err
			}
			r.addID(def.ID())
			return nil
		}},
	} {
		dir := path.Dir(part.of("x"))
		names, err := namesIn(ctx, env, dir, only)
		// A root without topologies/ is not one, or not the right one; the
		// other directories may have been made by an old client alone.
		if errors.Is(err, statemgr.ErrNotFound) && dir != layout.Topologies() {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("look for what uses packages in %s: %w", dir, err)
		}
		for _, name := range names {
			data, there, err := env.readNode(ctx, part.of(name), "look for what uses packages")
			if err != nil {
				return nil, err
			}
			if !there && len(only) > 0 {
				continue
			}
			if !there {
				// Just removed, or just being written by somebody else.
				r.names[topology.EscapePart(name)] = true
				continue
			}
			if err := part.read(name, data); err != nil {
				return nil, fmt.Errorf("look for what uses packages: %s: %w", part.of(name), err)
			}
		}
	}
	if err := r.addUnrecorded(ctx, env, layout, only); err != nil {
		return nil, err
	}
	return r, nil
}

// namesIn lists a directory, unless the names are given.
func namesIn(ctx context.Context, env Env, dir string, only []string) ([]string, error) {
	if len(only) > 0 {
		return only, nil
	}
	return env.Store.Children(ctx, dir)
}

// addUnrecorded keeps all packages of topologies that have no record: the
// original client put them up, and nobody knows which one they use.
func (r *references) addUnrecorded(ctx context.Context, env Env, layout statemgr.Layout, only []string) error {
	const what = "look for what uses packages"
	names, err := namesIn(ctx, env, layout.Topologies(), only)
	if err != nil {
		return fmt.Errorf("%s in %s: %w", what, layout.Topologies(), err)
	}
	for _, name := range names {
		_, topologyThere, err := env.readNode(ctx, layout.Topology(name), what)
		if err != nil {
			return err
		}
		_, recordThere, err := env.readNode(ctx, layout.Deployment(name), what)
		if err != nil {
			return err
		}
		if topologyThere && !recordThere {
			r.names[topology.EscapePart(name)] = true
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
