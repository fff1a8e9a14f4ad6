package sshconfig

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/heron-nomad/heron/internal/outcome"
)

// InputError is a target, an option or a line of a configuration file that
// cannot be followed.
type InputError struct {
	// What is the thing that is wrong, Value what it says.
	What, Value string
	// Reason says what is wrong with it and what would be right.
	Reason string
}

// Error implements error.
func (e *InputError) Error() string {
	return fmt.Sprintf("%s %q: %s", e.What, e.Value, e.Reason)
}

// Kind implements the contract of package outcome.
func (e *InputError) Kind() outcome.Kind { return outcome.Usage }

// LookupError is a host whose name had to be looked up and was not found.
type LookupError struct {
	// Host is the name, as it was looked up.
	Host string
	// Reason is what went wrong.
	Reason error
}

// Unwrap returns the reason.
func (e *LookupError) Unwrap() error { return e.Reason }

// Error implements error.
func (e *LookupError) Error() string {
	return fmt.Sprintf("look up the SSH host %s: %v; check its name and the Canonicalize options", e.Host, e.Reason)
}

// Kind implements the contract of package outcome.
func (e *LookupError) Kind() outcome.Kind { return outcome.Unreachable }

// FileReason is the text of a file error without the file's name, for the
// Reason of an InputError that names the file itself.
func FileReason(err error) string {
	var in *fs.PathError
	if errors.As(err, &in) {
		return in.Err.Error()
	}
	return err.Error()
}
