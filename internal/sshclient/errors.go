package sshclient

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/heron-nomad/heron/internal/outcome"
)

// Errors that callers tell apart.
var (
	// ErrHostKey: the host's key is not known, or not the known one. The error
	// is an *HostKeyError.
	ErrHostKey = errors.New("host key not accepted")
	// ErrAuth: the host does not let us in.
	ErrAuth = errors.New("log-in refused")
	// ErrUnreachable: no SSH server answers there, or not in time.
	ErrUnreachable = errors.New("unreachable")
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

// timeoutError is why an attempt was given up.
type timeoutError struct{ after time.Duration }

func (e *timeoutError) Error() string { return fmt.Sprintf("no answer within %v", e.after) }

// Is makes it a deadline that has passed.
func (e *timeoutError) Is(target error) bool { return target == context.DeadlineExceeded }

// unreachable says which host does not answer. Where the caller gave up, that
// is the reason.
func (l *login) unreachable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("connect to %s: %w", l, err)
	}
	return fmt.Errorf("connect to %s: %w: %w; check the host and its port, and that its SSH server runs", l, ErrUnreachable, err)
}
