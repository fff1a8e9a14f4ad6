package logs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/heronshell"
	"github.com/heron-nomad/heron/internal/nearest"
	"github.com/heron-nomad/heron/internal/nomad"
	"github.com/heron-nomad/heron/internal/nomad/jobspec"
	"github.com/heron-nomad/heron/internal/outcome"
)

// Nomad is what is needed of Nomad besides cluster.Jobs; *nomad.Client has the
// contracts.
type Nomad interface {
	ContainersSince(ctx context.Context, jobID string, index uint64) ([]nomad.Container, uint64, error)
	Files(ctx context.Context, allocation, path string) ([]nomad.File, error)
	ReadFile(ctx context.Context, allocation, path string, offset, limit int64) ([]byte, error)
	PortAddress(ctx context.Context, allocation, label string) (string, error)
}

// Shell is what is needed of heron-shell; *heronshell.Client has the
// contracts.
type Shell interface {
	Files(ctx context.Context, at, folder string) ([]heronshell.File, error)
	Text(ctx context.Context, at, file string, offset, length int64) (string, error)
}

// Servers are those that logs are read from.
type Servers struct {
	Cluster cluster.Cluster
	Nomad   Nomad
	Shell   Shell
}

// reader reads the logs of one topology.
type reader struct {
	Servers
	name    string
	options Options
	sink    Sink
	// marker is the sink, if that wants bookmarks.
	marker Marker
	// jobs are the topology's, by id: one, or the original client's, which have
	// one each per container.
	jobs map[string]job
}

// job is where the logs of a job's containers are.
type job struct {
	id, task string
	// index is the container's of an original client's job, -1 for one of ours.
	index int
	// workingDir is as the start script gets it.
	workingDir string
	docker     bool
}

// Show shows the logs of a topology, and with Options.Follow goes on until the
// topology has ended, which is no error. A topology, container, component or
// file that is not there is an error of kind outcome.NotFound. Where only some
// logs can be read, those are shown, and the error tells of the others.
func Show(ctx context.Context, servers Servers, name string, o Options, sink Sink) error {
	if err := o.check(); err != nil {
		return err
	}
	r := &reader{Servers: servers, name: name, options: o, sink: sink}
	r.marker, _ = sink.(Marker)
	one, err := r.look(ctx)
	if o.Follow && o.From != nil && outcome.KindOf(err) == outcome.NotFound {
		return nil // it has ended meanwhile, and is removed
	}
	if err != nil {
		return err
	}
	sink.Begin(one)
	if o.Follow {
		return r.follow(ctx)
	}
	return r.show(ctx)
}

// look finds the topology's jobs, and says whether only one log is asked for.
func (r *reader) look(ctx context.Context) (one bool, err error) {
	t, err := r.Cluster.Look(ctx, r.name, cluster.Scope{Job: true, Check: func(t *cluster.Topology) error { return t.CheckPlace(r.Cluster.Settings) }})
	if err != nil {
		return false, err
	}
	settings := r.Cluster.Settings
	r.jobs = map[string]job{}
	if t.Job != nil && jobspec.CheckMarks(t.Job, settings) == nil {
		r.add(t.Job, -1)
	} else if t.ExecutionState.Known() {
		if t, err = r.Cluster.Look(ctx, r.name, cluster.Scope{Originals: true}); err != nil {
			return false, err
		}
		for _, original := range t.Originals {
			index, ok := jobspec.OriginalIndex(*original.ID, original.Meta[jobspec.MetaTopologyID])
			if !ok {
				index = -1
			}
			r.add(original, index)
		}
	}
	if len(r.jobs) == 0 {
		return false, outcome.Errorf(outcome.NotFound, "no topology %q in cluster %s: it has no job at %s", r.name, settings.Cluster, settings.Nomad.Address)
	}
	return r.checkNames(t)
}

// checkNames refuses containers and components that the packing plan does not
// have.
func (r *reader) checkNames(t *cluster.Topology) (one bool, err error) {
	o := r.options
	one = o.Container != nil && (o.Stream != "" || o.File != "")
	if !t.PackingPlan.Known() {
		return one, nil
	}
	plan := t.PackingPlan.Value.GetContainerPlans()
	if o.Container != nil && *o.Container > len(plan) {
		return false, outcome.Errorf(outcome.NotFound, "topology %s has no container %d; it has 0 to %d", r.name, *o.Container, len(plan))
	}
	if o.Component == "" {
		return one, nil
	}
	instances := map[string]int{}
	for _, c := range plan {
		for _, i := range c.GetInstancePlans() {
			instances[i.GetComponentName()] += 0
			if o.Container == nil || int(c.GetId()) == *o.Container {
				instances[i.GetComponentName()]++
			}
		}
	}
	here, known := instances[o.Component]
	if !known {
		names := slices.Sorted(maps.Keys(instances))
		hint := "it has " + strings.Join(names, ", ")
		if near, changes := nearest.Name(o.Component, slices.Values(names)); near != "" && changes <= 2 {
			hint = "did you mean " + near + "?"
		}
		return false, outcome.Errorf(outcome.NotFound, "topology %s has no component %q; %s", r.name, o.Component, hint)
	}
	if here == 0 && !o.Follow {
		return false, outcome.Errorf(outcome.NotFound, "container %d of topology %s has no instance of %s", *o.Container, r.name, o.Component)
	}
	return here == 1, nil
}

// add notes a job.
func (r *reader) add(j *api.Job, index int) {
	found := job{id: *j.ID, index: index}
	for _, group := range j.TaskGroups {
		for _, task := range group.Tasks {
			found.task, found.docker, found.workingDir = task.Name, task.Driver == "docker", task.Env[jobspec.EnvWorkingDir]
		}
	}
	r.jobs[found.id] = found
}

// folder is where the logs of a container are. A working directory below the
// task's folder is read through Nomad, which can do so while the container
// does not run, too.
func (r *reader) folder(j job, c nomad.Container) folder {
	if r.options.Stream != "" {
		return nomadFolder{nomad: r.Nomad, allocation: c.ID}
	}
	for _, variable := range []string{"${NOMAD_TASK_DIR}", "$NOMAD_TASK_DIR"} {
		if below, ok := strings.CutPrefix(j.workingDir, variable+"/"); ok {
			below = strings.ReplaceAll(below, "${NOMAD_ALLOC_INDEX}", fmt.Sprint(c.Index))
			return nomadFolder{nomad: r.Nomad, allocation: c.ID, root: j.task + "/local/" + below}
		}
	}
	return &shellFolder{nomad: r.Nomad, shell: r.Shell, allocation: c.ID}
}

// containers lists the containers of all jobs, of which Nomad has not
// forgotten the allocations.
func (r *reader) containers(ctx context.Context) ([]nomad.Container, error) {
	var all []nomad.Container
	for _, id := range slices.Sorted(maps.Keys(r.jobs)) {
		list, _, err := r.Nomad.ContainersSince(ctx, id, 0)
		if err != nil {
			return nil, err
		}
		all = append(all, r.indexed(r.jobs[id], list)...)
	}
	return all, nil
}

// indexed gives the containers of an original client's job their index.
func (r *reader) indexed(j job, list []nomad.Container) []nomad.Container {
	if j.index >= 0 {
		for i := range list {
			list[i].Index = j.index
		}
	}
	return list
}

// selected are the containers to begin with: of each index that is asked for
// those that run, and where none does the last one.
func (r *reader) selected(list []nomad.Container) []nomad.Container {
	byIndex := map[int][]nomad.Container{}
	for _, c := range list {
		if r.wanted(c) {
			byIndex[c.Index] = append(byIndex[c.Index], c)
		}
	}
	var out []nomad.Container
	for _, index := range slices.Sorted(maps.Keys(byIndex)) {
		all := byIndex[index]
		live := slices.DeleteFunc(slices.Clone(all), func(c nomad.Container) bool { return !c.Live() })
		if len(live) == 0 {
			live = all[len(all)-1:]
		}
		out = append(out, live...)
	}
	return out
}

func (r *reader) wanted(c nomad.Container) bool {
	return c.Index >= 0 && (r.options.Container == nil || c.Index == *r.options.Container)
}

// container prepares the reading of an allocation.
func (r *reader) container(c nomad.Container, fresh bool, out func(block) error) *container {
	j := r.jobs[c.JobID]
	one := &container{
		options: r.options, index: c.Index, allocation: c.ID, task: j.task, folder: r.folder(j, c), fresh: fresh, out: out,
		marking: r.marker != nil,
		lost: func(log string) {
			r.warn(c, fmt.Sprintf("log %s was replaced before its end was read; lines may be missing", log), nil)
		},
	}
	if mark, ok := r.options.From[c.ID]; ok {
		one.restore(mark)
	}
	return one
}

// warn tells of a container whose logs cannot be read.
func (r *reader) warn(c nomad.Container, text string, err error) {
	r.Cluster.Progress.Warn("logs", outcome.Resource{Kind: outcome.Containers, ID: fmt.Sprintf("container %d", c.Index)}, text, err)
}

// unreadable is the error about a container whose logs cannot be read.
func unreadable(c nomad.Container, err error) error {
	id, _, _ := strings.Cut(c.ID, "-")
	if !c.Live() && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("read the logs of container %d (allocation %s, which has ended): %w", c.Index, id, err)
	}
	return fmt.Errorf("read the logs of container %d (allocation %s): %w", c.Index, id, err)
}
