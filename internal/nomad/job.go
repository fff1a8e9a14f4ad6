package nomad

import (
	"math"
	"strings"
	"time"
	"unicode"

	"github.com/hashicorp/nomad/api"
)

// BuildJob makes the one job of a topology: a group whose count is the
// number of containers and one more, for index 0 is the TManager's. It is
// pure; equal input gives equal jobs, and equal bytes as JSON. What cannot be
// made a job of is an *InputError.
func BuildJob(s Spec) (*api.Job, error) {
	id := JobID(s.Settings.Cluster, s.Definition.Name())
	if strings.ContainsFunc(id, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) {
		return nil, badInput("the job's id "+id, "has a space or control character, which Nomad refuses; change the cluster or topology name")
	}
	if len(s.Plan.Containers) == 0 {
		return nil, badInput("the packing plan of "+s.Definition.Name(), "has no container")
	}
	group, err := s.group()
	if err != nil {
		return nil, err
	}
	return &api.Job{
		ID:          ptr(id),
		Name:        ptr(s.Definition.Name()),
		Type:        ptr(api.JobTypeService),
		Datacenters: s.Settings.Nomad.Datacenters,
		Meta:        s.meta(),
		TaskGroups:  []*api.TaskGroup{group},
	}, nil
}

func (s Spec) group() (*api.TaskGroup, error) {
	task, err := s.task()
	if err != nil {
		return nil, err
	}
	g := &api.TaskGroup{
		Name:             ptr(GroupName),
		Count:            ptr(len(s.Plan.Containers) + 1),
		Networks:         []*api.NetworkResource{s.network()},
		Tasks:            []*api.Task{task},
		Update:           updatePolicy(),
		RestartPolicy:    restartPolicy(),
		ReschedulePolicy: reschedulePolicy(),
	}
	if s.Settings.Nomad.RequestDisk {
		disk, err := megabytes("disk", s.Plan.Max().Disk)
		if err != nil {
			return nil, err
		}
		g.EphemeralDisk = &api.EphemeralDisk{SizeMB: ptr(disk)}
	}
	return g, nil
}

// resources gives every container what the largest of the plan needs: the
// containers of a group are alike.
func (s Spec) resources() (*api.Resources, error) {
	m := s.Plan.Max()
	mapping := s.Settings.Nomad.MHzPerCore
	cpu := round(float64(mapping) * m.CPU)
	if !(cpu >= 1 && cpu <= math.MaxInt32) {
		return nil, badInput("the CPU of a container",
			"is %g cores of %d MHz, which Nomad cannot count; see heron.nomad.core.freq.mapping and topology.container.cpu", m.CPU, mapping)
	}
	memory, err := megabytes("ram", m.RAM)
	if err != nil {
		return nil, err
	}
	return &api.Resources{CPU: ptr(int(cpu)), MemoryMB: ptr(memory)}, nil
}

// round is to the nearest whole number, halves up, as the original rounds.
func round(x float64) float64 {
	whole := math.Floor(x)
	if x-whole >= 0.5 {
		whole++
	}
	return whole
}

// megabytes turns bytes into Nomad's unit, halves up.
func megabytes(what string, bytes int64) (int, error) {
	const mb = 1 << 20
	n := bytes / mb
	if bytes%mb >= mb/2 {
		n++
	}
	if n < 1 || n > math.MaxInt32 {
		return 0, badInput("the "+what+" of a container",
			"is %d bytes, %d MB; Nomad takes 1 to %d MB; see topology.container.%s", bytes, n, math.MaxInt32, what)
	}
	return int(n), nil
}

// updatePolicy changes containers one at a time: of two executors of one
// index, which can overlap while one ends, never more than one index is
// concerned. Health is that of the task, for checks need a Consul.
func updatePolicy() *api.UpdateStrategy {
	return &api.UpdateStrategy{
		MaxParallel:      ptr(1),
		HealthCheck:      ptr("task_states"),
		MinHealthyTime:   ptr(5 * time.Second),
		HealthyDeadline:  ptr(5 * time.Minute),
		ProgressDeadline: ptr(10 * time.Minute),
		AutoRevert:       ptr(false),
		AutoPromote:      ptr(false),
		Canary:           ptr(0),
	}
}

// restartPolicy tries an executor that ended a few times where it is, then
// leaves it to reschedulePolicy to find another node.
func restartPolicy() *api.RestartPolicy {
	return &api.RestartPolicy{
		Attempts: ptr(3),
		Interval: ptr(10 * time.Minute),
		Delay:    ptr(5 * time.Second),
		Mode:     ptr(api.RestartPolicyModeFail),
	}
}

// reschedulePolicy never gives a container up: a topology without one of its
// containers processes nothing.
func reschedulePolicy() *api.ReschedulePolicy {
	return &api.ReschedulePolicy{
		Attempts:      ptr(0),
		Interval:      ptr(time.Duration(0)),
		Delay:         ptr(5 * time.Second),
		DelayFunction: ptr("exponential"),
		MaxDelay:      ptr(5 * time.Minute),
		Unlimited:     ptr(true),
	}
}
