package lifecycle

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/nomad/jobspec"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/subject"
)

// check refuses what cannot be restarted, and finds the containers. It changes
// nothing.
func (r *restarting) check(ctx context.Context) error {
	for _, check := range []func() error{r.CheckWhole, r.CheckPlan, r.CheckJobs, r.findContainers, r.findJobs, r.findDead} {
		if err := check(); err != nil {
			return err
		}
	}
	return r.CheckRights(ctx)
}

// findContainers finds the containers that the packing plan has of those asked
// for, container 0 first.
func (r *restarting) findContainers() error {
	if r.opts.Batch < 1 || r.opts.Batch > LargestBatch {
		return r.Errorf(outcome.Usage, "batches of %d containers; give a number from 1 to %d", r.opts.Batch, LargestBatch)
	}
	all, holders, components := []int{0}, []int{}, map[string]bool{}
	for _, c := range r.There.PackingPlan.Value.GetContainerPlans() {
		all = append(all, int(c.GetId()))
		for _, i := range c.GetInstancePlans() {
			components[i.GetComponentName()] = true
			if name := i.GetComponentName(); name == r.opts.Component && !slices.Contains(holders, int(c.GetId())) {
				holders = append(holders, int(c.GetId()))
			}
		}
	}
	slices.Sort(all)
	slices.Sort(holders)
	switch one := r.opts.Container; {
	case one != AllContainers && r.opts.Component != "":
		return r.Errorf(outcome.Usage, "give a container or a component, not both")
	case r.opts.Component != "" && len(holders) == 0:
		var names []string
		for name := range components {
			names = append(names, name)
		}
		slices.Sort(names)
		return r.Errorf(outcome.Usage, "it has no component %q; its components are %s", r.opts.Component, strings.Join(names, ", "))
	case r.opts.Component != "":
		r.list = holders
	case one == AllContainers:
		r.list = all
	case !slices.Contains(all, one):
		return r.Errorf(outcome.NotFound, "it has no container %d; its containers are %s", one, cluster.Ranges(all))
	default:
		r.list = []int{one}
	}
	return nil
}

// findJobs finds the jobs that hold the containers: the one of the topology's
// name, or those of the original client, one per container.
func (r *restarting) findJobs() error {
	add := func(job *api.Job, index int) error {
		if len(job.TaskGroups) != 1 || len(job.TaskGroups[0].Tasks) != 1 || job.TaskGroups[0].Count == nil {
			return r.Errorf(outcome.Differs, "job %s is not one of a topology: it must have one group of one task", *job.ID)
		}
		r.jobs = append(r.jobs, restartJob{id: *job.ID, task: job.TaskGroups[0].Tasks[0].Name, index: index})
		return nil
	}
	if r.There.Job != nil {
		return add(r.There.Job, -1)
	}
	for _, job := range r.There.Originals {
		index, ok := jobspec.OriginalIndex(*job.ID, r.ID())
		if !ok {
			return r.Errorf(outcome.Differs, "the id of job %s does not tell which container it is", *job.ID)
		}
		if err := add(job, index); err != nil {
			return err
		}
	}
	if r.opts.StableFor > 0 {
		return r.Errorf(outcome.Usage, "its jobs are of the original client, and it can only be waited for them to run, not to stay so")
	}
	return nil
}

// request is a digest of what is to be restarted. How is no part of it: a
// restart may be continued in other batches.
func (r *restarting) request() string {
	sum := sha256.Sum256([]byte(fmt.Sprintf("restart %s container %d component %q", r.ID(), r.opts.Container, r.opts.Component)))
	return hex.EncodeToString(sum[:])
}

// findDead continues an equal restart that died: the containers before the batch
// that it had reached are done.
func (r *restarting) findDead() error {
	var err error
	if r.dead, err = r.CheckDead(r.request()); err != nil || r.dead != subject.DeadEqual {
		return err
	}
	r.noted = r.There.Pending.Intent.Restart
	todo := []int{}
	for _, index := range r.list {
		_, maybe := r.noted.Before[index]
		if done := index < r.noted.Next; done || maybe {
			r.earlier = append(r.earlier, index)
			if done {
				continue
			}
		}
		todo = append(todo, index)
	}
	r.list = todo
	return nil
}
