// Package progress carries what is going on from those who do it to those who
// show it. It prints nothing: a console makes lines of events, a server
// streams them.
package progress

import (
	"time"

	"github.com/heron-nomad/heron/internal/outcome"
)

// State says what an event is about.
type State string

// The states.
const (
	// Began: a step begins.
	Began State = "began"
	// Advanced: Done of Total are done.
	Advanced State = "advanced"
	// Ended: the step is over.
	Ended State = "ended"
	// Noted: a fact that somebody may want to know.
	Noted State = "noted"
	// Warned: something is not as it should be, and the step continues.
	Warned State = "warned"
	// Retrying: an attempt failed with Err; the next one comes after Wait.
	Retrying State = "retrying"
)

// Event is one thing that happened. Fields that do not apply are zero.
type Event struct {
	State State
	// Step is what is being done, as a verb: "upload", "register", "remove".
	Step string
	// What it is done to.
	What outcome.Resource
	// Done of Total, in Unit ("bytes", "containers").
	Done, Total int64
	Unit        string
	// Note is a fixed sentence; what varies is in the other fields.
	Note string
	// Err is what went wrong.
	Err error
	// Wait is how long it takes until the next attempt; Attempt of Attempts
	// counts them.
	Wait              time.Duration
	Attempt, Attempts int
}

// Sink takes events, from any goroutine, and returns at once. A nil Sink drops
// them.
type Sink func(Event)

// Send hands an event to the sink.
func (s Sink) Send(e Event) {
	if s != nil {
		s(e)
	}
}

// Begin says that a step begins.
func (s Sink) Begin(step string, what outcome.Resource) {
	s.Send(Event{State: Began, Step: step, What: what})
}

// Warn says that something about a step is not as it should be.
func (s Sink) Warn(step string, what outcome.Resource, note string, err error) {
	s.Send(Event{State: Warned, Step: step, What: what, Note: note, Err: err})
}
