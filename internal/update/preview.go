package update

import (
	"context"
	"io"
	"slices"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/dryrun"
	"github.com/heron-nomad/heron/internal/packing"
	"github.com/heron-nomad/heron/internal/topology"
)

// Preview is what an update would do.
type Preview struct {
	Topology string `json:"topology"`
	ID       string `json:"id"`
	// Changes: it would change something.
	Changes bool `json:"changes"`
	// Parallelism, Containers and their numbers before are as in Updated.
	Parallelism       map[string]int `json:"parallelism"`
	ParallelismBefore map[string]int `json:"parallelism_before"`
	Containers        int            `json:"containers"`
	ContainersBefore  int            `json:"containers_before"`
	// Moved counts the instances that would run in another container or under
	// another task id; Added and Removed those that would come and go.
	Moved   int `json:"moved"`
	Added   int `json:"added"`
	Removed int `json:"removed"`
	// Replaced: every container would be replaced, one after the other, because
	// what it runs depends on the plan.
	Replaced bool `json:"replaced"`
	// Adopted: the jobs of the original client, one per container, would be made
	// one, which ends all containers and starts them again.
	Adopted bool `json:"adopted"`
	// Runtime is the runtime configuration that would be set.
	Runtime []topology.RuntimeValue `json:"runtime"`

	in    dryrun.UpdateInput
	plans bool
}

// Look decides what an update would do, and does nothing.
func Look(ctx context.Context, cl cluster.Cluster, name string, r Request) (*Preview, error) {
	s, err := look(ctx, cl, name, r)
	if err != nil {
		return nil, err
	}
	d, err := decide(s, r)
	if err != nil {
		return nil, err
	}
	conf := cl.Settings.Packing
	p := &Preview{
		Topology: name, ID: s.ID(), Changes: !d.nothing(), Replaced: d.rolls, Adopted: d.adopts, Runtime: r.Runtime, plans: r.scales(),
		Parallelism: parallelism(d.plan), ParallelismBefore: parallelism(s.stored),
		Containers: len(d.plan.Containers), ContainersBefore: len(s.stored.Containers),
		in: dryrun.UpdateInput{PackingClass: conf.Class, RepackingClass: conf.RepackClass, Topology: name, Old: s.stored, New: d.plan},
	}
	if p.Runtime == nil {
		p.Runtime = []topology.RuntimeValue{}
	}
	p.compare(s.stored, d.plan)
	return p, nil
}

// compare counts instances by component and index, which tell the same one in
// both plans.
func (p *Preview) compare(old, now *packing.Plan) {
	type key struct {
		component string
		index     int32
	}
	type place struct{ container, task int32 }
	places := func(plan *packing.Plan) map[key]place {
		m := map[key]place{}
		for _, c := range plan.Containers {
			for _, in := range c.Instances {
				m[key{in.Component, in.Index}] = place{c.ID, in.TaskID}
			}
		}
		return m
	}
	was, is := places(old), places(now)
	for k, at := range is {
		before, there := was[k]
		switch {
		case !there:
			p.Added++
		case before != at:
			p.Moved++
		}
	}
	for k := range was {
		if _, there := is[k]; !there {
			p.Removed++
		}
	}
}

// Packs says that the packing plan is part of what was asked for.
func (p *Preview) Packs() bool { return p.plans }

// Show prints the plans in one of Formats.
func (p *Preview) Show(w io.Writer, format string) error {
	f, err := dryrun.ParseFormat(format)
	if err != nil {
		return err
	}
	return dryrun.Update(w, f, p.in)
}

// Formats are the forms of a dry run.
func Formats() []string { return slices.Clone(dryrun.Formats()) }

// CheckFormat refuses a name that is none of Formats.
func CheckFormat(name string) error {
	_, err := dryrun.ParseFormat(name)
	return err
}
