package jobspec

import (
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/conf"
)

// place says where the containers of a job may and should be.
func (s Spec) place(job *api.Job) {
	n := s.Settings.Nomad
	setText(&job.Region, n.Region)
	setText(&job.Namespace, n.Namespace)
	setText(&job.NodePool, n.Place.NodePool)
	if n.Place.Priority != 0 {
		job.Priority = ptr(n.Place.Priority)
	}
	for _, c := range n.Place.Constraints {
		job.Constraints = append(job.Constraints, api.NewConstraint(c.Attribute, c.Operator, c.Value))
	}
	if len(s.PackageNodes) > 0 {
		job.Constraints = append(job.Constraints, api.NewConstraint("${node.unique.id}", api.ConstraintSetContainsAny, strings.Join(s.PackageNodes, ",")))
	}
	for _, a := range n.Place.Affinities {
		job.Affinities = append(job.Affinities, api.NewAffinity(a.Attribute, a.Operator, a.Value, int8(a.Weight))) //nolint:gosec // at most 100
	}
	for _, spread := range n.Place.Spreads {
		var targets []*api.SpreadTarget
		for _, t := range spread.Targets {
			targets = append(targets, api.NewSpreadTarget(t.Value, uint8(t.Percent))) //nolint:gosec // at most 100
		}
		job.Spreads = append(job.Spreads, api.NewSpread(spread.Attribute, int8(spread.Weight), targets)) //nolint:gosec // at most 100
	}
}

func setText(field **string, text string) {
	if text != "" {
		*field = ptr(text)
	}
}

// blocks are the restart, reschedule, update and logs blocks: those of the
// settings, or the default where the settings have none of them.
func (s Spec) blocks() conf.NomadPolicy {
	if p := s.Settings.Nomad.Policy; p != (conf.NomadPolicy{}) {
		return p
	}
	return conf.DefaultNomadPolicy()
}

func updateStrategy(p conf.UpdatePolicy) *api.UpdateStrategy {
	return &api.UpdateStrategy{
		MaxParallel:      ptr(p.MaxParallel),
		HealthCheck:      ptr(p.HealthCheck),
		MinHealthyTime:   ptr(p.MinHealthyTime),
		HealthyDeadline:  ptr(p.HealthyDeadline),
		ProgressDeadline: ptr(p.ProgressDeadline),
		AutoRevert:       ptr(p.AutoRevert),
		AutoPromote:      ptr(false),
		Canary:           ptr(0),
	}
}

func restartPolicy(p conf.RestartPolicy) *api.RestartPolicy {
	return &api.RestartPolicy{
		Attempts: ptr(p.Attempts),
		Interval: ptr(p.Interval),
		Delay:    ptr(p.Delay),
		Mode:     ptr(p.Mode),
	}
}

func reschedulePolicy(p conf.ReschedulePolicy) *api.ReschedulePolicy {
	return &api.ReschedulePolicy{
		Attempts:      ptr(p.Attempts),
		Interval:      ptr(p.Interval),
		Delay:         ptr(p.Delay),
		DelayFunction: ptr(p.DelayFunction),
		MaxDelay:      ptr(p.MaxDelay),
		Unlimited:     ptr(p.Unlimited),
	}
}

// Nomad's defaults for the disk of a container and the part of it that its
// output may take.
const (
	defaultDiskMB   = 300
	defaultLogFiles = 10
	defaultLogMB    = 10
)

// logs bounds the output of a container, nil for Nomad's default.
func (s Spec) logs() *api.LogConfig {
	p := s.blocks().Logs
	if p == (conf.LogPolicy{}) {
		return nil
	}
	c := &api.LogConfig{MaxFiles: ptr(defaultLogFiles), MaxFileSizeMB: ptr(defaultLogMB)}
	if p.MaxFiles != 0 {
		c.MaxFiles = ptr(p.MaxFiles)
	}
	if p.MaxFileSize != 0 {
		c.MaxFileSizeMB = ptr(int(p.MaxFileSize >> 20))
	}
	return c
}

// disk is what a container reserves, nil for Nomad's default. Nomad refuses
// logs that do not fit in, so there is always as much room beside them as by
// default.
func (s Spec) disk() (*api.EphemeralDisk, error) {
	size, logs := defaultDiskMB, defaultLogFiles*defaultLogMB
	if s.Settings.Nomad.RequestDisk {
		var err error
		if size, err = megabytes("disk", s.Plan.Max().Disk); err != nil {
			return nil, err
		}
	}
	if l := s.logs(); l != nil {
		logs = *l.MaxFiles * *l.MaxFileSizeMB
	}
	if room := defaultDiskMB - defaultLogFiles*defaultLogMB; s.logs() != nil && size < logs+room {
		size = logs + room
	}
	if size == defaultDiskMB && !s.Settings.Nomad.RequestDisk {
		return nil, nil
	}
	return &api.EphemeralDisk{SizeMB: ptr(size)}, nil
}

// memoryMax is how much a container may use of memory that it did not
// reserve, nil for none.
func (s Spec) memoryMax(memory int) *int {
	percent := s.Settings.Nomad.MemoryMaxPercent
	if percent == 0 {
		return nil
	}
	return ptr(int(int64(memory) * int64(percent) / 100))
}

// extraEnv adds the variables that the configuration wants. None of Heron's
// own may change: the start script goes by them.
func (s Spec) extraEnv(env map[string]string) error {
	extra := s.Settings.Nomad.Variables
	for _, name := range slices.Sorted(maps.Keys(extra)) {
		if _, taken := env[name]; taken {
			return badInput("heron.nomad.env", "sets %s, which is Heron's own; use another name", name)
		}
		env[name] = extra[name]
	}
	return nil
}
