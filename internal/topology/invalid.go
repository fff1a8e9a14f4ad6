package topology

import (
	"fmt"
	"strings"

	"github.com/heron-nomad/heron/internal/outcome"
)

// InvalidError says all that keeps a topology from being deployed. It is the
// user's to mend, and nothing has been written.
type InvalidError struct {
	// Topology is the name, as far as it is one.
	Topology string
	// Problems are one or more sentences without a full stop; each says what
	// to change.
	Problems []string
}

// Error lists all problems.
func (e *InvalidError) Error() string {
	if len(e.Problems) == 1 {
		return fmt.Sprintf("topology %q cannot be deployed: %s", e.Topology, e.Problems[0])
	}
	return fmt.Sprintf("topology %q cannot be deployed, for %d reasons:\n  - %s",
		e.Topology, len(e.Problems), strings.Join(e.Problems, "\n  - "))
}

// Kind implements the contract of package outcome.
func (e *InvalidError) Kind() outcome.Kind { return outcome.Usage }

// InputError is about a file or an argument that cannot be used as it is.
type InputError struct {
	Reason string
	Err    error
}

// Error is the reason and, where there is one, its cause.
func (e *InputError) Error() string {
	if e.Err == nil {
		return e.Reason
	}
	return e.Reason + ": " + e.Err.Error()
}

// Unwrap is the cause, or nil.
func (e *InputError) Unwrap() error { return e.Err }

// Kind implements the contract of package outcome.
func (e *InputError) Kind() outcome.Kind { return outcome.Usage }

func inputError(cause error, format string, args ...any) error {
	return &InputError{Reason: fmt.Sprintf(format, args...), Err: cause}
}
