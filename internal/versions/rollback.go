package versions

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/nomad"
	"github.com/heron-nomad/heron/internal/nomad/jobspec"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/statemgr"
)

// RollbackOptions change what Rollback goes back to, and how.
type RollbackOptions struct {
	// To is the number of the version; 0 is the last that was good before the one
	// which runs.
	To int
	// Wait says when the version is good. If it does not become good, what ran
	// before comes back.
	Wait Wait
	// State is as that of ReplaceOptions.
	State       string
	ForTopology ForTopology
}

// RolledBack is what a successful Rollback did.
type RolledBack struct {
	Topology string `json:"topology"`
	ID       string `json:"id"`
	// Number is the one that it has in the history now, Restores that of the version
	// which it is, Previous that of the one which ran before. For an operation that
	// died and was taken back, Number is what runs again.
	Number   int    `json:"version"`
	Restores int    `json:"restores,omitempty"`
	Previous int    `json:"previous,omitempty"`
	Job      string `json:"job"`
	nomad.Rollout
	Containers int    `json:"containers"`
	State      string `json:"state,omitempty"`
	Paused     bool   `json:"paused"`
	// Changed is false for a version that runs already. TookBack: an operation
	// that had died was taken back, and nothing else was done.
	Changed  bool `json:"changed"`
	TookBack bool `json:"took_back,omitempty"`
	// Removed are packages of versions that are not kept any longer, Kept those
	// that could not be removed.
	Removed []outcome.Resource `json:"removed,omitempty"`
	Kept    []outcome.Leftover `json:"kept,omitempty"`
}

// Rollback puts an earlier version of a topology in place again, from our own
// records. It becomes the newest version. A topology that is paused stays
// paused.
//
// A replacement or another rollback that died is taken back; where no number was
// asked for, that is all.
func Rollback(ctx context.Context, cl cluster.Cluster, name string, opts RollbackOptions) (*RolledBack, error) {
	if err := CheckState(opts.State); err != nil {
		return nil, err
	}
	c, err := look(ctx, cl, statemgr.OperationRollback, name, opts.ForTopology)
	if err != nil {
		return nil, err
	}
	r := &rollback{change: c, opts: opts}
	if c.completed() && r.equal() {
		return r.finish(ctx)
	}
	if c.died() && !r.equal() {
		if err := c.undoDead(ctx); err != nil {
			return nil, err
		}
		if err := c.claim.Finish(ctx, nil); err != nil {
			return nil, err
		}
		if opts.To == 0 || opts.To == c.base.Number {
			return r.tookBack(ctx)
		}
		if c, err = look(ctx, cl, statemgr.OperationRollback, name, opts.ForTopology); err != nil {
			return nil, err
		}
		r.change = c
	}
	c.wait = opts.Wait
	if again := c.died(); !again || !c.placed() {
		source, err := r.choose()
		if err != nil {
			return nil, err
		}
		if source == c.base.Number {
			return r.result(c.base, ""), nil
		}
		if err := r.decide(ctx, source); err != nil {
			return nil, err
		}
	} else {
		c.fresh = len(c.target.Checkpoints) > 0
	}
	if err := r.check(ctx); err != nil {
		return nil, err
	}
	if err := c.begin(ctx, r.intent(), c.died()); err != nil {
		return nil, err
	}
	s, err := c.carryOut(ctx)
	if err != nil {
		return nil, err
	}
	result := r.result(c.target, r.state)
	result.Changed, result.Removed, result.Kept = true, s.Removed, s.Kept
	result.Rollout = c.cl.Rollout(ctx, c.jobID())
	return result, nil
}

// rollback is one run of Rollback.
type rollback struct {
	*change
	opts  RollbackOptions
	state string
}

// request names what a rollback was asked for.
func request(source int, state string) string { return fmt.Sprintf("version %d %s", source, state) }

// equal says whether the change that died is a rollback to the same version.
func (r *rollback) equal() bool {
	i := r.subj.There.Pending.Intent
	if i.Operation != statemgr.OperationRollback {
		return false
	}
	asked, state, _ := strings.Cut(strings.TrimPrefix(i.Request, "version "), " ")
	number, err := strconv.Atoi(asked)
	return err == nil && state == r.opts.State && (r.opts.To == 0 || r.opts.To == number)
}

// choose is the number of the version to go back to.
func (r *rollback) choose() (int, error) {
	if r.died() {
		var number int
		_, err := fmt.Sscanf(r.subj.There.Pending.Intent.Request, "version %d", &number)
		return number, err
	}
	var numbers []string
	last := 0
	for _, v := range r.subj.There.Versions {
		if v.Number == r.base.Number {
			continue
		}
		numbers = append(numbers, strconv.Itoa(v.Number))
		if v.Stable {
			last = v.Number
		}
	}
	there := "there is no earlier version"
	switch len(numbers) {
	case 0:
	case 1:
		there = "there is version " + numbers[0]
	default:
		there = "there are versions " + strings.Join(numbers, ", ")
	}
	switch {
	case r.opts.To == r.base.Number, r.restored():
		return r.base.Number, nil
	case r.opts.To == 0 && last == 0 && len(numbers) > 0:
		return 0, r.subj.Errorf(outcome.NotFound, "no earlier version is known to have run well; %s: give the number of one", there)
	case r.opts.To == 0 && last == 0:
		return 0, r.subj.Errorf(outcome.NotFound, "%s", there)
	case r.opts.To == 0:
		return last, nil
	}
	for _, v := range r.subj.There.Versions {
		if v.Number == r.opts.To {
			return v.Number, nil
		}
	}
	return 0, r.subj.Errorf(outcome.NotFound, "it has no version %d in its history; %s", r.opts.To, there)
}

// restored says that what runs is the version asked for: an earlier rollback,
// maybe this very command, has put it in place.
func (r *rollback) restored() bool {
	return r.opts.To != 0 && r.opts.To == r.base.Restores && r.base.Stable && r.opts.State == ""
}

// decide makes the target of the version to go back to.
func (r *rollback) decide(ctx context.Context, source int) error {
	v, err := r.cl.State.Content(ctx, r.name, r.versionOf(source))
	if err != nil {
		return err
	}
	paused, err := r.pausedNow(ctx)
	if err != nil {
		return err
	}
	at := time.Now()
	if r.died() {
		at = r.subj.There.Pending.Intent.SubmittedAt
	}
	v.Number, v.Previous, v.Restores = r.base.Number+1, r.base.Number, source
	v.Operation, v.Stable, v.Checkpoints = statemgr.OperationRollback, false, nil
	v.By, v.Via = r.cl.Settings.User, statemgr.Via(r.cl.Settings.Via)
	v.At, v.PausedBefore = at.UTC().Truncate(time.Second), paused
	if v.Definition, err = inState(v.Definition, paused); err != nil {
		return err
	}
	r.target = v
	r.state, err = r.decideState(ctx, r.opts.State)
	r.baseGood = r.good(ctx)
	if !r.recorded {
		r.base.Stable = r.baseGood
	}
	return err
}

// versionOf is a version of the history, by its number.
func (r *rollback) versionOf(number int) statemgr.Version {
	for _, v := range r.subj.There.Versions {
		if v.Number == number {
			return v
		}
	}
	return statemgr.Version{Number: number}
}

// check refuses what can be known to fail: the package is gone, its job could
// not be made again.
func (r *rollback) check(ctx context.Context) error {
	of, err := r.clusterOf(r.target)
	if err != nil {
		return err
	}
	fetch, err := fetchURI(ctx, of, r.name, r.target)
	if err != nil {
		return err
	}
	if _, err := jobspec.Restore(r.target.Job, fetch, r.cl.Settings.Nomad.DockerAuth); err != nil {
		return err
	}
	r.pkgAction, r.pkg = "check", cluster.PackageOf(r.target)
	r.get = func(context.Context) (string, error) { return fetch, nil }
	return r.checkRights(ctx)
}

// intent is what this rollback is about to do.
func (r *rollback) intent() statemgr.Intent {
	i := r.subj.Intent(steps()...)
	i.TopologyID, i.SubmittedAt = r.target.Deployment.TopologyID, r.target.At
	i.Request = request(r.target.Restores, r.opts.State)
	i.Makes, i.Base = r.target.Number, r.base.Number
	return i
}

// result is what runs now.
func (r *rollback) result(v statemgr.Version, state string) *RolledBack {
	done := &RolledBack{
		Topology: r.name, ID: v.Deployment.TopologyID, Number: v.Number, Restores: v.Restores, Previous: v.Previous,
		Job: r.jobID(), Containers: v.Containers, State: state,
	}
	if def, err := inState(v.Definition, true); err == nil {
		done.Paused = string(def) == string(v.Definition)
	}
	return done
}

// finish does what a rollback had not done that died when its version was good.
func (r *rollback) finish(ctx context.Context) (*RolledBack, error) {
	s, err := r.settleDead(ctx)
	if err != nil {
		return nil, err
	}
	result := r.result(r.base, "")
	result.Changed, result.Removed, result.Kept = true, s.Removed, s.Kept
	result.Rollout = r.cl.Rollout(ctx, r.jobID())
	return result, nil
}

// tookBack waits for what ran before an operation that died, and runs again.
func (r *rollback) tookBack(ctx context.Context) (*RolledBack, error) {
	result := r.result(r.base, "")
	result.Restores, result.Previous, result.Changed, result.TookBack = 0, 0, true, true
	result.Paused = r.target.PausedBefore
	err := r.cl.AwaitRunning(ctx, cluster.Running{
		Name: r.name, ID: r.base.Deployment.TopologyID, JobID: r.jobID(), Containers: r.base.Containers,
		Limit: r.opts.Wait.Limit, StableFor: r.opts.Wait.StableFor,
	})
	if err != nil {
		return nil, r.subj.Errorf(outcome.WaitExpired, "version %d is in place again, but does not run: %w", r.base.Number, err)
	}
	result.Rollout = r.cl.Rollout(ctx, r.jobID())
	return result, nil
}
