package submit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/nomad/api"
	"google.golang.org/protobuf/proto"

	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/heronpb"
	"github.com/heron-nomad/heron/internal/nomad"
	"github.com/heron-nomad/heron/internal/nomad/jobspec"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/packing"
	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/topology"
)

// Planned is what submitting a deployment would do now.
type Planned struct {
	Topology string `json:"topology"`
	Cluster  string `json:"cluster"`
	Role     string `json:"role"`
	Environ  string `json:"environ"`
	// Exists says that a topology of this name runs already: then Changes are
	// the differences between it and what would be submitted. Otherwise
	// Creates lists what would be made.
	Exists  bool     `json:"exists"`
	Creates []string `json:"creates"`
	Changes []Change `json:"changes"`
	// Unplaced counts the containers that no node would take now, Reasons say
	// why.
	Unplaced int      `json:"unplaced"`
	Reasons  []string `json:"reasons"`
	Warnings string   `json:"warnings,omitempty"`
}

// Change is one difference between what runs and what would.
type Change struct {
	// Where is topology, packing, package or job.
	Where string `json:"where"`
	What  string `json:"what"`
	// Old and New are texts; empty where there is nothing.
	Old string `json:"old"`
	New string `json:"new"`
}

// ErrDiffers is what a plan ends with that does not fit, or that differs from
// what runs.
var ErrDiffers = outcome.Errorf(outcome.Differs, "it does not fit, or differs from what runs")

// Fits says that nothing speaks against it: there is room, and where the
// topology runs already, it is the same.
func (p *Planned) Fits() bool { return p.Unplaced == 0 && len(p.Changes) == 0 }

// RunningID is the id of the topology that runs under a name, "" if none
// does. A deployment that is to be compared with it takes it over: ids differ
// at every run of the user's program.
func RunningID(ctx context.Context, env Env, root, name string) (string, error) {
	def, err := readDefinition(ctx, env, statemgr.Layout{Root: root}, name)
	if def == nil || err != nil {
		return "", err
	}
	return def.ID(), nil
}

func readDefinition(ctx context.Context, env Env, layout statemgr.Layout, name string) (*topology.Definition, error) {
	data, there, err := env.readNode(ctx, layout.Topology(name), fmt.Sprintf("look for topology %q", name))
	if !there || err != nil {
		return nil, err
	}
	def, err := topology.Decode(data)
	if err != nil {
		return nil, fmt.Errorf("read topology %q at %s: %w", name, layout.Topology(name), err)
	}
	return def, nil
}

// Plan says what submitting the deployment would do now, with Nomad's word on
// whether it fits. It changes nothing.
func Plan(ctx context.Context, env Env, d *Deployment) (*Planned, error) {
	s := d.in.Settings
	if len(d.Package.Nodes) > 0 {
		// Only Nomad knows the ids of the nodes that will have the package.
		if err := env.Uploader.Check(ctx); err != nil {
			return nil, err
		}
		var err error
		if d, err = d.at(env.Uploader.Locate(d.PackageName)); err != nil {
			return nil, err
		}
	}
	p := &Planned{
		Topology: d.Definition.Name(), Cluster: s.Cluster, Role: s.Role, Environ: s.Environ,
		Creates: []string{}, Changes: []Change{}, Reasons: []string{},
	}
	layout := statemgr.Layout{Root: s.State.Root}
	running, err := readDefinition(ctx, env, layout, p.Topology)
	if err != nil {
		return nil, err
	}
	job, err := env.Jobs.Job(ctx, *d.Job.ID)
	if err != nil && !errors.Is(err, nomad.ErrNotFound) {
		return nil, fmt.Errorf("look for job %s: %w", *d.Job.ID, err)
	}
	if err == nil && !jobspec.SameMarks(job, d.Job) {
		return nil, foreignJob(*job.ID, s.Nomad.Address)
	}
	if job != nil {
		if d, err = d.asPlaced(ctx, env, layout, job); err != nil {
			return nil, err
		}
	}
	forecast, err := env.Jobs.Forecast(ctx, d.Job)
	if err != nil {
		return nil, fmt.Errorf("ask Nomad about job %s: %w", *d.Job.ID, err)
	}
	p.Unplaced, p.Warnings = forecast.Unplaced, forecast.Warnings
	p.Reasons = append(p.Reasons, forecast.Reasons...)
	p.Exists = running != nil
	if !p.Exists {
		p.Creates = d.creates()
		return p, nil
	}
	p.compareDefinitions(running, d.Definition.Trimmed())
	if err := p.comparePlans(ctx, env, layout, d.Stored); err != nil {
		return nil, err
	}
	if err := p.comparePackages(ctx, env, layout, d); err != nil {
		return nil, err
	}
	for _, c := range forecast.Changes {
		p.change("job", c.Path, c.Old, c.New)
	}
	return p, nil
}

// asPlaced is the deployment with its package where the running topology has
// the very same: some uploaders tell only after an upload where it is, and that
// is no difference.
func (d *Deployment) asPlaced(ctx context.Context, env Env, layout statemgr.Layout, job *api.Job) (*Deployment, error) {
	if d.Package.URI != "" && d.Package.Fetch != "" {
		return d, nil
	}
	record, err := readRecord(ctx, env, layout, d.Definition.Name())
	if err != nil {
		return nil, err
	}
	where := d.Package
	where.Fetch = jobspec.PackageFetch(job)
	switch {
	case record == nil, record.TopologyID != d.Definition.ID(), record.Package.SHA256 != d.in.Package.SHA256,
		record.Package.Uploader != d.in.Settings.Upload.Kind:
		return d, nil
	case where.URI == "":
		where.URI = record.Package.URI
	case where.URI != record.Package.URI, where.Fetch == where.URI:
		// It lies elsewhere, or is fetched in another way.
		return d, nil
	}
	return d.at(where)
}

// creates lists what a submission makes, in its order.
func (d *Deployment) creates() []string {
	list := []string{fmt.Sprintf("package %s, %d bytes", d.PackageName, d.in.Package.Size)}
	for _, op := range d.State {
		list = append(list, "state "+op.Path)
	}
	r := d.Job.TaskGroups[0].Tasks[0].Resources
	return append(list, fmt.Sprintf("job %s: %d containers, each %d MHz and %d MB",
		*d.Job.ID, *d.Job.TaskGroups[0].Count, *r.CPU, *r.MemoryMB))
}

// change adds a difference, if it is one. Values that are secrets by their
// key are told to differ and not shown.
func (p *Planned) change(where, what, old, now string) {
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

// compareDefinitions tells what differs between two topologies. Whether one
// is paused is no difference: that is for activate and deactivate.
func (p *Planned) compareDefinitions(old, now *topology.Definition) {
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

func (p *Planned) compareConfigs(prefix string, old, now *heronpb.Config) {
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

// comparePlans tells which containers get other instances or resources.
func (p *Planned) comparePlans(ctx context.Context, env Env, layout statemgr.Layout, now *packing.Plan) error {
	data, there, err := env.readNode(ctx, layout.PackingPlan(p.Topology), fmt.Sprintf("read the packing plan of %q", p.Topology))
	if err != nil {
		return err
	}
	if !there {
		p.change("packing", "plan", "", "there")
		return nil
	}
	old, err := packing.Decode(data)
	if err != nil {
		return fmt.Errorf("read %s: %w", layout.PackingPlan(p.Topology), err)
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

// comparePackages tells whether the user's code or the cluster's
// configuration differs. A topology of the original client has no record of
// its package.
func (p *Planned) comparePackages(ctx context.Context, env Env, layout statemgr.Layout, d *Deployment) error {
	record, err := readRecord(ctx, env, layout, p.Topology)
	if err != nil {
		return err
	}
	old := "not known"
	if record != nil && record.TopologyID == d.Definition.ID() {
		old = "sha256 " + record.Package.SHA256
	}
	p.change("package", "content", old, "sha256 "+d.in.Package.SHA256)
	return nil
}

// sortedKeys are the keys of either map.
func sortedKeys[K cmp.Ordered, V any](a, b map[K]V) []K {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return slices.Sorted(maps.Keys(all))
}
