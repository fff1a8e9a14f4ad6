package uploader

import (
	"errors"
	"fmt"

	"github.com/heron-nomad/heron/internal/outcome"
)

// Errors that callers tell apart.
var (
	// ErrTarget: the place is wrong, full or read-only. Trying again does not
	// help.
	ErrTarget = errors.New("cannot store packages there")
	// ErrDenied: the place does not accept our credentials.
	ErrDenied = outcome.New(outcome.Denied, "access denied")
	// ErrUnreachable: no answer in time, or one that says to try again.
	ErrUnreachable = outcome.New(outcome.Unreachable, "unreachable")
	// ErrContent: the source did not deliver what it announced, in size or
	// digest.
	ErrContent = errors.New("content is not what was announced")
	// ErrForeign: a URI that this uploader could not have returned; nothing
	// was touched.
	ErrForeign = errors.New("not a package of this uploader")
)

// ConfigError is a setting or a name that no upload can work with.
type ConfigError struct {
	// What is the setting or thing that is wrong, Value what it says.
	What, Value string
	// Reason says what is wrong with it and what would be right.
	Reason string
}

// Error implements error.
func (e *ConfigError) Error() string {
	if e.Value == "" {
		return e.What + ": " + e.Reason
	}
	return fmt.Sprintf("%s %q: %s", e.What, e.Value, e.Reason)
}

// Kind implements the contract of package outcome.
func (e *ConfigError) Kind() outcome.Kind { return outcome.Usage }

// LeftoverError is an upload that failed and left something behind, or may
// have, that could not be removed. Without fixed names the upload is not tried
// again: that would leave one more.
type LeftoverError struct {
	// What is left: a package, by its URI, or by its name where the URI is not
	// known; Where is the place or the hosts.
	What outcome.Resource
	// Why says how much of it is left, and why it could not be removed.
	Why string
	// Err is why the upload failed.
	Err error
}

// Error says why the upload failed and what is left.
func (e *LeftoverError) Error() string {
	return fmt.Sprintf("%v; left behind: %s (%s)", e.Err, e.What, e.Why)
}

// Unwrap is why the upload failed.
func (e *LeftoverError) Unwrap() error { return e.Err }

// Kind implements the contract of package outcome. What failed may be undone
// by a repetition; that something is left is what the caller must know.
func (e *LeftoverError) Kind() outcome.Kind { return outcome.LeftBehind }

// Leftovers implements the contract of outcome.LeftoversOf.
func (e *LeftoverError) Leftovers() []outcome.Leftover {
	return []outcome.Leftover{{Resource: e.What, Why: e.Why}}
}
