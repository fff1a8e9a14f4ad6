package jobspec

import (
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/packing"
)

// ramMapFlag is the executor's flag that depends on the packing plan.
const ramMapFlag = "--component-ram-map="

// Rescale is a topology's stored job as another packing plan needs it, and
// whether that changes what its containers run: only then do they have to be
// replaced. The count stays as it is, and so does everything that a plan does
// not decide: a changed configuration of the cluster is no part of it. Without
// sizes, the containers keep what they have been given.
func Rescale(job *api.Job, s *conf.Settings, plan *packing.Plan, sizes bool) (next *api.Job, changed bool, err error) {
	if len(job.TaskGroups) != 1 || len(job.TaskGroups[0].Tasks) != 1 || job.TaskGroups[0].Tasks[0].Resources == nil {
		return nil, false, badInput("job "+value(job.ID), "is not one of a topology: it has not one group with one task")
	}
	out, group, task := *job, *job.TaskGroups[0], *job.TaskGroups[0].Tasks[0]
	group.Tasks, out.TaskGroups = []*api.Task{&task}, []*api.TaskGroup{&group}
	changed = setRAMMap(&task, ramMapFlag+plan.ComponentRAM())
	if !sizes {
		return &out, changed, nil
	}
	spec := Spec{Settings: s, Plan: plan}
	needs, err := spec.resources()
	if err != nil {
		return nil, false, err
	}
	was, resources := task.Resources, *task.Resources
	resources.CPU, resources.MemoryMB, resources.MemoryMaxMB = needs.CPU, needs.MemoryMB, needs.MemoryMaxMB
	task.Resources = &resources
	changed = changed || value(was.CPU) != value(needs.CPU) || value(was.MemoryMB) != value(needs.MemoryMB)
	disk, err := spec.disk()
	if err != nil {
		return nil, false, err
	}
	if s.Nomad.RequestDisk && disk != nil && group.EphemeralDisk != nil {
		was, now := group.EphemeralDisk, *group.EphemeralDisk
		now.SizeMB, group.EphemeralDisk = disk.SizeMB, &now
		changed = changed || value(was.SizeMB) != value(disk.SizeMB)
	}
	return &out, changed, nil
}

// setRAMMap puts a flag with a RAM map in the place of the one that a task has,
// in its arguments and in the command line among its variables.
func setRAMMap(task *api.Task, flag string) (changed bool) {
	args := slices.Clone(texts(task.Config["args"]))
	at := slices.IndexFunc(args, func(arg string) bool { return strings.HasPrefix(arg, ramMapFlag) })
	if at < 0 || args[at] == flag {
		return false
	}
	was := args[at]
	args[at] = flag
	task.Config, task.Env = maps.Clone(task.Config), maps.Clone(task.Env)
	task.Config["args"] = args
	if command, ok := task.Env[envExecutor]; ok {
		task.Env[envExecutor] = strings.Replace(command, was, flag, 1)
	}
	return true
}
