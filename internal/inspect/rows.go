package inspect

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/heronpb"
	"github.com/heron-nomad/heron/internal/nomad"
)

// setContainers fills in everything about containers. ids gives the topology
// id of a version of a job, "" where that is not known.
func (s *Status) setContainers(list []nomad.Container, ids func(nomad.Container) string) {
	byIndex := map[int][]nomad.Container{}
	var placed []cluster.Placed
	running := map[int]bool{}
	for _, c := range list {
		byIndex[c.Index] = append(byIndex[c.Index], c)
		if c.Live() {
			s.Live++
		}
		if c.Live() && c.Desired == api.AllocDesiredStatusRun {
			placed = append(placed, cluster.Placed{Index: c.Index, Allocation: c.ID, TopologyID: ids(c)})
		}
		if c.Running() && c.Index >= 0 && c.Index < s.Wanted {
			running[c.Index] = true
		}
		if c.EventAt.After(s.newest) {
			s.newest = c.EventAt
		}
	}
	s.Running = len(running)
	s.Indexes = cluster.CheckIndexes(s.Wanted, s.ID, placed)
	s.Containers = make([]Container, 0, s.Wanted)
	for index := range s.Wanted {
		if len(byIndex[index]) == 0 {
			s.Containers = append(s.Containers, Container{Index: index, State: stateMissing})
		}
	}
	for index, all := range byIndex {
		s.Containers = append(s.Containers, rows(all, index >= 0 && index < s.Wanted)...)
	}
	slices.SortStableFunc(s.Containers, func(a, b Container) int { return cmp.Compare(a.Index, b.Index) })
}

// rows shows the allocations of one index, given by age: those that have not
// ended, and where the plan wants the index and Nomad has nothing for it, the
// last that ended.
func rows(all []nomad.Container, wanted bool) (out []Container) {
	last := len(all) - 1
	placed := false
	for i, c := range all {
		run := c.Desired == api.AllocDesiredStatusRun
		placed = placed || c.Live() && run
		stands := wanted && i == last && !placed
		if !c.Live() && !stands {
			continue
		}
		row := Container{
			Index: c.Index, Node: c.Node, Allocation: c.ID, State: c.Status, Restarts: c.Restarts, Replaced: i,
			LastEvent: c.Event, EventAt: c.EventAt.UTC(), Failure: c.Failure,
		}
		if c.EventAt.IsZero() {
			row.EventAt = c.EventAt
		}
		switch {
		case !run && c.Live():
			row.Failure, row.State = "", stateStopping
		case !run:
			row.Failure = "" // Nomad ended it, or has replaced it
		case i > 0 && c.Status == api.AllocClientStatusPending && row.Failure == "" && c.JobVersion == all[i-1].JobVersion:
			// What it replaces failed, and nothing was changed about it since.
			row.Failure = all[i-1].Failure
		}
		out = append(out, row)
	}
	return out
}

// setPlans compares packing plan and physical plan, and takes the ports that
// the containers' processes registered.
func (s *Status) setPlans(packing *heronpb.PackingPlan, physical *heronpb.PhysicalPlan, at *heronpb.TManagerLocation) {
	ports := map[int]map[string]int{}
	s.Plan.Unregistered = []int{}
	s.Plan.Packed = len(packing.GetContainerPlans())
	if physical != nil {
		s.Plan.Physical = true
		s.Plan.Registered = len(physical.GetStmgrs())
		s.State = physical.GetTopology().GetState().String()
		for _, m := range physical.GetStmgrs() {
			index, err := strconv.Atoi(m.GetId()[strings.LastIndexByte(m.GetId(), '-')+1:])
			if err != nil {
				continue
			}
			ports[index] = used(map[string]int32{"data": m.GetDataPort(), "local": m.GetLocalDataPort(), "shell": m.GetShellPort()})
		}
		for _, c := range packing.GetContainerPlans() {
			if ports[int(c.GetId())] == nil {
				s.Plan.Unregistered = append(s.Plan.Unregistered, int(c.GetId()))
			}
		}
		slices.Sort(s.Plan.Unregistered)
	}
	if at != nil {
		ports[0] = used(map[string]int32{"controller": at.GetControllerPort(), "server": at.GetServerPort(), "stats": at.GetStatsPort()})
	}
	for i, c := range s.Containers {
		if c.State == api.AllocClientStatusRunning {
			s.Containers[i].Ports = ports[c.Index]
		}
	}
}

// used are ports without those that are not set.
func used(ports map[string]int32) map[string]int {
	out := map[string]int{}
	for name, port := range ports {
		if port > 0 {
			out[name] = int(port)
		}
	}
	return out
}
