package jobspec

import (
	"math"
	"strings"
	"time"
	"unicode"

	"github.com/hashicorp/nomad/api"
)

// Build makes the one job of a topology: a group whose count is the number of
// containers plus one, because index 0 is the TManager's. Equal input gives
// equal jobs, and equal bytes as JSON. Input that no job can be made of is
// reported as an *InputError.
func Build(s Spec) (*api.Job, error) {
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
	job := &api.Job{
		ID:          ptr(id),
		Name:        ptr(s.Definition.Name()),
		Type:        ptr(api.JobTypeService),
		Datacenters: s.Settings.Nomad.Datacenters,
		Meta:        s.meta(),
		TaskGroups:  []*api.TaskGroup{group},
	}
	s.place(job)
	return job, nil
}

func (s Spec) group() (*api.TaskGroup, error) {
	task, err := s.task()
	if err != nil {
		return nil, err
	}
	disk, err := s.disk()
	if err != nil {
		return nil, err
	}
	blocks := s.blocks()
	return &api.TaskGroup{
		Name:             ptr(GroupName),
		Count:            ptr(len(s.Plan.Containers) + 1),
		Networks:         []*api.NetworkResource{s.network()},
		Tasks:            []*api.Task{task},
		Update:           updateStrategy(blocks.Update),
		RestartPolicy:    restartPolicy(blocks.Restart),
		ReschedulePolicy: reschedulePolicy(blocks.Reschedule),
		EphemeralDisk:    disk,
		Disconnect:       disconnect(s.Settings.Nomad.DisconnectStop),
	}, nil
}

// disconnect has a node that lost Nomad end its containers, nil for not. Nomad
// starts them elsewhere, and two executors of one index must not work.
func disconnect(after time.Duration) *api.DisconnectStrategy {
	if after == 0 {
		return nil
	}
	return &api.DisconnectStrategy{StopOnClientAfter: ptr(after)}
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
	return &api.Resources{CPU: ptr(int(cpu)), MemoryMB: ptr(memory), MemoryMaxMB: s.memoryMax(memory)}, nil
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
