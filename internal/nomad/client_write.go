package nomad

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/nomad/jobspec"
)

// Registration is Nomad's receipt for a job.
type Registration struct {
	// EvalID is the evaluation that places the job; "" where nothing had to be
	// evaluated, or the receipt was lost and the job found by reading back.
	EvalID string
	// JobModifyIndex is the job's new index, the fence for the next write.
	JobModifyIndex uint64
	// Warnings are Nomad's about the job, "" for none.
	Warnings string
}

// Register writes a job if its stored JobModifyIndex is index, or, with index
// 0, if there is none. Otherwise nothing is written and the error wraps
// ErrConflict. A job that Nomad finds invalid is a *RejectedError.
//
// Where the answer is lost it reads back, and writes again if the job is as it
// was. If it is not, that may be this write or somebody else's, and the error
// wraps ErrUnknownOutcome, maybe beside ErrConflict.
//
// Nomad compares the index just before it commits, not as part of it: of two
// writes in the same moment both can pass. RegisterNew settles that.
func (c *Client) Register(ctx context.Context, job *api.Job, index uint64) (Registration, error) {
	p, maybe, tries := c.repeats(), false, 0
	for {
		reg, v, err := c.register(ctx, job, index)
		switch {
		case err == nil:
			return reg, nil
		case !errors.Is(err, ErrUnknownOutcome):
			if maybe && errors.Is(err, ErrConflict) {
				err = &lostError{write: err}
			}
			return Registration{}, err
		}
		tries++
		// It is tried once more even where the first answer took all the time.
		more := p.again(ctx, err) || tries == 1
		if ctx.Err() != nil || !more || v == unclear && tries >= unclearAttempts {
			return Registration{}, err
		}
		now, rerr := c.indexOf(ctx, value(job.ID))
		if rerr != nil {
			return Registration{}, &lostError{write: lostWrite(err), readBack: rerr}
		}
		if now != index {
			return Registration{}, err
		}
		maybe = true
	}
}

// register makes one registration. The verdict is about an unknown outcome.
func (c *Client) register(ctx context.Context, job *api.Job, index uint64) (Registration, verdict, error) {
	what := fmt.Sprintf("register job %q", value(job.ID))
	var resp *api.JobRegisterResponse
	job, err := c.fitting(ctx, job)
	if err != nil {
		return Registration{}, lasting, err
	}
	v := lasting
	err = c.write(ctx, what, submitJob, func(w *api.WriteOptions) (err error) {
		resp, _, err = c.api.Jobs().RegisterOpts(jobspec.Revealed(job), &api.RegisterOptions{EnforceIndex: true, ModifyIndex: index}, w)
		v = judge(err)
		return err
	})
	if err == nil {
		return Registration{EvalID: resp.EvalID, JobModifyIndex: resp.JobModifyIndex, Warnings: resp.Warnings}, v, nil
	}
	if v == unclear {
		// An invalid job is answered like any trouble of Nomad's own.
		if invalid := c.validate(ctx, what, job); invalid != nil {
			return Registration{}, lasting, invalid
		}
	}
	return Registration{}, v, err
}

// indexOf is the JobModifyIndex of a job, 0 where there is none.
func (c *Client) indexOf(ctx context.Context, id string) (uint64, error) {
	job, err := c.Job(ctx, id)
	switch {
	case errors.Is(err, ErrNotFound):
		return 0, nil
	case err != nil:
		return 0, err
	}
	return value(job.JobModifyIndex), nil
}

// readBackFailed says whether a write is lost because reading back failed too.
func readBackFailed(err error) bool {
	var lost *lostError
	return errors.As(err, &lost) && lost.readBack != nil
}

// lostWrite is the failure of a write in an error about its unknown outcome.
func lostWrite(err error) error {
	var lost *lostError
	if errors.As(err, &lost) {
		return lost.write
	}
	return err
}

// validate asks Nomad what is wrong with a job. nil means nothing, or no
// answer.
func (c *Client) validate(ctx context.Context, what string, job *api.Job) error {
	var resp *api.JobValidateResponse
	//nolint:contextcheck // the context is in q
	err := c.read(ctx, "validate", readJob, func(q *api.QueryOptions) (err error) {
		w := (&api.WriteOptions{}).WithContext(q.Context())
		resp, _, err = c.api.Jobs().Validate(jobspec.Revealed(job), w)
		return err
	})
	if err != nil || len(resp.ValidationErrors) == 0 {
		return nil
	}
	return &RejectedError{What: what, Address: c.address, Status: http.StatusBadRequest, Message: oneLine(strings.Join(resp.ValidationErrors, "\n"))}
}
