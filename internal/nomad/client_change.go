package nomad

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/outcome"
)

// SetCount changes how many containers a job has and nothing else of it, and
// returns the job as it is then. The job is given as it was read from Nomad.
// Where it has changed since, or changes in the same moment, the error wraps
// ErrConflict; where it is gone, ErrNotFound. A job that has this count already
// is returned as it is.
//
// Count and spec are never changed in one write: growth together with a changed
// spec gives two containers the same index.
func (c *Client) SetCount(ctx context.Context, job *api.Job, count int) (*api.Job, error) {
	if len(job.TaskGroups) != 1 {
		return nil, outcome.Errorf(outcome.Usage, "job %q has %d groups, so it is not a topology's", value(job.ID), len(job.TaskGroups))
	}
	if value(job.TaskGroups[0].Count) == count {
		return job, nil
	}
	next, group := *job, *job.TaskGroups[0]
	group.Count = &count
	next.TaskGroups = []*api.TaskGroup{&group}
	return c.change(ctx, job, &next)
}

// SetSpec changes everything of a job but its count to that of spec, which
// Nomad rolls out as spec's update strategy says, without canaries: they take
// indexes of their own. Its contract is that of SetCount, but for an equal
// spec: Nomad decides whether there is anything to roll out.
func (c *Client) SetSpec(ctx context.Context, job, spec *api.Job) (*api.Job, error) {
	if len(job.TaskGroups) != 1 || len(spec.TaskGroups) != 1 || value(job.ID) != value(spec.ID) {
		return nil, outcome.Errorf(outcome.Usage, "job %q cannot become job %q: each must be the same topology's", value(job.ID), value(spec.ID))
	}
	next, group := *spec, *spec.TaskGroups[0]
	group.Count = job.TaskGroups[0].Count
	if group.Update != nil {
		update := *group.Update
		update.Canary = new(0)
		group.Update = &update
	}
	next.TaskGroups = []*api.TaskGroup{&group}
	return c.change(ctx, job, &next)
}

// change writes next in the place of the stored job and reads back whether that
// is what is there: of two writes in the same moment Nomad takes both.
func (c *Client) change(ctx context.Context, stored, next *api.Job) (*api.Job, error) {
	id, index := value(stored.ID), value(stored.JobModifyIndex)
	what := fmt.Sprintf("change job %q", id)
	switch {
	case index == 0:
		return nil, outcome.Errorf(outcome.Usage, "%s: it was not read from Nomad, so this could create it", what)
	case value(stored.Stop):
		return nil, fmt.Errorf("%s: it is stopped: %w", what, ErrConflict)
	}
	p := c.repeats()
	for {
		_, err := c.Register(ctx, next, index)
		if err != nil && (!errors.Is(err, ErrConflict) && !errors.Is(err, ErrUnknownOutcome) || readBackFailed(err) || ctx.Err() != nil) {
			return nil, err
		}
		there, rerr := c.Job(ctx, id)
		switch {
		case errors.Is(rerr, ErrNotFound):
			return nil, fmt.Errorf("%s: %w", what, rerr)
		case rerr != nil:
			return nil, &lostError{write: errors.Join(fmt.Errorf("%s at %s", what, c.address), err), readBack: rerr}
		case !sameJob(there, stored) && !sameRun(there, next):
			return nil, fmt.Errorf("%s: %w", what, ErrConflict)
		case sameContent(there, next):
			// Also where the index is another one than it was answered: a request
			// that was sent again because the answer to the first one was late may
			// have come first.
			return there, nil
		case err == nil:
			return nil, fmt.Errorf("%s: Nomad took the change, but the job is another one now: %w", what, ErrConflict)
		case value(there.JobModifyIndex) != index:
			return nil, fmt.Errorf("%s: %w", what, ErrConflict)
		case errors.Is(err, ErrUnknownOutcome), !p.again(ctx, err):
			return nil, err
		}
	}
}

// sameContent says whether a job that was read back is the one that was sent, as
// far as containers see it.
func sameContent(there, sent *api.Job) bool {
	if !maps.Equal(there.Meta, sent.Meta) || value(there.Stop) != value(sent.Stop) || len(there.TaskGroups) != len(sent.TaskGroups) {
		return false
	}
	for i, group := range sent.TaskGroups {
		if value(group.Count) != value(there.TaskGroups[i].Count) || contentOf(group) != contentOf(there.TaskGroups[i]) {
			return false
		}
	}
	return true
}

// contentOf is what a group's tasks run, in one text. Passwords count as equal:
// they are not shown.
func contentOf(group *api.TaskGroup) string {
	type content struct {
		Name, Driver string
		Args         any
		Env          map[string]string
		CPU, Memory  int
	}
	var list []content
	for _, task := range group.Tasks {
		one := content{Name: task.Name, Driver: task.Driver, Args: task.Config["args"], Env: task.Env}
		if task.Resources != nil {
			one.CPU, one.Memory = value(task.Resources.CPU), value(task.Resources.MemoryMB)
		}
		list = append(list, one)
	}
	text, err := json.Marshal(list)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
