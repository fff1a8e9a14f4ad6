package nomad

import (
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/nomad/jobspec"
)

func TestWaitRestart(t *testing.T) {
	ctx, c, job := t.Context(), realClient(t), testJob(t, 2)
	mustRegister(t, c, job)
	if err := c.WaitRunning(ctx, *job.ID, 2, patience, nil); err != nil {
		t.Fatal(err)
	}
	if restarts, err := c.WaitRestart(ctx, *job.ID, 500*time.Millisecond); err != nil || len(restarts) > 0 {
		t.Fatalf("nothing happened: %v, %v", restarts, err)
	}
	for what, change := range map[string]func(*api.Allocation) error{
		"was restarted": func(a *api.Allocation) error { return c.api.Allocations().Restart(a, "", nil) },
		"was replaced":  func(a *api.Allocation) error { _, err := c.api.Allocations().Stop(a, nil); return err },
	} {
		allocs, err := c.Allocations(ctx, *job.ID)
		if err != nil {
			t.Fatal(err)
		}
		var target *api.Allocation
		for _, a := range allocs {
			if index, _ := ContainerIndex(a.Name); index == 1 && a.DesiredStatus == api.AllocDesiredStatusRun {
				target = &api.Allocation{ID: a.ID, NodeID: a.NodeID, Namespace: a.Namespace}
			}
		}
		changed := make(chan error, 1)
		go func() { changed <- change(target) }()
		restarts, err := c.WaitRestart(ctx, *job.ID, patience)
		if err != nil || len(restarts) != 1 || restarts[0].Index != 1 {
			t.Fatalf("it %s: %v, %v", what, restarts, err)
		}
		// In place it may first be seen not to run.
		if how := restarts[0].How; !strings.Contains(how, what) && !strings.Contains(how, "does not run") {
			t.Errorf("it %s: %v, %v", what, restarts, err)
		}
		if err := <-changed; err != nil {
			t.Fatal(err)
		}
		if err := c.WaitRunning(ctx, *job.ID, 2, patience, nil); err != nil {
			t.Fatal(err)
		}
	}
}

func TestContainerPorts(t *testing.T) {
	ctx, c, job := t.Context(), realClient(t), testJob(t, 2)
	job.TaskGroups[0].Networks = []*api.NetworkResource{{DynamicPorts: []api.Port{{Label: jobspec.PortLabel(jobspec.PortTManagerCtl)}, {Label: "other"}}}}
	mustRegister(t, c, job)
	if err := c.WaitRunning(ctx, *job.ID, 2, patience, nil); err != nil {
		t.Fatal(err)
	}
	ports, err := c.ContainerPorts(ctx, *job.ID, jobspec.PortServer, jobspec.PortTManagerCtl)
	if err != nil || len(ports) != 2 || ports[0][0] != 0 || ports[0][1] == 0 || ports[0][1] == ports[1][1] {
		t.Fatalf("%v, %v", ports, err)
	}
	for _, a := range mustAllocations(t, c, *job.ID) {
		index, _ := ContainerIndex(a.Name)
		full, _, err := c.api.Allocations().Info(a.ID, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range full.AllocatedResources.Shared.Ports {
			if p.Label == "tmanager_ctl" && p.Value != ports[index][1] {
				t.Errorf("container %d: %d, want %d", index, ports[index][1], p.Value)
			}
		}
	}
	if ports, err := c.ContainerPorts(ctx, "no-such-job", jobspec.PortServer); err != nil || len(ports) > 0 {
		t.Errorf("no such job: %v, %v", ports, err)
	}
}

func mustAllocations(t *testing.T, c *Client, id string) []*api.AllocationListStub {
	t.Helper()
	allocs, err := c.Allocations(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return allocs
}
