package nomad

import (
	"fmt"
	"time"

	"github.com/heron-nomad/heron/internal/outcome"
)

// RunState is how far the start of a job was when waiting for it ended.
type RunState struct {
	JobID string
	// Want counts the containers, Placed those that have a node, Running those
	// that run.
	Want, Placed, Running int
	// Waited is how long it was really waited.
	Waited time.Duration
	// Reasons are sentences for people, the gravest first; maybe none.
	Reasons []string
	// Output is what failed containers wrote last, for a few of them.
	Output []ContainerOutput
}

// Kind implements the contract of package outcome.
func (s *RunState) Kind() outcome.Kind { return outcome.WaitExpired }

// LastOutput is what failed containers wrote last.
func (s *RunState) LastOutput() []ContainerOutput { return s.Output }

func (s *RunState) text(format string, args ...any) string {
	text := fmt.Sprintf("job %q: %d of %d containers run; ", s.JobID, s.Running, s.Want) + fmt.Sprintf(format, args...)
	if len(s.Reasons) > 0 {
		text += ": " + some(s.Reasons, "; ")
	}
	return text
}

// NoPlaceError says that Nomad found no node for containers of a job. Waiting
// ended at once: it would only help if the nodes changed.
type NoPlaceError struct{ RunState }

// Error implements error.
func (e *NoPlaceError) Error() string {
	return e.text("Nomad finds no place for the others (gave up after %s)", rounded(e.Waited))
}

// FailingError says that containers of a job fail again and again. Waiting
// ended before its time: it would not help.
type FailingError struct{ RunState }

// Error implements error.
func (e *FailingError) Error() string {
	return e.text("containers keep failing (gave up after %s)", rounded(e.Waited))
}

// NotRunningError says that containers of a job did not run when the time was
// over.
type NotRunningError struct {
	RunState
	// Limit is the time that was given.
	Limit time.Duration
}

// Error implements error.
func (e *NotRunningError) Error() string {
	return e.text("the time given is over (%s)", e.Limit)
}

// rounded is a span of time as people say it.
func rounded(d time.Duration) time.Duration {
	if d >= 10*time.Second {
		return d.Round(time.Second)
	}
	return d.Round(100 * time.Millisecond)
}
