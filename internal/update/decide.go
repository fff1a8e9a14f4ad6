package update

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/nomad/api"
	"google.golang.org/protobuf/proto"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/heronpb"
	"github.com/heron-nomad/heron/internal/nomad/jobspec"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/packing"
	"github.com/heron-nomad/heron/internal/subject"
	"github.com/heron-nomad/heron/internal/topology"
)

// decision is what an update makes of a topology. It is a value: made once from
// what was found, shown by a dry run, carried out by Update.
type decision struct {
	*sight
	request Request
	// plan is the packing plan that there is to be; replans says that it is
	// another than the stored one, packed that, or that it may be on its way.
	plan            *packing.Plan
	replans, packed bool
	// definition is the topology as the state store is to keep it, redefines says
	// that it is another than the stored one; planData is the plan; back the
	// definition as it is to be if this is undone.
	definition, planData, back []byte
	redefines                  bool
	// spec is the job for the plan; rolls says that it changes what containers
	// run, so that each is replaced.
	spec  *api.Job
	rolls bool
	// configures: the TManager that runs has to be told the runtime configuration.
	configures bool
}

// decide computes what a request makes of a topology.
func decide(s *sight, r Request) (*decision, error) {
	d := &decision{sight: s, request: r, plan: s.stored}
	switch {
	case r.scales():
		if err := d.repack(); err != nil {
			return nil, err
		}
	case s.adopts:
		d.plan = packing.Dense(s.stored) // a job per container knows no gaps either
		d.replans = !samePlan(s.stored, d.plan)
	}
	if err := d.define(); err != nil {
		return nil, err
	}
	if s.adopts {
		return d, d.adopt()
	}
	// Where an update died, its plan may be stored and its job not yet.
	sizes := s.stored.Max() != d.plan.Max() || s.dead == subject.DeadEqual || s.dead == subject.DeadOther
	var err error
	d.spec, d.rolls = s.There.Job, false
	if r.scales() {
		if d.spec, d.rolls, err = jobspec.Rescale(s.There.Job, s.Cluster.Settings, d.plan.Homogeneous(), sizes); err != nil {
			return nil, fmt.Errorf("update topology %q: %w", s.Name, err)
		}
	}
	return d, nil
}

// repack finds the plan that there is to be.
func (d *decision) repack() error {
	conf := d.Cluster.Settings.Packing
	alg, err := packing.New(conf.Repack, packing.Settings{InstanceCPU: conf.InstanceCPU, InstanceRAM: conf.InstanceRAM, InstanceDisk: conf.InstanceDisk})
	if err != nil {
		return err
	}
	target := packing.Target{Parallelism: d.request.Parallelism, Containers: d.request.Containers}
	plan, err := target.Repack(alg, d.There.Definition.Value, d.base)
	switch {
	case errors.Is(err, packing.ErrUnchanged):
		plan = d.base
	case err != nil:
		return fmt.Errorf("update topology %q with %s: %w", d.Name, conf.RepackClass, err)
	}
	d.plan = packing.Dense(plan)
	if len(d.plan.Containers) == 0 {
		return d.Errorf(outcome.Usage, "no container would be left")
	}
	d.replans = !samePlan(d.stored, d.plan)
	d.packed = d.replans || d.dead == subject.DeadEqual || d.dead == subject.DeadOther
	return nil
}

// samePlan compares what runs where, and with how much.
func samePlan(a, b *packing.Plan) bool {
	return slices.EqualFunc(a.Containers, b.Containers, func(x, y packing.Container) bool {
		return x.ID == y.ID && x.Required == y.Required && slices.Equal(x.Instances, y.Instances)
	})
}

// define makes what the state store is to keep. The state and the runtime
// configuration of the physical plan go into the definition: a TManager that
// starts anew goes by that alone.
func (d *decision) define() error {
	stored := d.There.Definition.Value
	now := stored.WithState(d.was)
	var err error
	if d.running != nil {
		if now, err = now.WithRuntime(d.running.Runtime()); err != nil {
			return d.Errorf(outcome.Differs, "its runtime configuration does not fit: %w", err)
		}
	}
	next, err := now.WithRuntime(d.request.Runtime)
	if err != nil {
		return d.Errorf(outcome.Usage, "%w", err)
	}
	d.redefines = !proto.Equal(next.Proto(), stored.Proto())
	if d.back, err = now.Bytes(); err == nil {
		d.definition, err = next.Bytes()
	}
	if err == nil {
		d.planData, err = proto.MarshalOptions{Deterministic: true}.Marshal(d.plan.Homogeneous().Proto())
	}
	if err != nil {
		return fmt.Errorf("update topology %q: %w", d.Name, err)
	}
	d.configures = len(d.request.Runtime) > 0 && !d.replans && !d.adopts && (d.running == nil || !hasValues(d.running, d.request.Runtime))
	return nil
}

// hasValues says whether a definition has a runtime configuration already.
func hasValues(def *topology.Definition, wanted []topology.RuntimeValue) bool {
	have := map[[2]string]string{}
	for _, v := range def.Runtime() {
		have[[2]string{v.Component, v.Key}] = v.Value
	}
	want := map[[2]string]string{}
	for _, v := range wanted {
		want[[2]string{v.Component, v.Key}] = v.Value
	}
	for key, value := range want {
		if got, there := have[key]; !there || got != value {
			return false
		}
	}
	return true
}

// count is how many containers the job has, need how many it is to have, the
// TManager's included.
func (d *decision) count() int {
	if d.adopts {
		return d.need() // the job is made for the plan
	}
	return cluster.CountOf(d.There.Job)
}
func (d *decision) need() int { return len(d.plan.Containers) + 1 }

// writes says that the stored state changes by what is asked for.
func (d *decision) writes() bool {
	return d.replans || len(d.request.Runtime) > 0 && !hasValues(d.There.Definition.Value, d.request.Runtime)
}

// nothing says that the topology is as it is asked to be, and that no operation
// which died has left its intent.
func (d *decision) nothing() bool {
	return !d.adopts && !d.writes() && !d.configures && !d.rolls && d.dead == subject.DeadNone && (!d.request.scales() || d.count() == d.need())
}

// parallelism counts the instances of each component of a plan.
func parallelism(p *packing.Plan) map[string]int {
	m := map[string]int{}
	for _, c := range p.Containers {
		for _, in := range c.Instances {
			m[in.Component]++
		}
	}
	return m
}

// runs says that the physical plan is the one of the packing plan: each instance
// in its container.
func runs(physical *heronpb.PhysicalPlan, plan *packing.Plan) bool {
	type place struct {
		task      int32
		component string
		stmgr     string
	}
	want := map[place]bool{}
	for _, c := range plan.Containers {
		for _, in := range c.Instances {
			want[place{in.TaskID, in.Component, fmt.Sprintf("stmgr-%d", c.ID)}] = true
		}
	}
	have := map[place]bool{}
	for _, in := range physical.GetInstances() {
		have[place{in.GetInfo().GetTaskId(), in.GetInfo().GetComponentName(), in.GetStmgrId()}] = true
	}
	return maps.Equal(want, have)
}
