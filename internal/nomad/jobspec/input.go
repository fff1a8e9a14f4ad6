package jobspec

import (
	"fmt"

	"github.com/heron-nomad/heron/internal/outcome"
)

// InputError says that no job can be made of what was given: a value of the
// configuration or of the topology is at fault, and nothing was sent.
type InputError struct {
	// What is the value at fault.
	What string
	// Err is what is wrong with it, and what would be right.
	Err error
}

func (e *InputError) Error() string { return e.What + " " + e.Err.Error() }

func (e *InputError) Unwrap() error { return e.Err }

// Kind implements the contract of package outcome.
func (e *InputError) Kind() outcome.Kind { return outcome.Usage }

// badInput makes an *InputError; the format is that of fmt.Errorf.
func badInput(what, format string, args ...any) error {
	return &InputError{What: what, Err: fmt.Errorf(format, args...)}
}
