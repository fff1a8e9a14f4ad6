// Package subject holds what every command checks that changes a topology which
// exists: that it is the one which was asked for and is whole, that nobody else
// is at work on it, what an operation that died has left of it, and that the
// claim can be taken.
//
// It decides and changes nothing. What the commands do is in the packages of
// the use cases.
package subject

import (
	"context"
	"fmt"
	"time"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/nomad/jobspec"
	"github.com/heron-nomad/heron/internal/operation"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/statemgr"
)

// Subject is a topology that a command is about to change.
type Subject struct {
	Cluster cluster.Cluster
	// Operation is the command, one of statemgr.Operations.
	Operation string
	Name      string
	There     *cluster.Topology
	// atNomad: the command acts on the topology's jobs.
	atNomad bool
}

// Look reads the topology. It refuses one that another operation is at work on,
// and one that is not at the place which was asked for; where the scope includes
// jobs, that is before Nomad is asked.
func Look(ctx context.Context, cl cluster.Cluster, operation, name string, scope cluster.Scope) (*Subject, error) {
	s := &Subject{Cluster: cl, Operation: operation, Name: name, atNomad: scope.Job || scope.Originals}
	scope.Check = func(there *cluster.Topology) error {
		s.There = there
		return s.checkPlace()
	}
	there, err := cl.Look(ctx, name, scope)
	if err != nil {
		return nil, err
	}
	s.There = there
	return s, nil
}

// ID is the topology's id, by any of its parts.
func (s *Subject) ID() string { return s.There.AnyID() }

// Resource names the topology.
func (s *Subject) Resource() outcome.Resource {
	return outcome.Resource{Kind: outcome.Topology, ID: s.Name}
}

// Intent is what the command is about to do, in these steps. It names the job
// where the command acts on jobs.
func (s *Subject) Intent(steps ...string) statemgr.Intent {
	set := s.Cluster.Settings
	i := statemgr.Intent{
		Operation: s.Operation, Step: steps[0], Steps: steps, TopologyID: s.ID(),
		Cluster: set.Cluster, Role: set.Role, Environ: set.Environ,
		Owner: statemgr.NewOwner(s.Operation, set.User, time.Now()).For(statemgr.Via(set.Via)),
	}
	if s.atNomad {
		i.Nomad = statemgr.IntentNomad{
			Address: set.Nomad.Address, Region: set.Nomad.Region, Namespace: set.Nomad.Namespace,
			JobID: jobspec.JobID(set.Cluster, s.Name),
		}
	}
	return i
}

// Take claims the topology with an intent, as Cluster.Take does.
func (s *Subject) Take(ctx context.Context, intent statemgr.Intent) (*operation.Claim, error) {
	return s.Cluster.Take(ctx, s.There, intent)
}

// anyToken stands for the token that the claim's owner will have.
const anyToken = "0000000000000000"

// CheckRights refuses where the state store would not let the command write its
// claim, or carry out more.
func (s *Subject) CheckRights(ctx context.Context, more ...statemgr.Op) error {
	tree := s.Cluster.State
	path, owner := tree.Operation(s.Name), tree.Owner(s.Name, anyToken)
	ops := []statemgr.Op{statemgr.Create(owner, nil), statemgr.Delete(owner), statemgr.Create(path, nil), statemgr.Delete(path)}
	if s.There.Pending != nil {
		ops[2] = statemgr.Set(path, nil)
	}
	if err := tree.CheckRights(ctx, append(ops, more...)...); err != nil {
		return fmt.Errorf("%s topology %q: %w; nothing was changed", s.Operation, s.Name, err)
	}
	return nil
}

// Errorf is an error of a kind about the command on the topology.
func (s *Subject) Errorf(kind outcome.Kind, format string, args ...any) error {
	return outcome.Errorf(kind, "%s topology %q: %w", s.Operation, s.Name, fmt.Errorf(format, args...))
}

// Broken adds the remedy for a topology of which a part is missing.
func (s *Subject) Broken(err error) error {
	return outcome.WithRemedy(err, s.Cluster.KillRemedy(s.Name))
}

// Repeat is the remedy of a command that continues where it stopped.
func (s *Subject) Repeat() outcome.Remedy {
	r := s.Cluster.KillRemedy(s.Name)
	r.Action = outcome.Repeat
	return r
}
