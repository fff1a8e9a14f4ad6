package nomad

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/hashicorp/nomad/api"
)

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
	Events    listedEvents
}

// listedEvents are the events of a task as Nomad wrote them. Most of a list are
// events, of which only the last counts as a rule.
type listedEvents struct {
	raw  []byte
	ends []int
}

// Nomad keeps so many events of a task, and they mostly take so many bytes.
const (
	eventsKept = 10
	eventsSize = 3 << 10
)

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (e *listedEvents) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() != '[' {
		return dec.SkipValue() // null
	}
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	e.raw, e.ends = make([]byte, 0, eventsSize), make([]int, 0, eventsKept)
	for dec.PeekKind() != ']' {
		event, err := dec.ReadValue()
		if err != nil {
			return err
		}
		e.raw = append(e.raw, event...)
		e.ends = append(e.ends, len(e.raw))
	}
	_, err := dec.ReadToken()
	return err
}

// from are the events from one on.
func (e *listedEvents) from(first int) ([]*api.TaskEvent, error) {
	var events []*api.TaskEvent
	for i := first; i < len(e.ends); i++ {
		begin := 0
		if i > 0 {
			begin = e.ends[i-1]
		}
		var event listedEvent
		if err := json.Unmarshal(e.raw[begin:e.ends[i]], &event); err != nil {
			return nil, err
		}
		events = append(events, event.api())
	}
	return events, nil
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
func decodeList[T any](body io.Reader, take func(*T) error) error {
	// Nomad is trusted with its own form: to look for double names takes time.
	dec := jsontext.NewDecoder(body, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	t, err := dec.ReadToken()
	switch {
	case err != nil:
		return fmt.Errorf("the answer is not a list: %w", err)
	case t.Kind() == 'n':
		return nil // null: an empty list
	case t.Kind() != '[':
		return fmt.Errorf("the answer is not a list: it starts with %v", t)
	}
	for dec.PeekKind() != ']' {
		var entry T
		if err := json.UnmarshalDecode(dec, &entry); err != nil {
			return err
		}
		if err := take(&entry); err != nil {
			return err
		}
	}
	_, err = dec.ReadToken()
	return err
}

// decodeContainers reads a list of allocations.
func decodeContainers(body io.Reader) ([]Container, error) {
	var list []Container
	words := map[string]string{}
	err := decodeList(body, func(a *listedAllocation) error {
		c, err := a.container(words)
		list = append(list, c)
		return err
	})
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
func (a *listedAllocation) container(words map[string]string) (Container, error) {
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
		failing := a.ClientStatus == api.AllocClientStatusFailed || task.Restarts >= failedStarts && a.ClientStatus != api.AllocClientStatusRunning
		first := max(0, len(task.Events.ends)-1)
		if failing || bytes.Contains(task.Events.raw, []byte(api.TaskTerminated)) || bytes.Contains(task.Events.raw, []byte(api.TaskRestartSignal)) {
			first = 0
		}
		events, err := task.Events.from(first)
		if err != nil {
			return c, err
		}
		for _, e := range events {
			if e.Type == api.TaskRestartSignal {
				c.Signaled = time.Unix(0, e.Time)
			}
		}
		if n := len(events); n > 0 {
			if at := time.Unix(0, events[n-1].Time); at.After(c.EventAt) {
				c.Event, c.EventAt = once(eventText(events[n-1])), at
			}
		}
		state := &api.TaskState{Restarts: task.Restarts, Events: events}
		if end := ownEnd(state); end != nil {
			c.Ended = once(endText(end))
		}
		if failing && (a.ClientStatus == api.AllocClientStatusFailed || failsAgain(state)) {
			c.Failure = once(failureText(state))
		}
	}
	if a.ClientStatus == api.AllocClientStatusFailed {
		c.Failure = cmp.Or(c.Failure, once("failed: "+cmp.Or(a.ClientDescription, "Nomad does not say why")))
	}
	return c, nil
}

func (e listedEvent) api() *api.TaskEvent {
	return &api.TaskEvent{
		Type: e.Type, Message: e.Message, DisplayMessage: e.DisplayMessage, Time: e.Time, StartDelay: e.StartDelay,
		ExitCode: e.ExitCode, Signal: e.Signal, Details: e.Details,
	}
}
