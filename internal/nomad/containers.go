package nomad

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/hashicorp/nomad/api"
)

// Container is one allocation of a job: the little of it that shows how a
// container is. An Allocations call costs several times as much.
type Container struct {
	// Index is the container's, -1 where the allocation's name has none.
	Index int
	// ID and JobID are the allocation's and its job's; JobVersion is the version
	// of the job that it runs.
	ID, JobID  string
	JobVersion uint64
	// Node is the node's name, NodeID its id.
	Node, NodeID string
	// Desired and Status are what Nomad wants of it ("run", "stop", "evict") and
	// what the node reports ("pending", "running", "complete", "failed", "lost",
	// "unknown").
	Desired, Status string
	// Migrate: Nomad is to stop it and start another in its place.
	Migrate bool
	// Restarts counts restarts of the task in place.
	Restarts int
	// Event is the task's last event in plain words, and when it happened; ""
	// where there was none yet.
	Event   string
	EventAt time.Time
	// Started is when the task was started last, and Signaled when somebody last
	// asked for a restart in place; zero where it was never, or no longer
	// known.
	Started, Signaled time.Time
	// Failure says what went wrong where the failure lasts: the allocation
	// failed, or its task was restarted several times and does not run. "" for
	// none.
	Failure string
	// Created orders allocations of one job by age.
	Created uint64
}

// Live says that the container runs or may still run. Of one on a node that is
// gone nobody knows: that one is not live.
func (c Container) Live() bool {
	return c.Status == api.AllocClientStatusRunning || c.Status == api.AllocClientStatusPending
}

// Running says that it runs, and that Nomad wants it to.
func (c Container) Running() bool {
	return c.Status == api.AllocClientStatusRunning && c.Desired == api.AllocDesiredStatusRun
}

// Containers lists the allocations of a job, by container index and then by
// age, ended ones included as long as Nomad keeps them, but not those of
// earlier jobs of the id. Where there is no such job there are none. It is one
// request, whose answer is read as it arrives.
func (c *Client) Containers(ctx context.Context, jobID string) ([]Container, error) {
	list, _, err := c.ContainersSince(ctx, jobID, 0)
	return list, err
}

// ContainersSince is Containers once something has changed after the state of
// an index, and at the latest after half the request timeout. It returns the
// index of what it saw; index 0 is answered at once.
func (c *Client) ContainersSince(ctx context.Context, jobID string, index uint64) (list []Container, seen uint64, err error) {
	var block time.Duration
	if index > 0 {
		block = c.timeout / 2
	}
	err = c.readBlocking(ctx, fmt.Sprintf("list the containers of job %q", jobID), block, readJob, func(q *api.QueryOptions) error {
		q.WaitIndex, q.WaitTime = index, block
		body, err := c.api.Raw().Response("/v1/job/"+url.PathEscape(jobID)+"/allocations", q)
		if err != nil {
			// A server that came back may have started its indexes anew.
			index = 0
			return err
		}
		defer body.Close()
		if list, err = decodeContainers(body); err != nil {
			return err
		}
		if hint, ok := q.Context().Value(retryHintKey{}).(*retryHint); ok {
			seen = hint.index
		}
		return nil
	})
	var refused *RejectedError
	if errors.Is(err, ErrNotFound) || errors.As(err, &refused) && refused.Status == http.StatusNotFound {
		return nil, 0, nil
	}
	return list, seen, err
}

// listedAllocation has the fields of an entry of Nomad's list that are needed.
type listedAllocation struct {
	ID, Name, JobID             string
	NodeID, NodeName            string
	JobVersion, CreateIndex     uint64
	DesiredStatus, ClientStatus string
	ClientDescription           string
	DesiredTransition           struct{ Migrate *bool }
	TaskStates                  map[string]listedTask
}

type listedTask struct {
	Restarts  uint64
	StartedAt time.Time
	Events    []listedEvent
}

// listedEvent is an event of a task.
type listedEvent struct {
	Type, Message, DisplayMessage string
	Time, StartDelay              int64
	ExitCode, Signal              int
	Details                       map[string]string
}

// decodeList reads a list of Nomad's entry by entry, so that never more than one
// is in memory as Nomad wrote it.
func decodeList[T any](dec *json.Decoder, take func(*T)) error {
	if t, err := dec.Token(); err != nil || t != json.Delim('[') {
		if err == nil && t == nil {
			return nil // null: an empty list
		}
		return fmt.Errorf("the answer is not a list: it starts with %v (%w)", t, cmp.Or(err, io.ErrUnexpectedEOF))
	}
	for dec.More() {
		var entry T
		if err := dec.Decode(&entry); err != nil {
			return err
		}
		take(&entry)
	}
	_, err := dec.Token()
	return err
}

// decodeContainers reads a list of allocations.
func decodeContainers(body io.Reader) ([]Container, error) {
	var list []Container
	words := map[string]string{}
	err := decodeList(json.NewDecoder(body), func(a *listedAllocation) { list = append(list, a.container(words)) })
	if err != nil {
		return nil, err
	}
	slices.SortFunc(list, func(a, b Container) int {
		return cmp.Or(cmp.Compare(a.Index, b.Index), cmp.Compare(a.Created, b.Created), cmp.Compare(a.ID, b.ID))
	})
	return list, nil
}

// container is the entry as a Container. words are the texts that were seen
// before: the same few stand in every entry.
func (a *listedAllocation) container(words map[string]string) Container {
	index, ok := ContainerIndex(a.Name)
	if !ok {
		index = -1
	}
	once := func(s string) string {
		if have, ok := words[s]; ok {
			return have
		}
		words[s] = s
		return s
	}
	c := Container{
		Index: index, ID: a.ID, JobID: once(a.JobID), JobVersion: a.JobVersion, Node: once(a.NodeName), NodeID: once(a.NodeID),
		Desired: once(a.DesiredStatus), Status: once(a.ClientStatus), Created: a.CreateIndex,
		Migrate: value(a.DesiredTransition.Migrate),
	}
	for _, task := range a.TaskStates {
		c.Restarts += int(task.Restarts) //nolint:gosec // a count of restarts
		if task.StartedAt.After(c.Started) {
			c.Started = task.StartedAt
		}
		for _, e := range task.Events {
			if e.Type == api.TaskRestartSignal {
				c.Signaled = time.Unix(0, e.Time)
			}
		}
		if n := len(task.Events); n > 0 {
			last := task.Events[n-1]
			if at := time.Unix(0, last.Time); at.After(c.EventAt) {
				c.Event, c.EventAt = once(eventText(last.api())), at
			}
		}
		failing := a.ClientStatus == api.AllocClientStatusFailed || task.Restarts >= failedStarts && failsAgain(task.api())
		if failing && a.ClientStatus != api.AllocClientStatusRunning {
			c.Failure = once(failureText(task.api()))
		}
	}
	if a.ClientStatus == api.AllocClientStatusFailed {
		c.Failure = cmp.Or(c.Failure, once("failed: "+cmp.Or(a.ClientDescription, "Nomad does not say why")))
	}
	return c
}

func (t listedTask) api() *api.TaskState {
	state := &api.TaskState{Restarts: t.Restarts}
	for _, e := range t.Events {
		state.Events = append(state.Events, e.api())
	}
	return state
}

func (e listedEvent) api() *api.TaskEvent {
	return &api.TaskEvent{
		Type: e.Type, Message: e.Message, DisplayMessage: e.DisplayMessage, Time: e.Time, StartDelay: e.StartDelay,
		ExitCode: e.ExitCode, Signal: e.Signal, Details: e.Details,
	}
}

// WhyUnplaced says why Nomad finds no place for containers of a job, and what
// nodes there are instead; nothing while it has not decided, and where all have
// a place.
func (c *Client) WhyUnplaced(ctx context.Context, job *api.Job) ([]string, error) {
	var evals []*api.Evaluation
	err := c.read(ctx, fmt.Sprintf("list the evaluations of job %q", value(job.ID)), readJob, func(q *api.QueryOptions) (err error) {
		evals, _, err = c.api.Jobs().Evaluations(value(job.ID), q)
		return err
	})
	if err != nil {
		return nil, err
	}
	evals = slices.DeleteFunc(evals, func(e *api.Evaluation) bool { return e.CreateIndex < value(job.JobModifyIndex) })
	reasons := placementReasons(wants(job), evals)
	c.weighNodes(ctx, wants(job), reasons)
	return reasonTexts(reasons), nil
}

// VersionMeta returns the meta of the versions of a job that Nomad keeps, by
// version.
func (c *Client) VersionMeta(ctx context.Context, jobID string) (map[uint64]map[string]string, error) {
	byVersion := map[uint64]map[string]string{}
	err := c.read(ctx, fmt.Sprintf("list the versions of job %q", jobID), readJob, func(q *api.QueryOptions) error {
		jobs, _, _, err := c.api.Jobs().Versions(jobID, false, q)
		for _, job := range jobs {
			byVersion[value(job.Version)] = job.Meta
		}
		return err
	})
	if errors.Is(err, ErrNotFound) {
		return byVersion, nil
	}
	return byVersion, err
}
