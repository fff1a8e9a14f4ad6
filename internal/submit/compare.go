package submit

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/heronpb"
	"github.com/heron-nomad/heron/internal/nomad"
	"github.com/heron-nomad/heron/internal/packing"
	"github.com/heron-nomad/heron/internal/topology"
)

// Change is one difference between what exists and what would be submitted.
type Change struct {
	// Where is topology, packing, package or job.
	Where string `json:"where"`
	What  string `json:"what"`
	// Old and New are texts; empty where there is nothing.
	Old string `json:"old"`
	New string `json:"new"`
}

// change adds a difference, if it is one. Values that are secrets by their key
// are not shown.
func (p *Preview) change(where, what, old, now string) {
	if old == now {
		return
	}
	if conf.IsSecret(what) {
		old, now = hidden(old), hidden(now)
	}
	p.Changes = append(p.Changes, Change{Where: where, What: what, Old: old, New: now})
}

func hidden(text string) string {
	if text == "" {
		return ""
	}
	return "(hidden)"
}

// compareDefinitions lists what differs between two topologies. Whether one is
// paused is no difference: that is for activate and deactivate.
func (p *Preview) compareDefinitions(old, now *topology.Definition) {
	before := len(p.Changes)
	o, n := old.Proto(), now.Proto()
	n.State = o.State
	p.compareConfigs("", o.GetTopologyConfig(), n.GetTopologyConfig())
	oldParts, newParts := components(o), components(n)
	for _, name := range sortedKeys(oldParts, newParts) {
		was, is := oldParts[name], newParts[name]
		switch {
		case is == nil:
			p.change("topology", "component "+name, "there", "")
		case was == nil:
			p.change("topology", "component "+name, "", "there")
		default:
			p.compareConfigs("component "+name+": ", was.GetConfig(), is.GetConfig())
		}
	}
	if len(p.Changes) == before && !proto.Equal(o, n) {
		p.change("topology", "streams, groupings or classes", "as they run", "others")
	}
}

func components(pb *heronpb.Topology) map[string]*heronpb.Component {
	m := map[string]*heronpb.Component{}
	for _, s := range pb.GetSpouts() {
		m[s.GetComp().GetName()] = s.GetComp()
	}
	for _, b := range pb.GetBolts() {
		m[b.GetComp().GetName()] = b.GetComp()
	}
	return m
}

func (p *Preview) compareConfigs(prefix string, old, now *heronpb.Config) {
	texts := func(c *heronpb.Config) map[string]string {
		m := map[string]string{}
		for _, kv := range c.GetKvs() {
			if _, ok := m[kv.GetKey()]; ok {
				continue // the first one counts
			}
			m[kv.GetKey()] = kv.GetValue()
			if kv.SerializedValue != nil {
				m[kv.GetKey()] = fmt.Sprintf("%d bytes %x", len(kv.SerializedValue), kv.SerializedValue)
			}
		}
		return m
	}
	o, n := texts(old), texts(now)
	for _, key := range sortedKeys(o, n) {
		p.change("topology", prefix+key, o[key], n[key])
	}
}

// comparePlans lists which containers get other instances or resources.
func (p *Preview) comparePlans(there *cluster.Topology, now *packing.Plan) error {
	if !there.PackingPlan.There {
		p.change("packing", "plan", "", "there")
		return nil
	}
	old, err := packing.Decode(there.PackingPlan.Data)
	if err != nil {
		return fmt.Errorf("read %s: %w", there.PackingPlan.Path, err)
	}
	texts := func(plan *packing.Plan) map[int32]string {
		m := map[int32]string{}
		for _, c := range plan.Containers {
			m[c.ID] = c.String()
		}
		return m
	}
	o, n := texts(old), texts(now)
	for _, id := range sortedKeys(o, n) {
		p.change("packing", fmt.Sprintf("container %d", id), o[id], n[id])
	}
	return nil
}

// comparePackages says whether the user's code or the cluster's configuration
// differs. A topology of the original client has no record of its package.
func (p *Preview) comparePackages(there *cluster.Topology, m *Manifest) error {
	record := there.Record
	if record.Err != nil {
		return record.Err
	}
	old := "not known"
	if record.There && record.Value.TopologyID == m.Definition.ID() {
		old = "sha256 " + record.Value.Package.SHA256
	}
	p.change("package", "content", old, "sha256 "+m.in.Package.SHA256)
	return nil
}

// compareJobs lists what differs between the jobs. What only differs because the
// package does, whose digest is part of addresses, is left out: the package
// itself is listed.
func (p *Preview) compareJobs(there *cluster.Topology, m *Manifest, changes []nomad.Change) {
	old, now := there.Record.Value.Package.SHA256, m.in.Package.SHA256
	for _, c := range changes {
		if old == "" || strings.ReplaceAll(c.Old, old, now) != c.New {
			p.change("job", c.Path, c.Old, c.New)
		}
	}
}

// sortedKeys are the keys of either map.
func sortedKeys[K cmp.Ordered, V any](a, b map[K]V) []K {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return slices.Sorted(maps.Keys(all))
}
