package nomad

import (
	"context"
	"fmt"
	"strings"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/nomad/jobspec"
)

// allocationPorts has the fields of an entry of Nomad's list that say which
// ports of its node a container has.
type allocationPorts struct {
	Name, JobID                 string
	DesiredStatus, ClientStatus string
	AllocatedResources          struct {
		Shared struct {
			Ports []struct {
				Label string
				Value int
			}
		}
	}
}

// ContainerPorts returns, by container index, the numbers of ports of each
// container of a job that runs and is to run, in the order of the ports asked
// for, which are those of package jobspec; 0 for one that a container does not
// have. It is one request, whose answer is read as it arrives.
func (c *Client) ContainerPorts(ctx context.Context, jobID string, ports ...string) (map[int][]int, error) {
	place := map[string]int{}
	for i, port := range ports {
		place[jobspec.PortLabel(port)] = i
	}
	numbers := map[int][]int{}
	err := c.read(ctx, fmt.Sprintf("list the ports of job %q", jobID), readJob, func(q *api.QueryOptions) error {
		clear(numbers)
		q.Params = map[string]string{"resources": "true"}
		if !strings.ContainsAny(jobID, "\"\\") {
			q.Filter = fmt.Sprintf("JobID == %q", jobID)
		}
		body, err := c.api.Raw().Response("/v1/allocations", q)
		if err != nil {
			return err
		}
		defer body.Close()
		return decodeList(body, func(a *allocationPorts) error {
			index, ok := ContainerIndex(a.Name)
			if !ok || a.JobID != jobID || a.DesiredStatus != api.AllocDesiredStatusRun || a.ClientStatus != api.AllocClientStatusRunning {
				return nil
			}
			own := make([]int, len(ports))
			for _, p := range a.AllocatedResources.Shared.Ports {
				if i, asked := place[p.Label]; asked {
					own[i] = p.Value
				}
			}
			numbers[index] = own
			return nil
		})
	})
	return numbers, err
}
