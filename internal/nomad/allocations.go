package nomad

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/nomad/api"
)

// AllocationRef names one allocation for people.
type AllocationRef struct {
	JobID string
	// Index is the container's.
	Index int
	// ID is the allocation's, Node the name of the node it is on.
	ID, Node string
	// Status is Nomad's client status, such as "running".
	Status string
}

// String implements fmt.Stringer.
func (r AllocationRef) String() string {
	id, _, _ := strings.Cut(r.ID, "-")
	return fmt.Sprintf("container %d on %s (allocation %s, %s)", r.Index, r.Node, id, r.Status)
}

// ContainerIndex is the index in an allocation's name, "job.group[3]".
func ContainerIndex(allocationName string) (int, bool) {
	open := strings.LastIndexByte(allocationName, '[')
	digits, ok := strings.CutSuffix(allocationName[open+1:], "]")
	if open < 0 || !ok {
		return 0, false
	}
	n, err := strconv.Atoi(digits)
	return n, err == nil && n >= 0
}

// Allocations lists all allocations of jobs of this id, by container index
// and then by age, ended ones and those of earlier jobs of the id included,
// as long as Nomad keeps them. Where there is no such job there are none.
func (c *Client) Allocations(ctx context.Context, jobID string) ([]*api.AllocationListStub, error) {
	var allocs []*api.AllocationListStub
	err := c.read(ctx, fmt.Sprintf("list the allocations of job %q", jobID), readJob, func(q *api.QueryOptions) (err error) {
		allocs, _, err = c.api.Jobs().Allocations(jobID, true, q)
		return err
	})
	sortAllocations(allocs)
	return allocs, err
}

func sortAllocations(allocs []*api.AllocationListStub) {
	slices.SortFunc(allocs, func(a, b *api.AllocationListStub) int {
		i, _ := ContainerIndex(a.Name)
		j, _ := ContainerIndex(b.Name)
		return cmp.Or(cmp.Compare(i, j), cmp.Compare(a.CreateIndex, b.CreateIndex), cmp.Compare(a.ID, b.ID))
	})
}

func ref(a *api.AllocationListStub) AllocationRef {
	index, _ := ContainerIndex(a.Name)
	return AllocationRef{JobID: a.JobID, Index: index, ID: a.ID, Node: a.NodeName, Status: a.ClientStatus}
}

func refs(allocs []*api.AllocationListStub) []AllocationRef {
	out := make([]AllocationRef, 0, len(allocs))
	for _, a := range allocs {
		out = append(out, ref(a))
	}
	return out
}

// split separates allocations that may still run from those whose node is
// gone, so that it cannot be known. All others have ended.
func split(allocs []*api.AllocationListStub) (live, lost []*api.AllocationListStub) {
	for _, a := range allocs {
		switch a.ClientStatus {
		case api.AllocClientStatusComplete, api.AllocClientStatusFailed:
		case api.AllocClientStatusLost, api.AllocClientStatusUnknown:
			lost = append(lost, a)
		default:
			live = append(live, a)
		}
	}
	return live, lost
}

// withoutLostNodes separates live allocations on nodes that are down or
// disconnected: Nomad takes a while to mark those as lost. Where the token
// may not read nodes, all count as live.
func (c *Client) withoutLostNodes(ctx context.Context, allocs []*api.AllocationListStub) (live, lost []*api.AllocationListStub, err error) {
	var nodes []*api.NodeListStub
	err = c.read(ctx, "list the nodes", nodeRead, func(q *api.QueryOptions) (err error) {
		nodes, _, err = c.api.Nodes().List(q)
		return err
	})
	if rejected(err) {
		return allocs, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	up := map[string]bool{}
	for _, n := range nodes {
		up[n.ID] = n.Status == api.NodeStatusReady || n.Status == api.NodeStatusInit
	}
	for _, a := range allocs {
		if up[a.NodeID] {
			live = append(live, a)
		} else {
			lost = append(lost, a)
		}
	}
	return live, lost, nil
}
