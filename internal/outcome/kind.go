package outcome

import (
	"context"
	"errors"
	"fmt"
)

// Kind is a kind of failure. Its text is stable: machines read it.
type Kind string

// The kinds of failure.
const (
	// Failed is any failure that is of no other kind.
	Failed Kind = "failed"
	// Usage: the input, the configuration or the way of asking is wrong.
	Usage Kind = "usage"
	// Differs: it does not fit, or it is not what was expected.
	Differs Kind = "differs"
	// NotFound: what was to be acted on does not exist.
	NotFound Kind = "not_found"
	// Exists: what was to be made exists already.
	Exists Kind = "exists"
	// Busy: somebody else is acting on it.
	Busy Kind = "busy"
	// Unreachable: a server does not answer, or not in time.
	Unreachable Kind = "unreachable"
	// Denied: a server refuses for lack of a right.
	Denied Kind = "denied"
	// Undone: it failed, and everything it had done was undone.
	Undone Kind = "undone"
	// LeftBehind: it failed, and something of it is left.
	LeftBehind Kind = "left_behind"
	// WaitExpired: what was asked for is done, but did not become good in time.
	WaitExpired Kind = "wait_expired"
	// Interrupted: the caller ended it, and nothing of it is left.
	Interrupted Kind = "interrupted"
)

// kinded is an error that knows its kind.
type kinded interface{ Kind() Kind }

// KindOf returns the kind of an error, "" for nil. The outermost error that
// knows its kind decides. An error whose only kind is Unreachable because the
// caller gave up is Interrupted.
func KindOf(err error) Kind {
	if err == nil {
		return ""
	}
	kind := Failed
	var k kinded
	switch {
	case errors.As(err, &k):
		kind = k.Kind()
	case errors.Is(err, context.DeadlineExceeded):
		kind = Unreachable
	}
	if (kind == Failed || kind == Unreachable) && errors.Is(err, context.Canceled) {
		return Interrupted
	}
	return kind
}

// Error is an error of a kind.
type Error struct {
	kind Kind
	err  error
}

// Error implements error.
func (e *Error) Error() string { return e.err.Error() }

// Unwrap returns what the error was made from.
func (e *Error) Unwrap() error { return e.err }

// Kind returns the kind that the error was made with.
func (e *Error) Kind() Kind { return e.kind }

// New makes an error of a kind, for values that callers compare with
// errors.Is.
func New(kind Kind, text string) error { return &Error{kind: kind, err: errors.New(text)} }

// Errorf makes an error of a kind; the format is that of fmt.Errorf.
func Errorf(kind Kind, format string, args ...any) error {
	return &Error{kind: kind, err: fmt.Errorf(format, args...)}
}
