package inspect

import (
	"strings"
	"testing"
	"time"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/heronpb"
	"github.com/heron-nomad/heron/internal/nomad"

	"google.golang.org/protobuf/proto"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// up is a container that runs.
func up(index int) nomad.Container {
	return nomad.Container{
		Index: index, ID: "a" + string(rune('0'+index)), Node: "n1", Desired: "run", Status: "running", Event: "Task started by client",
		EventAt: noon.Add(-time.Hour), Created: 10,
	}
}

// but is a container that differs from one that runs.
func but(index int, change func(*nomad.Container)) nomad.Container {
	c := up(index)
	change(&c)
	return c
}

// plan has a stream manager for each of these containers.
func plan(state heronpb.TopologyState, containers ...string) *heronpb.PhysicalPlan {
	p := &heronpb.PhysicalPlan{Topology: &heronpb.Topology{Id: proto.String("wc1"), State: &state}}
	for i, c := range containers {
		p.Stmgrs = append(p.Stmgrs, &heronpb.StMgr{Id: proto.String("stmgr-" + c), DataPort: proto.Int32(int32(7000 + i)), ShellPort: proto.Int32(int32(8000 + i))})
	}
	return p
}

// packed is a plan of two containers.
func packed() *heronpb.PackingPlan {
	return &heronpb.PackingPlan{ContainerPlans: []*heronpb.ContainerPlan{{Id: proto.Int32(1)}, {Id: proto.Int32(2)}}}
}

func TestHealth(t *testing.T) {
	all := []nomad.Container{up(0), up(1), up(2)}
	good := func() *Status {
		return &Status{Topology: "wc", ID: "wc1", State: "RUNNING", Wanted: 3, Job: &Job{ID: "heron.nomad.wc"}, TManager: TManager{Answer: AnswerComplete}}
	}
	running, paused := heronpb.TopologyState_RUNNING, heronpb.TopologyState_PAUSED
	for what, c := range map[string]struct {
		list   []nomad.Container
		plan   *heronpb.PhysicalPlan
		change func(*Status)
		want   Health
		says   string
	}{
		"all is well":       {all, plan(running, "1", "2"), nil, Healthy, "all 3 containers run"},
		"paused":            {all, plan(paused, "1", "2"), nil, Paused, "deactivated"},
		"no one was asked":  {all, plan(running, "1", "2"), func(s *Status) { s.TManager.Answer = AnswerUnasked }, Healthy, ""},
		"no job":            {nil, nil, func(s *Status) { s.Job = nil }, Failed, "no job in Nomad"},
		"another's job":     {nil, nil, func(s *Status) { s.Job.Foreign = "not ours" }, Failed, "not its own: not ours"},
		"stopped":           {nil, nil, func(s *Status) { s.Job.Stopped = true }, Failed, "its job is stopped"},
		"still stopping":    {all, nil, func(s *Status) { s.Job.Stopped = true }, Stopping, "3 containers have not ended"},
		"no packing plan":   {all, nil, func(s *Status) { s.Wanted = 0 }, Unknown, "packing plan"},
		"being killed":      {all, plan(running, "1", "2"), func(s *Status) { s.Operation = &Operation{Name: "kill", Alive: true} }, Stopping, "is under way; 3 of 3"},
		"a kill died":       {nil, nil, func(s *Status) { s.Job, s.Operation = nil, &Operation{Name: "kill", Step: "state"} }, Stopping, `died at step "state"`},
		"being submitted":   {nil, nil, func(s *Status) { s.Job, s.Operation = nil, &Operation{Name: "submit", Alive: true} }, Starting, "is under way"},
		"a submit died":     {nil, nil, func(s *Status) { s.Job, s.Operation = nil, &Operation{Name: "submit"} }, Failed, "no job"},
		"restart under way": {all, plan(running, "1", "2"), func(s *Status) { s.Operation = &Operation{Name: "restart", Alive: true} }, Healthy, ""},
		"not placed yet":    {nil, nil, nil, Starting, "0 of 3 containers run: containers 0-2 not running yet"},
		"no place":          {all[:2], nil, func(s *Status) { s.Unplaced = []string{"no place for 1 container: not enough memory on 1 node"} }, Degraded, "2 of 3 containers run: no place"},
		"no place for any":  {nil, nil, func(s *Status) { s.Unplaced = []string{"no place for 3 containers"} }, Failed, "0 of 3"},
		"one starts": {[]nomad.Container{up(0), up(1), but(2, func(c *nomad.Container) { c.Status, c.Event = "pending", "its node has received it" })}, nil, nil,
			Starting, "2 of 3 containers run: container 2 not running yet: its node has received it"},
		"one fails": {[]nomad.Container{up(0), up(1), but(2, func(c *nomad.Container) { c.Status, c.Failure = "failed", "failed: exit code 1" })}, nil, nil,
			Degraded, "container 2 failed: exit code 1"},
		"one fails once more": {[]nomad.Container{up(0), up(1), but(2, func(c *nomad.Container) { c.Status, c.Desired, c.Failure = "failed", "stop", "failed: exit code 1" }),
			but(2, func(c *nomad.Container) { c.ID, c.Status = "b2", "pending" })}, nil, nil, Degraded, "container 2 failed: exit code 1"},
		"a new version is placed": {[]nomad.Container{up(0), up(1), but(2, func(c *nomad.Container) { c.Status, c.Desired, c.Failure = "failed", "stop", "failed: exit code 1" }),
			but(2, func(c *nomad.Container) { c.ID, c.Status, c.JobVersion = "b2", "pending", 1 })}, nil, nil, Starting, "container 2 not running yet"},
		"all fail": {[]nomad.Container{
			but(0, func(c *nomad.Container) { c.Status, c.Failure = "failed", "failed: exit code 1" }), but(1, func(c *nomad.Container) { c.Status, c.Failure = "failed", "failed: exit code 1" }),
		}, nil, nil, Failed, "containers 0-1 failed: exit code 1"},
		"its node is gone":  {[]nomad.Container{up(0), up(1), but(2, func(c *nomad.Container) { c.Status = "unknown" })}, nil, nil, Degraded, "the node of container 2 is gone"},
		"one twice":         {append([]nomad.Container{but(2, func(c *nomad.Container) { c.ID = "other" })}, all...), plan(running, "1", "2"), nil, Degraded, "more than once 2"},
		"one too many":      {append([]nomad.Container{up(3)}, all...), plan(running, "1", "2"), nil, Degraded, "not in the plan 3"},
		"one being stopped": {append([]nomad.Container{but(3, func(c *nomad.Container) { c.Desired = "stop" })}, all...), plan(running, "1", "2"), nil, Healthy, ""},
		"no TManager yet":   {all, nil, func(s *Status) { s.TManager.Answer = AnswerAbsent }, Degraded, "no TManager is registered yet, 1h0m0s after"},
		"plan not complete": {all, plan(running, "1", "2"), func(s *Status) { s.TManager.Answer = AnswerIncomplete }, Degraded, "no complete physical plan"},
		"plan too small":    {all, plan(running, "1"), nil, Degraded, "no stream manager of container 2"},
		"no physical plan":  {all, nil, nil, Degraded, "no physical plan yet"},
		"out of reach":      {all, plan(running, "1", "2"), func(s *Status) { s.TManager.Answer, s.TManager.Error = AnswerUnreachable, "no route" }, Unknown, "does not answer: no route"},
	} {
		s := good()
		if c.change != nil {
			c.change(s)
		}
		s.setContainers(c.list, func(nomad.Container) string { return "wc1" })
		s.setPlans(packed(), c.plan, nil)
		if got, why := judge(s, noon); got != c.want || !strings.Contains(why, c.says) {
			t.Errorf("%s: %s, %q; want %s, %q", what, got, why, c.want, c.says)
		}
	}

	s := good()
	s.TManager.Answer = AnswerAbsent
	for i := range all {
		all[i].EventAt = noon.Add(-time.Second)
	}
	s.setContainers(all, func(nomad.Container) string { return "wc1" })
	s.setPlans(packed(), nil, nil)
	if got, why := judge(s, noon); got != Starting {
		t.Errorf("just begun: %s, %q", got, why)
	}
}

func TestRows(t *testing.T) {
	s := &Status{ID: "wc1", Wanted: 4}
	s.setContainers([]nomad.Container{
		up(0),
		but(1, func(c *nomad.Container) { c.ID, c.Status, c.Desired = "old", "complete", "stop" }), up(1),
		but(2, func(c *nomad.Container) { c.Status, c.Failure = "failed", "failed: exit code 1" }),
		but(7, func(c *nomad.Container) { c.Status, c.Desired = "complete", "stop" }),
		but(8, func(c *nomad.Container) { c.Desired = "stop" }),
	}, func(nomad.Container) string { return "wc0" })
	s.setPlans(packed(), plan(heronpb.TopologyState_RUNNING, "1", "2"), &heronpb.TManagerLocation{ControllerPort: proto.Int32(6001), ServerPort: proto.Int32(6000)})
	want := []struct {
		index, replaced, ports int
		state                  string
	}{{0, 0, 2, "running"}, {1, 1, 2, "running"}, {2, 0, 0, "failed"}, {3, 0, 0, "missing"}, {8, 0, 0, "stopping"}}
	if len(s.Containers) != len(want) {
		t.Fatalf("%+v", s.Containers)
	}
	for i, w := range want {
		if c := s.Containers[i]; c.Index != w.index || c.Replaced != w.replaced || c.State != w.state || len(c.Ports) != w.ports {
			t.Errorf("%+v, want %+v", c, w)
		}
	}
	if s.Running != 2 || s.Live != 3 || cluster.Ranges(s.Indexes.Missing) != "2-3" || len(s.Indexes.Foreign) != 2 {
		t.Errorf("%+v", s)
	}
}

func TestSummaryHealth(t *testing.T) {
	full := jobCounts{There: true, Running: 3}
	for what, c := range map[string]struct {
		s    Summary
		want Health
	}{
		"all is well":         {Summary{State: "RUNNING", Wanted: 3, physical: true, jobs: full}, Healthy},
		"paused":              {Summary{State: "PAUSED", Wanted: 3, physical: true, jobs: full}, Paused},
		"no physical plan":    {Summary{State: "RUNNING", Wanted: 3, jobs: full}, Starting},
		"part of it":          {Summary{Wanted: 4, physical: true, jobs: full}, Degraded},
		"starts":              {Summary{Wanted: 4, jobs: jobCounts{There: true, Running: 3, Starting: 1}}, Starting},
		"waits for nodes":     {Summary{Wanted: 4, jobs: jobCounts{There: true, Queued: 4}}, Starting},
		"nothing runs":        {Summary{Wanted: 4, jobs: jobCounts{There: true}}, Failed},
		"more than it should": {Summary{Wanted: 2, physical: true, jobs: full}, Degraded},
		"no job":              {Summary{Wanted: 3}, Failed},
		"stopped":             {Summary{Wanted: 3, jobs: jobCounts{There: true, Stopped: true}}, Failed},
		"stopping":            {Summary{Wanted: 3, jobs: jobCounts{There: true, Stopped: true, Running: 1}}, Stopping},
		"being killed":        {Summary{Wanted: 3, jobs: full, Operation: &Operation{Name: "kill"}}, Stopping},
		"being submitted":     {Summary{Operation: &Operation{Name: "submit", Alive: true}}, Starting},
		"unreadable":          {Summary{broken: "not a plan"}, Unknown},
		"a job without state": {Summary{broken: "no state", jobs: full}, Failed},
	} {
		if got, why := judgeSummary(&c.s); got != c.want || why == "" {
			t.Errorf("%s: %s, %q; want %s", what, got, why, c.want)
		}
	}
}
