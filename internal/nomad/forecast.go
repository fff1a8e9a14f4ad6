package nomad

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/nomad/jobspec"
)

// Forecast is what Nomad says would become of a job if it were registered
// now.
type Forecast struct {
	// Unplaced counts the containers that no node would take; Reasons say why,
	// in sentences for people.
	Unplaced int
	Reasons  []string
	// Changes are the differences to the job that is stored, none where there
	// is no such job or it is the same.
	Changes []Change
	// Warnings are Nomad's about the job, "" for none.
	Warnings string
}

// Change is one difference between two jobs.
type Change struct {
	// Path names the field, from the outside in.
	Path string
	// Kind is Added, Deleted or Edited, as Nomad says it.
	Kind     string
	Old, New string
}

// Forecast asks Nomad what registering the job would do. Nothing is stored. A
// job that Nomad finds invalid is a *RejectedError.
func (c *Client) Forecast(ctx context.Context, job *api.Job) (*Forecast, error) {
	what := fmt.Sprintf("plan job %q", value(job.ID))
	var resp *api.JobPlanResponse
	job, err := c.fitting(ctx, job)
	if err != nil {
		return nil, err
	}
	err = c.persist(ctx, what, func(bounded context.Context) (verdict, error) {
		//nolint:contextcheck // the context is in q
		v, err := c.ask(ctx, bounded, what, submitJob, func(q *api.QueryOptions) (err error) {
			w := (&api.WriteOptions{Region: q.Region, Namespace: q.Namespace}).WithContext(q.Context())
			resp, _, err = c.api.Jobs().PlanOpts(jobspec.Revealed(job), &api.PlanOptions{Diff: true}, w)
			return err
		})
		if v == unclear {
			if invalid := c.validate(ctx, what, job); invalid != nil {
				return lasting, invalid
			}
		}
		return v, err
	})
	if errors.Is(err, ErrNotFound) {
		// Nomad plans any job. A web server says so of what it does not know.
		return nil, &RejectedError{What: what, Address: c.address, Status: http.StatusNotFound,
			Message: "it does not know that request; is that the address of a Nomad?"}
	}
	if err != nil {
		return nil, err
	}
	f := &Forecast{Warnings: resp.Warnings}
	var reasons []reason
	for _, group := range slices.Sorted(maps.Keys(resp.FailedTGAllocs)) {
		m := resp.FailedTGAllocs[group]
		f.Unplaced += m.CoalescedFailures + 1
		reasons = append(reasons, wants(job).placeReason(m))
	}
	c.weighNodes(ctx, wants(job), reasons)
	f.Reasons = reasonTexts(reasons)
	if d := resp.Diff; d != nil && d.Type == diffEdited {
		f.fields("", d.Fields)
		f.objects("", d.Objects)
		for _, g := range d.TaskGroups {
			f.fields("", g.Fields)
			f.objects("", g.Objects)
			for _, t := range g.Tasks {
				f.fields("", t.Fields)
				f.objects("", t.Objects)
			}
		}
	}
	return f, nil
}

// Nomad's words for the kinds of a difference.
const (
	diffNone   = "None"
	diffEdited = "Edited"
)

// fields adds what differs. Names need no prefix of group and task: there is
// one of each.
func (f *Forecast) fields(path string, diffs []*api.FieldDiff) {
	for _, d := range diffs {
		if d.Type != diffNone {
			c := Change{Path: path + d.Name, Kind: d.Type, Old: unsigned(d.Old), New: unsigned(d.New)}
			if jobspec.SecretField(c.Path) {
				c.Old, c.New = "(hidden)", "(hidden)"
			}
			f.Changes = append(f.Changes, c)
		}
	}
}

func (f *Forecast) objects(path string, diffs []*api.ObjectDiff) {
	for _, d := range diffs {
		if d.Type != diffNone {
			f.fields(path+d.Name+".", d.Fields)
			f.objects(path+d.Name+".", d.Objects)
		}
	}
}
