package nomad

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/nomad/api"
)

// watcher follows one list of Nomad's with blocking queries: each returns
// when the list has changed, or after half the request timeout.
type watcher[T any] struct {
	client *Client
	what   string
	list   func(*api.QueryOptions) ([]T, *api.QueryMeta, error)
	index  uint64
}

func (c *Client) watchAllocations(jobID string, all bool) *watcher[*api.AllocationListStub] {
	return &watcher[*api.AllocationListStub]{
		client: c,
		what:   fmt.Sprintf("watch the allocations of job %q", jobID),
		list: func(q *api.QueryOptions) ([]*api.AllocationListStub, *api.QueryMeta, error) {
			allocs, meta, err := c.api.Jobs().Allocations(jobID, all, q)
			sortAllocations(allocs)
			return allocs, meta, err
		},
	}
}

func (c *Client) watchEvaluations(jobID string) *watcher[*api.Evaluation] {
	return &watcher[*api.Evaluation]{
		client: c,
		what:   fmt.Sprintf("watch the evaluations of job %q", jobID),
		list: func(q *api.QueryOptions) ([]*api.Evaluation, *api.QueryMeta, error) {
			return c.api.Jobs().Evaluations(jobID, q)
		},
	}
}

func (c *Client) watchDeployments(jobID string) *watcher[*api.Deployment] {
	return &watcher[*api.Deployment]{
		client: c,
		what:   fmt.Sprintf("watch the deployments of job %q", jobID),
		list: func(q *api.QueryOptions) ([]*api.Deployment, *api.QueryMeta, error) {
			return c.api.Jobs().Deployments(jobID, false, q)
		},
	}
}

// next waits for the next state of the list; the first call returns at once.
// changed is false where nothing happened within the query's own time.
func (w *watcher[T]) next(ctx context.Context) (items []T, changed bool, err error) {
	var meta *api.QueryMeta
	block := w.client.timeout / 2
	err = w.client.readBlocking(ctx, w.what, block, readJob, func(q *api.QueryOptions) (err error) {
		q.WaitIndex, q.WaitTime = w.index, block
		if items, meta, err = w.list(q); err != nil {
			// A server that came back may have started its indexes anew.
			w.index = 0
		}
		return err
	})
	if err != nil {
		return nil, false, err
	}
	changed = w.index == 0 || meta.LastIndex != w.index
	w.index = meta.LastIndex
	return items, changed, nil
}

// errWaitOver is the cause of a context that ended with a wait's own time.
var errWaitOver = errors.New("the time of the wait is over")

// within is a context that ends after a wait's own time; over says whether
// that, and not the caller's context, is what ended it.
func within(ctx context.Context, timeout time.Duration) (bounded context.Context, over func() bool, cancel context.CancelFunc) {
	bounded, cancel = context.WithTimeoutCause(ctx, timeout, errWaitOver)
	return bounded, func() bool { return errors.Is(context.Cause(bounded), errWaitOver) }, cancel
}
