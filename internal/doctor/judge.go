package doctor

import (
	"fmt"
	"strings"

	"github.com/heron-nomad/heron/internal/inspect"
	"github.com/heron-nomad/heron/internal/lifecycle"
	"github.com/heron-nomad/heron/internal/nomad/jobspec"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/statemgr"
)

// nothing says that there is nothing of the topology at all.
func (f *found) nothing() bool {
	return !f.inState() && len(f.Nodes) == 0 && len(f.Jobs()) == 0 && f.Pending == nil && f.lock == nil && len(f.deadOwners) == 0
}

// inState says that a node is there which a submission makes.
func (f *found) inState() bool {
	return f.Definition.There || f.PackingPlan.There || f.ExecutionState.There || f.Scheduler.There || f.Record.There
}

// finding is a problem with the topology and the command that removes it.
func (f *found) finding(name, action, format string, args ...any) Check {
	c := problem(name, f.Name, "", format, args...)
	r := f.kill
	r.Action = action
	c.Remedy = &r
	return c
}

// judge says what of a topology does not fit together. While an operation is at
// work parts may be missing, so then nothing but that is said.
func judge(f *found) []Check {
	if p := f.Pending; p != nil && p.Alive {
		return []Check{ok(Claim, f.Name, "%s is under way; look again when it has ended", p.Intent.Owner)}
	}
	list := f.claims()
	if p := f.Pending; p != nil && p.Intent.Partial() && lifecycle.HalfDone(f.Topology) != "" {
		return list // what is missing is missing because of that
	}
	parts := f.parts()
	list = append(list, parts...)
	if len(parts) == 0 && f.inState() {
		list = append(list, f.engine()...)
		list = append(list, f.condition()...)
	}
	return list
}

// claims is about operations that died and what they hold.
func (f *found) claims() []Check {
	var list []Check
	if p := f.Pending; p != nil {
		i := p.Intent
		half := lifecycle.HalfDone(f.Topology)
		switch {
		case half == "":
			list = append(list, f.finding(Claim, outcome.Unlock, "%s has died and left its claim, and nothing half done", i.Owner))
		case i.Operation == statemgr.OperationKill:
			list = append(list, f.finding(Claim, outcome.Kill, "%s has died: %s", i.Owner, half))
		default:
			c := f.finding(Claim, outcome.Kill, "%s has died: %s", i.Owner, half)
			c.Advice = fmt.Sprintf("repeat the %s with the same arguments, which finishes it, or remove the topology", i.Operation)
			list = append(list, c)
		}
	} else if n := len(f.deadOwners); n > 0 {
		c := f.finding(Claim, outcome.Unlock, "%d processes that died have left their nodes", n)
		c.Status = Warning
		list = append(list, c)
	}
	if f.lock != nil && (!f.lock.Dead || f.Pending == nil) {
		c := f.finding(Claim, outcome.Unlock, "%s", f.lock)
		c.Status = Warning
		if f.lock.Session {
			c.Remedy, c.Advice = nil, "wait until the other client has ended"
		}
		list = append(list, c)
	}
	return list
}

// parts is about state and job: whether all is there, and of one topology.
func (f *found) parts() []Check {
	switch {
	case !f.inState() && f.Job != nil && f.foreign == nil:
		return []Check{f.finding(Topology, outcome.Kill, "it has the job %s, and no state", *f.Job.ID)}
	case !f.inState():
		return f.leftovers()
	}
	var list []Check
	if missing := f.missing(); len(missing) > 0 {
		list = append(list, f.finding(Topology, outcome.Kill, "its state is incomplete: no %s", strings.Join(missing, ", no ")))
	}
	for _, err := range []error{f.Definition.Err, f.PackingPlan.Err, f.ExecutionState.Err, f.Scheduler.Err, f.Record.Err} {
		if err != nil {
			list = append(list, f.finding(Topology, outcome.Kill, "its state cannot be understood: %v", err))
		}
	}
	if ids := f.differing(); len(ids) > 0 {
		list = append(list, f.finding(Topology, outcome.Kill, "its parts name different topology ids: %s", strings.Join(ids, ", ")))
	}
	return append(list, f.job()...)
}

// leftovers is about nodes of a topology that is gone. Those of Heron's processes
// go with the sessions of these.
func (f *found) leftovers() []Check {
	var stay []string
	for _, op := range f.Nodes {
		if f.lock == nil || !strings.HasPrefix(op.Path, f.lock.Path) {
			stay = append(stay, op.Path)
		}
	}
	if len(stay) == 0 {
		return nil
	}
	c := f.finding(Topology, outcome.Kill, "the topology is gone, and nodes are left of it: %s", some(stay))
	if f.tmanager != "" && f.leaves {
		c.Status, c.Advice = Warning, "its TManager has not ended yet; what stays after that is removed by:"
	}
	return []Check{c}
}

// missing are the nodes that a submission makes and that are not there. The
// original client writes no record.
func (f *found) missing() []string {
	var list []string
	for _, part := range []struct {
		there bool
		path  string
	}{
		{f.Definition.There, f.Definition.Path},
		{f.PackingPlan.There, f.PackingPlan.Path},
		{f.ExecutionState.There, f.ExecutionState.Path},
		{f.Scheduler.There, f.Scheduler.Path},
		{f.Record.There || f.Job == nil || f.foreign != nil, f.Record.Path},
	} {
		if !part.there {
			list = append(list, part.path)
		}
	}
	return list
}

// differing are the ids of the parts, where they are not all the same.
func (f *found) differing() []string {
	seen := map[string]bool{}
	var list []string
	add := func(what, id string, known bool) {
		if known && id != "" {
			seen[id] = true
			list = append(list, what+" "+id)
		}
	}
	add("the definition", f.ID(), f.Definition.Known())
	if f.ExecutionState.Known() {
		add("the execution state", f.ExecutionState.Value.GetTopologyId(), true)
	}
	if f.PackingPlan.Known() {
		add("the packing plan", f.PackingPlan.Value.GetId(), true)
	}
	add("the deployment record", f.Record.Value.TopologyID, f.Record.Known())
	if f.Job != nil && f.foreign == nil {
		add("the job", f.Job.Meta[jobspec.MetaTopologyID], true)
	}
	if len(seen) < 2 {
		return nil
	}
	return list
}

// job is about the topology's job.
func (f *found) job() []Check {
	switch {
	case !f.asked:
		return []Check{warning(Topology, f.Name, "", "Nomad was not asked for its job")}
	case f.place != nil:
		return []Check{warning(Topology, f.Name, "look at it there, with --nomad-region and --nomad-namespace", "%v, where its job was not looked for", f.place)}
	case len(f.Originals) > 0:
		return nil
	case f.foreign != nil:
		return []Check{problem(Topology, f.Name, "stop that job with Nomad, or see whether the configuration names the right state root", "%v", f.foreign)}
	case f.Job == nil:
		return []Check{f.finding(Topology, outcome.Kill, "it has no job in this region and namespace of Nomad")}
	case jobspec.Stopped(f.Job):
		return []Check{f.finding(Topology, outcome.Kill, "its job %s is stopped", *f.Job.ID)}
	}
	return nil
}

// engine is about what Heron's processes wrote, and the package.
func (f *found) engine() []Check {
	var list []Check
	if id := f.ID(); f.tmanager != "" && f.tmanager != id {
		if f.leaves {
			list = append(list, warning(TManager, f.Name, "it goes when its session ends, within a minute", "a TManager of an earlier run, %s, is still registered", f.tmanager))
		} else {
			list = append(list, f.finding(TManager, outcome.Restart, "the TManager's location is of an earlier run, %s", f.tmanager))
		}
	}
	if f.plan != "" && f.plan != f.ID() {
		list = append(list, f.finding(TManager, outcome.Restart, "the physical plan is of an earlier run, %s", f.plan))
	}
	if f.packageGone != "" {
		list = append(list, problem(Topology, f.Name, "submit it again with --replace; until then no container can be started anew", "its package is gone: %s", f.packageGone))
	}
	return list
}

// condition is how the topology is as a whole.
func (f *found) condition() []Check {
	s := f.health
	if s == nil {
		return nil
	}
	text := fmt.Sprintf("%s: %s", s.Health, s.Reason)
	if f.why != "" {
		text += "; " + f.why
	}
	if n := len(f.Originals); n > 0 {
		text += fmt.Sprintf("; the original client submitted it, with %d jobs", n)
	}
	switch {
	case s.Indexes.Wrong():
		return []Check{f.finding(Containers, outcome.Restart, "the indexes of its containers are not 0 to %d, each once: %s", s.Wanted-1, s.Indexes)}
	case s.Health.Good():
		return []Check{ok(Topology, f.Name, "%s", text)}
	case s.Health == inspect.Starting, s.Health == inspect.Unknown:
		return []Check{warning(Containers, f.Name, "", "%s", text)}
	}
	return []Check{problem(Containers, f.Name, "heron status and heron logs say more", "%s", text)}
}
