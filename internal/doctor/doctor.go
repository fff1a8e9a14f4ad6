package doctor

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/inspect"
	"github.com/heron-nomad/heron/internal/lifecycle"
	"github.com/heron-nomad/heron/internal/nomad"
	"github.com/heron-nomad/heron/internal/progress"
	"github.com/heron-nomad/heron/internal/topology"
)

// Nomad is what is needed of Nomad besides cluster.Jobs; *nomad.Client has the
// contracts.
type Nomad interface {
	inspect.Nomad
	lifecycle.AllJobs
	Ping(ctx context.Context) (nomad.Server, error)
	ClockAhead(ctx context.Context) (time.Duration, bool, error)
	Rights(ctx context.Context) []nomad.Right
	Nodes(ctx context.Context, n conf.Nomad) ([]nomad.Node, error)
	NodeFacts(ctx context.Context, nodes []nomad.Node) ([]nomad.NodeFacts, error)
	RunEverywhere(ctx context.Context, job *api.Job, task string, limit time.Duration) ([]nomad.NodeRun, error)
}

// Options say what to look at.
type Options struct {
	// Topology, unless "", is the only topology to look at.
	Topology string
	// Role and Environ, unless "", leave out the topologies of others.
	Role, Environ string
	// File, unless "", is a topology file that is to be submitted from here.
	File string
	// OnNodes runs a job on every node that takes containers, for at most
	// NodeLimit.
	OnNodes   bool
	NodeLimit time.Duration
	// ForTopology gives the settings as they are for a topology.
	ForTopology func(name, id string) (*conf.Settings, error)
	// NoPrograms: topology files do not run on this machine, so what runs them is
	// not looked for.
	NoPrograms bool
	// Program finds the interpreters that a topology file needs.
	Program topology.Program
	// Not is what could not be opened.
	Not cluster.Unopened
	// StateServers asks each server of the state store for its version.
	StateServers func(context.Context) ([]cluster.StateServer, error)
	Now          func() time.Time
	// Progress learns what takes long.
	Progress progress.Sink
}

// atOnce bounds how many checks run at the same time, and perTopology how many
// topologies are looked at.
const (
	atOnce      = 8
	perTopology = 8
)

// examination is one run of Examine.
type examination struct {
	cl    cluster.Cluster
	nomad Nomad
	opts  Options

	// ping asks Nomad once. While it does not answer, other checks need not wait
	// for it as well.
	ping func() (nomad.Server, error)

	mu     sync.Mutex
	checks []Check
	// left is why something that an interrupted check made may still be there.
	left error
}

// Examine makes all checks. Its error is the context's, or of kind LeftBehind
// where an interrupt has left a job of ours: whatever else fails is part of the
// report.
func Examine(ctx context.Context, cl cluster.Cluster, n Nomad, opts Options) (*Report, error) {
	cl.Progress = nil // what the use cases behind the checks say is no news here
	e := &examination{cl: cl, nomad: n, opts: opts}
	e.ping = sync.OnceValues(func() (nomad.Server, error) { return n.Ping(ctx) })
	var group errgroup.Group
	group.SetLimit(atOnce)
	checks := []func(context.Context){
		e.configuration, e.nomadServer, e.clock, e.token, e.nodes, e.leftJobs, e.state, e.uploader, e.topologies,
	}
	if opts.OnNodes {
		checks = append([]func(context.Context){e.onNodes}, checks...) // it takes longest
	}
	if !opts.NoPrograms {
		checks = append(checks, e.programs)
	}
	if opts.Topology == "" {
		checks = append(checks, e.packages)
	}
	for _, check := range checks {
		group.Go(func() error {
			if ctx.Err() == nil {
				check(ctx)
			}
			return nil
		})
	}
	_ = group.Wait() // no check returns an error
	if e.left != nil {
		return nil, e.left
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return newReport(e.checks), nil
}

func (e *examination) add(checks ...Check) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.checks = append(e.checks, checks...)
}

// hasNomad says whether Nomad answers; where it does not, the check of Nomad says
// why.
func (e *examination) hasNomad() bool {
	_, err := e.ping()
	return err == nil
}

// hasState says whether there is a state store to ask.
func (e *examination) hasState() bool { return e.cl.State.Store != nil }
