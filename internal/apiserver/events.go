package apiserver

import (
	"time"

	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/progress"
)

// event is a progress.Event as clients read it.
type event struct {
	// Seq grows with every event of an operation.
	Seq      int64             `json:"seq"`
	State    progress.State    `json:"state"`
	Step     string            `json:"step,omitempty"`
	What     *outcome.Resource `json:"what,omitempty"`
	Done     int64             `json:"done,omitempty"`
	Total    int64             `json:"total,omitempty"`
	Unit     string            `json:"unit,omitempty"`
	Note     string            `json:"note,omitempty"`
	Error    string            `json:"error,omitempty"`
	WaitMS   int64             `json:"wait_ms,omitempty"`
	Attempt  int               `json:"attempt,omitempty"`
	Attempts int               `json:"attempts,omitempty"`
}

func newEvent(e progress.Event) event {
	out := event{
		State: e.State, Step: e.Step, Done: e.Done, Total: e.Total, Unit: e.Unit, Note: e.Note,
		WaitMS: int64(e.Wait / time.Millisecond), Attempt: e.Attempt, Attempts: e.Attempts,
	}
	if e.What != (outcome.Resource{}) {
		out.What = &e.What
	}
	if e.Err != nil {
		out.Error = e.Err.Error()
	}
	return out
}

// follows says that an event only brings the one before it up to date.
func (e event) follows(before event) bool {
	return e.State == progress.Advanced && before.State == progress.Advanced && e.Step == before.Step && same(e.What, before.What)
}

func same(a, b *outcome.Resource) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}
