package nomad

import (
	"context"
	"fmt"

	"github.com/hashicorp/nomad/api"
)

// Rollout is what of Nomad carries out a version of a job, by the names that
// its own commands take.
type Rollout struct {
	// Version is the job's.
	Version uint64 `json:"job_version"`
	// Evaluation is that of the job's registration, "" where Nomad has none
	// any more.
	Evaluation string `json:"evaluation"`
	// Deployment is "" until the evaluation has made one.
	Deployment string `json:"deployment"`
}

// Rollout says what carries out the present version of a job.
func (c *Client) Rollout(ctx context.Context, id string) (Rollout, error) {
	job, err := c.Job(ctx, id)
	if err != nil {
		return Rollout{}, err
	}
	var evals []*api.Evaluation
	err = c.read(ctx, fmt.Sprintf("read the evaluations of job %q", id), readJob, func(q *api.QueryOptions) (err error) {
		evals, _, err = c.api.Jobs().Evaluations(id, q)
		return err
	})
	return rolloutOf(job, evals), err
}

func rolloutOf(job *api.Job, evals []*api.Evaluation) Rollout {
	r := Rollout{Version: value(job.Version)}
	for _, e := range byAge(evals) {
		if e.JobModifyIndex != value(job.JobModifyIndex) {
			continue
		}
		if r.Evaluation == "" && e.TriggeredBy == "job-register" {
			r.Evaluation = e.ID
		}
		if e.DeploymentID != "" {
			r.Deployment = e.DeploymentID
		}
	}
	return r
}
