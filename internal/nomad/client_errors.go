package nomad

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/lazyregexp"
	"github.com/heron-nomad/heron/internal/outcome"
)

// Errors that callers tell apart with errors.Is.
var (
	// ErrNotFound: there is no such job.
	ErrNotFound = outcome.New(outcome.NotFound, "no such job")
	// ErrExists: the job's id is taken; the error is an *ExistsError.
	ErrExists = outcome.New(outcome.Exists, "job exists already")
	// ErrConflict: somebody else changed the job in between, so nothing was
	// written. Read it again and decide anew.
	ErrConflict = outcome.New(outcome.Exists, "job was changed by somebody else")
	// ErrUnreachable: no usable answer in time; the error is an
	// *UnreachableError.
	ErrUnreachable = outcome.New(outcome.Unreachable, "nomad is unreachable")
	// ErrUnknownOutcome: the write was sent, and no answer says what became of
	// it. It may still take effect. Read back before continuing.
	ErrUnknownOutcome = errors.New("it is not known whether Nomad did it")
)

// RejectedError is Nomad's refusal of a request that it understood: nothing
// was changed, and the same request would be refused again.
type RejectedError struct {
	// What was asked for, and at which address.
	What, Address string
	// Status is the HTTP status; 400 for a job that failed validation.
	Status int
	// Message is Nomad's.
	Message string
}

// Error implements error.
func (e *RejectedError) Error() string {
	return fmt.Sprintf("%s: nomad at %s refuses: %s", e.What, e.Address, e.Message)
}

// UnreachableError says that Nomad gave no usable answer. It is ErrUnreachable.
type UnreachableError struct {
	// What was asked for, and at which address.
	What, Address string
	// From is what named the address, "" where the client was not told.
	From string
	// Waited is how long the request was repeated, 0 where repeating it was no
	// use.
	Waited time.Duration
	// RetryAfter is when the server wants to be asked again, 0 where it does not
	// say.
	RetryAfter time.Duration
	// Err is what went wrong.
	Err error
}

// Error implements error.
func (e *UnreachableError) Error() string {
	return fmt.Sprintf("%s: %s", e.What, e.reason())
}

// reason is the error without what was asked for.
func (e *UnreachableError) reason() string {
	text := "nomad at " + e.Address
	if e.From != "" {
		text += " (" + e.From + ")"
	}
	text += fmt.Sprintf(" is unreachable: %v", e.Err)
	switch {
	case e.RetryAfter > 0 && e.Waited > 0:
		text += fmt.Sprintf("; it wants to be asked again after %s, and requests are given up after %s", e.RetryAfter.Round(time.Second), e.Waited)
	case e.Waited > 0:
		text += fmt.Sprintf("; tried for %s", e.Waited)
	}
	return text
}

// Unwrap is what went wrong.
func (e *UnreachableError) Unwrap() error { return e.Err }

// Is says that it is ErrUnreachable.
func (e *UnreachableError) Is(target error) bool { return target == ErrUnreachable }

// Kind implements the contract of package outcome.
func (e *UnreachableError) Kind() outcome.Kind { return outcome.Unreachable }

// lostError says that a write was sent, and that neither its answer nor
// reading back says what became of it. It is ErrUnknownOutcome.
type lostError struct {
	// write is the failure of the write; readBack that of reading back, nil
	// where nothing was read.
	write, readBack error
}

// Error implements error. A server that does not answer is named once.
func (e *lostError) Error() string {
	text := fmt.Sprintf("%v; %v", e.write, ErrUnknownOutcome)
	var same *UnreachableError
	switch {
	case e.readBack == nil:
	case errors.As(e.readBack, &same) && errors.Is(e.write, ErrUnreachable):
		text += fmt.Sprintf("; reading back failed too: %v", same.Err)
	default:
		text += fmt.Sprintf("; reading back failed too: %v", e.readBack)
	}
	return text
}

// Unwrap are both failures.
func (e *lostError) Unwrap() []error {
	list := []error{e.write, ErrUnknownOutcome}
	if e.readBack != nil {
		list = append(list, e.readBack)
	}
	return list
}

func rejected(err error) bool {
	var r *RejectedError
	return errors.As(err, &r)
}

func (c *Client) explainAnswer(what string, needs right, hint *retryHint, answer api.UnexpectedResponseError) error {
	status, message := answer.StatusCode(), oneLine(answer.Body())
	if message == "" {
		message = http.StatusText(status)
	}
	switch {
	case indexRefused(answer):
		return fmt.Errorf("%s: %w: %s", what, ErrConflict, message)
	case status == http.StatusNotFound:
		return fmt.Errorf("%s: nomad at %s: %w", what, c.address, ErrNotFound)
	case streamDenied(answer):
		status = http.StatusForbidden
	case status == http.StatusTooManyRequests, status >= 500:
		return &UnreachableError{
			What: what, Address: c.address, From: c.from, RetryAfter: hint.after,
			Err: fmt.Errorf("it answers %d: %s", status, message),
		}
	}
	refusal := &RejectedError{What: what, Address: c.address, Status: status, Message: message}
	if status == http.StatusForbidden || status == http.StatusUnauthorized {
		return &DeniedError{Refusal: refusal, Capability: string(needs), Policy: needs.policy(c.namespace), HasToken: c.hasToken}
	}
	return refusal
}

// errorCount heads each level of Nomad's lists of errors.
var errorCount = lazyregexp.New(`\d+ errors? occurred:`)

// oneLine makes one line of Nomad's nested lists of errors.
func oneLine(message string) string {
	var line string
	for part := range strings.Lines(message) {
		part = strings.TrimSpace(errorCount.ReplaceAllString(part, ""))
		part = strings.TrimSpace(strings.TrimPrefix(part, "*"))
		switch {
		case part == "":
		case line == "":
			line = part
		case strings.HasSuffix(line, ":"):
			line += " " + part
		default:
			line += "; " + part
		}
	}
	return line
}
