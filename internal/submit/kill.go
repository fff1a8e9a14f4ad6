package submit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/nomad"
	"github.com/heron-nomad/heron/internal/nomad/jobspec"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/uploader"
)

// KillOptions change what Kill removes and what it puts up with.
type KillOptions struct {
	// IgnoreMissing makes a topology that does not exist a success.
	IgnoreMissing bool
	// PurgeCheckpoints removes the node of stateful checkpoints too; without
	// it an effectively-once topology of this name goes on where it was.
	PurgeCheckpoints bool
	// Flags are those, quoted for a shell, with which a kill reaches the same
	// servers again.
	Flags string
	// ForTopology, unless nil, gives the settings as they are for a topology,
	// for a place of packages that depends on it.
	ForTopology func(name, id string) (*conf.Settings, error)
}

// Killed is what a successful Kill found and removed.
type Killed struct {
	Topology string   `json:"topology"`
	Found    bool     `json:"found"`
	Removed  []string `json:"removed"`
	// Kept are packages that stay, for their store cannot remove any.
	Kept []string `json:"kept"`
}

// Kill ends a topology and removes all of it: containers, state, package,
// job. It works when only a part is there, and may be repeated. The job goes
// last: it is the handle by which a repeated kill finds the rest. What a submit
// left that died goes too; one that is under way is not touched.
func Kill(ctx context.Context, env Env, s *conf.Settings, name string, opts KillOptions) (*Killed, error) {
	k := &killing{env: env, s: s, name: name, opts: opts, layout: statemgr.Layout{Root: s.State.Root}}
	if err := k.look(ctx); err != nil {
		return nil, err
	}
	if err := k.findUploader(); err != nil {
		return nil, err
	}
	if k.begun == nil {
		env.sweep(ctx, k.layout, name)
	}
	if !k.found() {
		if opts.IgnoreMissing {
			return &Killed{Topology: name, Removed: []string{}, Kept: []string{}}, nil
		}
		return nil, outcome.Errorf(outcome.NotFound,
			"no topology %q in cluster %s: no state below %s, no job %s at %s; with --ignore-missing this is fine",
			name, s.Cluster, s.State.Root, jobspec.JobID(s.Cluster, name), s.Nomad.Address)
	}
	if k.begun != nil {
		owner := statemgr.NewOwner("kill", s.User, time.Now())
		var err error
		if k.claim, err = env.claimIntent(ctx, k.layout, name, owner, k.begun.intent, k.begun); err != nil {
			return nil, err
		}
		defer func() { k.claim.letGo(context.WithoutCancel(ctx)) }()
	}
	return k.carryOut(ctx)
}

// carryOut removes what was found.
func (k *killing) carryOut(ctx context.Context) (*Killed, error) {
	done := &Killed{Topology: k.name, Found: true, Removed: []string{}}
	steps := k.steps()
	for i, st := range steps {
		err := ctx.Err()
		if err == nil {
			k.env.Report.say("%s", st.name)
			err = st.do(ctx)
		}
		if err == nil {
			if st.removes && !k.stays(st.what) {
				done.Removed = append(done.Removed, st.what)
			}
			continue
		}
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, k.failed(steps, i, err)
	}
	if len(k.foreign) > 0 {
		return nil, k.foreignPackages()
	}
	done.Kept = append([]string{}, k.kept...)
	return done, nil
}

// stays says whether what a step was to remove could not be.
func (k *killing) stays(what string) bool {
	return slices.Contains(slices.Concat(k.kept, k.foreign), strings.TrimPrefix(what, "package "))
}

// foreignPackages is the end of a kill that removed all but packages that the
// configured uploader did not store.
func (k *killing) foreignPackages() error {
	f := &Failure{Step: fmt.Sprintf("remove the package of topology %q", k.name), Err: errors.New("the configured uploader did not store it")}
	f.Repair = "all else is removed; delete it where it lies"
	for _, uri := range k.foreign {
		f.Left = append(f.Left, Leftover{What: "package " + uri, Why: "not in " + cmp.Or(k.s.Upload.LocalDir, k.s.Upload.Kind)})
	}
	return f
}

// killing is one run of Kill.
type killing struct {
	env    Env
	s      *conf.Settings
	name   string
	opts   KillOptions
	layout statemgr.Layout

	// What look found.
	state     bool
	runningID string
	jobs      []*api.Job
	// packages are URIs of the uploader that is configured, foreign those of
	// another.
	packages []string
	foreign  []string
	// kept are those whose store cannot remove them.
	kept []string
	// begun is the intent of a submit that died, nil for none; claim is the
	// right to end what it began.
	begun *begun
	claim *claim
}

func (k *killing) found() bool { return k.state || len(k.jobs) > 0 || k.begun != nil }

// deleteState removes the state if it is still that of the topology that was
// looked at: while its containers ended, somebody may have killed it and
// submitted another.
func (k *killing) deleteState(ctx context.Context) error {
	id, err := k.currentID(ctx)
	if err != nil {
		return err
	}
	if id != "" && k.runningID != "" && id != k.runningID {
		return outcome.Errorf(outcome.Exists, "topology %q was submitted anew in the meantime, as %s; the new one was not touched", k.name, id)
	}
	var guards []statemgr.Op
	if k.claim != nil {
		guards = k.claim.guards()
	}
	return statemgr.DeleteTopology(ctx, k.env.Store, k.layout, k.name, k.opts.PurgeCheckpoints, guards...)
}

// steps are what Kill does, in order. A lock belongs before the first and
// ends after the last. The note of a submit that died goes before the job's
// handle, and after the package that it alone may name.
func (k *killing) steps() []step {
	var list []step
	for _, job := range k.jobs {
		id := *job.ID
		list = append(list, step{
			name: fmt.Sprintf("stop job %s at %s", id, k.s.Nomad.Address),
			what: "containers of job " + id,
			do: func(ctx context.Context) error {
				if err := k.env.Jobs.Stop(ctx, job); err != nil && !errors.Is(err, nomad.ErrNotFound) {
					return err
				}
				return nil
			},
		})
	}
	for _, job := range k.jobs {
		id := *job.ID
		list = append(list, step{
			name: fmt.Sprintf("wait for the containers of job %s to end", id),
			what: "running containers of job " + id,
			do: func(ctx context.Context) error {
				return k.env.waitStopped(ctx, id, k.s.Nomad.StopTimeout)
			},
		})
	}
	if k.state {
		list = append(list, step{
			name:    fmt.Sprintf("remove the state of topology %q below %s", k.name, k.s.State.Root),
			removes: true,
			what:    "state of topology " + k.name + " below " + k.s.State.Root,
			do:      k.deleteState,
		})
	}
	for _, uri := range k.packages {
		list = append(list, step{
			name:    "remove package " + uri,
			removes: true,
			what:    "package " + uri,
			do: func(ctx context.Context) error {
				err := k.env.Uploader.Delete(ctx, uri)
				switch {
				case errors.Is(err, uploader.ErrForeign):
					// It must not hold up the rest for ever.
					k.foreign = append(k.foreign, uri)
					return nil
				case errors.Is(err, errors.ErrUnsupported):
					k.env.Report.say("it stays: %v", err)
					k.kept = append(k.kept, uri)
					return nil
				}
				return err
			},
		})
	}
	if k.claim != nil {
		path := k.layout.Operation(k.name)
		list = append(list, step{
			name:    "remove the note of a submit that died, " + path,
			removes: true,
			what:    "note of a submit that died, " + path,
			do:      k.claim.drop,
		})
	}
	for _, job := range k.jobs {
		id := *job.ID
		list = append(list, step{
			name:    fmt.Sprintf("remove job %s at %s", id, k.s.Nomad.Address),
			removes: true,
			what:    "job " + id + " at " + k.s.Nomad.Address,
			do: func(ctx context.Context) error {
				return k.env.Jobs.PurgeOwned(ctx, id, job.Meta[jobspec.MetaTopologyID])
			},
		})
	}
	return list
}

// failed says what is left after step i did not work.
func (k *killing) failed(steps []step, i int, err error) error {
	if i == 0 {
		return fmt.Errorf("%s: %w; nothing was removed", steps[0].name, err)
	}
	f := &Failure{Step: steps[i].name, Err: err}
	f.Repair = killCommand(k.s, k.opts.Flags, k.name)
	for _, st := range steps[i:] {
		f.Left = append(f.Left, Leftover{What: st.what})
	}
	return f
}
