package e2e

import (
	"encoding/json"
	"testing"
)

// plan runs heron plan for the sample topology.
func (c *cluster) plan(flags []string, program ...string) result {
	c.t.Helper()
	args := append([]string{"plan"}, flags...)
	args = append(args, "nomad", bin.sample, "-", "--name", c.topology)
	return c.heron(append(args, program...)...)
}

func TestPlan(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.want(c.plan(nil, "--stmgrs", "2"), 0, "does not exist; submit would create:", "+ job "+c.jobID()+": 3 containers", "it fits on the cluster now")
	c.nothingLeft()

	c.want(c.submit(), 0)
	before := *c.job().JobModifyIndex
	c.want(c.plan(nil, "--stmgrs", "2"), 0, "runs as it would be submitted", "it fits on the cluster now")
	c.want(c.plan(nil, "--stmgrs", "3"), 3, "runs and differs:",
		"~ topology: topology.stmgrs: 2 -> 3", "~ packing: container 3: (nothing) -> ", "~ job: Count: 3 -> 4")

	r := c.plan([]string{"--output", "json"}, "--stmgrs", "2", "--words", "5")
	c.want(r, 3)
	var doc struct {
		Planned []struct {
			Exists  bool
			Changes []struct{ Where, What, Old, New string }
		}
	}
	if err := json.Unmarshal([]byte(r.out), &doc); err != nil || len(doc.Planned) != 1 || !doc.Planned[0].Exists || len(doc.Planned[0].Changes) == 0 {
		t.Errorf("%v: %s", err, r)
	}
	if after := *c.job().JobModifyIndex; after != before {
		t.Errorf("the job has changed: index %d, then %d", before, after)
	}
	c.want(c.kill(), 0)
	c.nothingLeft()
}

func TestPlanThatDoesNotFit(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.properties["heron.nomad.datacenters"] = "nowhere"
	c.want(c.plan(nil), 3, "it does not fit now: no place for 4 containers", "no node is ready")
	c.nothingLeft()
}
