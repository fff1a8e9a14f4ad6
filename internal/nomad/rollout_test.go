package nomad

import (
	"testing"

	"github.com/hashicorp/nomad/api"
)

func TestRolloutIsThatOfThePresentVersion(t *testing.T) {
	version, index := uint64(3), uint64(70)
	job := &api.Job{Version: &version, JobModifyIndex: &index}
	eval := func(id, trigger, deployment string, job, created uint64) *api.Evaluation {
		return &api.Evaluation{ID: id, TriggeredBy: trigger, DeploymentID: deployment, JobModifyIndex: job, CreateIndex: created}
	}
	evals := []*api.Evaluation{
		eval("later", "alloc-failure", "d2", 70, 90),
		eval("own", "job-register", "d1", 70, 71),
		eval("before", "job-register", "d0", 60, 61),
		eval("last", "deployment-watcher", "", 70, 95),
	}
	if got := rolloutOf(job, evals); got != (Rollout{3, "own", "d2"}) {
		t.Errorf("%+v", got)
	}
	if got := rolloutOf(job, evals[2:3]); got != (Rollout{Version: 3}) {
		t.Errorf("%+v", got)
	}
}
