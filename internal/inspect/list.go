package inspect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"time"

	"github.com/hashicorp/nomad/api"
	"google.golang.org/protobuf/proto"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/heronpb"
	"github.com/heron-nomad/heron/internal/nomad/jobspec"
	"github.com/heron-nomad/heron/internal/operation"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/topology"
)

// Summary is how one topology of many is. TManagers are not asked, so its
// health is less exact than that of a Status.
type Summary struct {
	Topology string `json:"topology"`
	ID       string `json:"id"`
	Cluster  string `json:"cluster"`
	Role     string `json:"role"`
	Environ  string `json:"environ"`
	Health   Health `json:"health"`
	Reason   string `json:"reason"`
	// State is as in Status.
	State string `json:"state"`
	// Wanted counts the containers that the topology should have, Running those
	// that run.
	Wanted  int `json:"containers_wanted"`
	Running int `json:"containers_running"`
	// Owner is who submitted it, Since when.
	Owner string    `json:"owner"`
	Since time.Time `json:"since,omitzero"`
	// Operation is one that has not ended.
	Operation *Operation `json:"operation,omitempty"`

	jobs jobCounts
	// physical: there is a physical plan. broken says what of the topology cannot
	// be read, or is missing.
	physical bool
	broken   string
}

// jobCounts is what Nomad says of a topology's jobs, all of them together.
type jobCounts struct {
	There, Stopped bool
	// Containers by what they do.
	Running, Starting, Queued, Lost, Unknown int
}

// Filter says which topologies to list; empty texts stand for all.
type Filter struct{ Role, Environ string }

// List returns the topologies of a cluster by name: those in its state, and
// those that only have a job with its marks. It is one request to Nomad, and
// many reads of the state at the same time.
func List(ctx context.Context, cl cluster.Cluster, n Nomad, filter Filter) ([]*Summary, error) {
	type answer struct {
		stubs []*api.JobListStub
		err   error
	}
	asked, cancel := context.WithCancel(ctx)
	defer cancel()
	jobs := make(chan answer, 1)
	go func() {
		stubs, err := n.Jobs(asked, "")
		jobs <- answer{stubs, err}
	}()
	found, err := readSummaries(ctx, cl)
	if err != nil {
		return nil, fmt.Errorf("list the topologies below %s: %w", cl.State.Root, err)
	}
	got := <-jobs
	if got.err != nil {
		return nil, got.err
	}
	addJobs(found, got.stubs, cl)
	list := []*Summary{}
	for _, name := range slices.Sorted(maps.Keys(found)) {
		s := found[name]
		if s.Cluster != cl.Settings.Cluster || filter.Role != "" && s.Role != filter.Role || filter.Environ != "" && s.Environ != filter.Environ {
			continue
		}
		s.Health, s.Reason = judgeSummary(s)
		list = append(list, s)
	}
	return list, nil
}

// readSummaries reads the state of all topologies. The definition and the
// packing plan are only read where there is no physical plan, which has the
// same in it.
func readSummaries(ctx context.Context, cl cluster.Cluster) (map[string]*Summary, error) {
	tree := cl.State
	found := map[string]*Summary{}
	pending := map[string]bool{}
	for _, dir := range []string{tree.Topologies(), path.Dir(tree.ExecutionState("x")), path.Dir(tree.Operation("x"))} {
		names, err := tree.Children(ctx, dir)
		// What no submission ever made is missing; a root without topologies is not
		// one, or not the right one.
		if err != nil && (!errors.Is(err, statemgr.ErrNotFound) || dir == tree.Topologies()) {
			if errors.Is(err, statemgr.ErrNotFound) {
				return nil, outcome.Errorf(outcome.NotFound, "%s does not exist: nothing was ever submitted there, or it is not the right root", dir)
			}
			return nil, err
		}
		for _, name := range names {
			if statemgr.CheckName(name) == nil {
				found[name] = &Summary{Topology: name, Cluster: cl.Settings.Cluster}
				pending[name] = dir == path.Dir(tree.Operation("x"))
			}
		}
	}
	if err := readInto(ctx, tree, found, func(s *Summary) []string {
		return []string{tree.ExecutionState(s.Topology), tree.PhysicalPlan(s.Topology)}
	}); err != nil {
		return nil, err
	}
	if err := readInto(ctx, tree, found, func(s *Summary) []string {
		if s.physical {
			return nil
		}
		return []string{tree.Topology(s.Topology), tree.PackingPlan(s.Topology)}
	}); err != nil {
		return nil, err
	}
	for name, is := range pending {
		if !is {
			continue
		}
		p, err := operation.Find(ctx, tree, name)
		if err != nil {
			found[name].broken = err.Error()
			continue
		}
		s := found[name]
		if s.Operation = newOperation(p); p != nil && s.Role == "" {
			s.ID, s.Cluster, s.Role, s.Environ = p.Intent.TopologyID, p.Intent.Cluster, p.Intent.Role, p.Intent.Environ
		}
	}
	return found, nil
}

// readInto reads the nodes that which names for each topology.
func readInto(ctx context.Context, tree statemgr.Tree, found map[string]*Summary, which func(*Summary) []string) error {
	var paths []string
	for _, s := range found {
		paths = append(paths, which(s)...)
	}
	nodes, err := tree.ReadAll(ctx, paths...)
	if err != nil {
		return err
	}
	for p, node := range nodes {
		s := found[path.Base(p)]
		if err := s.take(tree.Layout, p, node.Data); err != nil {
			s.broken = fmt.Sprintf("%s: %v", p, err)
		}
	}
	return nil
}

// take reads one node of the state.
func (s *Summary) take(l statemgr.Layout, at string, data []byte) error {
	switch at {
	case l.ExecutionState(s.Topology):
		es := &heronpb.ExecutionState{}
		if err := proto.Unmarshal(data, es); err != nil {
			return err
		}
		s.ID, s.Cluster, s.Role, s.Environ, s.Owner = es.GetTopologyId(), es.GetCluster(), es.GetRole(), es.GetEnviron(), es.GetSubmissionUser()
		if seconds := es.GetSubmissionTime(); seconds > 0 {
			s.Since = time.Unix(seconds, 0).UTC()
		}
	case l.PhysicalPlan(s.Topology):
		plan := &heronpb.PhysicalPlan{}
		if err := proto.Unmarshal(data, plan); err != nil {
			return err
		}
		s.physical, s.State, s.Wanted = true, plan.GetTopology().GetState().String(), len(plan.GetStmgrs())+1
	case l.Topology(s.Topology):
		definition, err := topology.Decode(data)
		if err != nil {
			return err
		}
		s.State, s.ID = definition.State().String(), cmp.Or(s.ID, definition.ID())
	case l.PackingPlan(s.Topology):
		plan := &heronpb.PackingPlan{}
		if err := proto.Unmarshal(data, plan); err != nil {
			return err
		}
		s.Wanted = len(plan.GetContainerPlans()) + 1
	}
	return nil
}

// addJobs adds what Nomad says, also of topologies that only have a job.
func addJobs(found map[string]*Summary, stubs []*api.JobListStub, cl cluster.Cluster) {
	settings := cl.Settings
	for _, stub := range stubs {
		name := stub.Meta[jobspec.MetaTopologyName]
		ours := stub.Meta[jobspec.MetaClient] == jobspec.ClientMark && stub.Meta[jobspec.MetaCluster] == settings.Cluster &&
			stub.Meta[jobspec.MetaStateKind] == settings.State.Kind && stub.Meta[jobspec.MetaStateRoot] == settings.State.Root
		s := found[name]
		switch {
		case name == "" || stub.Meta[jobspec.MetaClient] != "" && !ours:
			continue
		case s == nil && ours:
			s = &Summary{
				Topology: name, ID: stub.Meta[jobspec.MetaTopologyID], Cluster: settings.Cluster,
				Role: stub.Meta[jobspec.MetaRole], Environ: stub.Meta[jobspec.MetaEnviron], broken: "it has a job in Nomad, but no state",
			}
			found[name] = s
		case s == nil, !ours && stub.Meta[jobspec.MetaTopologyID] != s.ID:
			continue
		}
		s.jobs.add(stub)
	}
}

func (c *jobCounts) add(stub *api.JobListStub) {
	c.Stopped = stub.Stop && (c.Stopped || !c.There)
	c.There = true
	if stub.JobSummary == nil {
		return
	}
	for _, group := range stub.JobSummary.Summary {
		c.Running += group.Running
		c.Starting += group.Starting
		c.Queued += group.Queued
		c.Lost += group.Lost
		c.Unknown += group.Unknown
	}
}

// judgeSummary finds the health of one topology of many. The first rule that
// applies decides.
func judgeSummary(s *Summary) (Health, string) {
	s.Running = s.jobs.Running
	running := fmt.Sprintf("%d of %d containers run", s.Running, s.Wanted)
	op := s.Operation
	switch {
	case op != nil && op.Name == statemgr.OperationKill:
		return Stopping, op.String()
	case s.broken != "" && !s.jobs.There:
		return Unknown, s.broken
	case s.jobs.There && s.jobs.Stopped && s.Running > 0:
		return Stopping, fmt.Sprintf("its job is stopped, and %s still run", count(s.Running, "container"))
	case s.jobs.There && s.jobs.Stopped:
		return Failed, "its job is stopped"
	case s.broken != "":
		return Failed, s.broken
	case !s.jobs.There && op != nil && op.Name == statemgr.OperationSubmit && op.Alive:
		return Starting, op.String()
	case !s.jobs.There:
		return Failed, "it has no job in this region and namespace of Nomad"
	case s.Running == s.Wanted && !s.physical:
		return Starting, running + ", but there is no physical plan yet"
	case s.Running == s.Wanted && s.State == "PAUSED":
		return Paused, "deactivated; " + running
	case s.Running == s.Wanted:
		return Healthy, running
	case s.Running > s.Wanted:
		return Degraded, running
	case s.jobs.Starting+s.jobs.Queued > 0 && !s.physical:
		return Starting, fmt.Sprintf("%s, %d start, %d have no node yet", running, s.jobs.Starting, s.jobs.Queued)
	case s.Running == 0 && s.jobs.Starting == 0:
		return Failed, running
	}
	return Degraded, running
}
