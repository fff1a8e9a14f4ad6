package nomad

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/outcome"
)

// Errors that callers tell apart with errors.Is.
var (
	// ErrNotFound: there is no such job.
	ErrNotFound = errors.New("no such job")
	// ErrExists: the job's id is taken; the error is an *ExistsError.
	ErrExists = outcome.New(outcome.Exists, "job exists already")
	// ErrConflict: somebody else changed the job in between, so nothing was
	// written. Read it again and decide anew.
	ErrConflict = outcome.New(outcome.Exists, "job was changed by somebody else")
	// ErrUnreachable: no usable answer in time.
	ErrUnreachable = outcome.New(outcome.Unreachable, "nomad is unreachable")
	// ErrUnknownOutcome: the write was sent, and no answer says what became of
	// it. It may still take effect. Read back before going on.
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

func rejected(err error) bool {
	var r *RejectedError
	return errors.As(err, &r)
}

// enforceIndexMark starts Nomad's message about a write whose index did not
// match. The API has neither a status nor a code for it.
const enforceIndexMark = "Enforcing job modify index"

// indexRefused says whether an answer means that the job's index was another
// than the one enforced.
func indexRefused(answer api.UnexpectedResponseError) bool {
	return answer.StatusCode() == http.StatusInternalServerError && strings.Contains(answer.Body(), enforceIndexMark)
}

// read runs one reading request with its own deadline. needs is the right
// that a token must have for it.
func (c *Client) read(ctx context.Context, what string, needs right, do func(*api.QueryOptions) error) error {
	bounded, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	return c.explain(ctx, bounded, what, needs, do((&api.QueryOptions{}).WithContext(bounded)))
}

// write runs one changing request with its own deadline. Its error wraps
// ErrUnknownOutcome where the request may have reached Nomad without an
// answer that tells.
func (c *Client) write(ctx context.Context, what string, needs right, do func(*api.WriteOptions) error) error {
	bounded, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	traced, sent := traceSent(bounded)
	raw := do((&api.WriteOptions{}).WithContext(traced))
	err := c.explain(ctx, bounded, what, needs, raw)
	if err == nil || !sent() || decided(raw) {
		return err
	}
	return fmt.Errorf("%w; %w", err, ErrUnknownOutcome)
}

// decided says whether an answer tells that the write was not done.
func decided(err error) bool {
	var answer api.UnexpectedResponseError
	return errors.As(err, &answer) && (answer.StatusCode() < 500 || indexRefused(answer))
}

// explain turns an error of the API into one of this package. caller is the
// context of whoever asked, bounded the one with the request's deadline.
func (c *Client) explain(caller, bounded context.Context, what string, needs right, err error) error {
	if err == nil {
		return nil
	}
	var answer api.UnexpectedResponseError
	if errors.As(err, &answer) {
		return c.explainAnswer(what, needs, answer)
	}
	if caller.Err() != nil {
		return fmt.Errorf("%s at %s: %w", what, c.address, context.Cause(caller))
	}
	if bounded.Err() != nil {
		return fmt.Errorf("%s: %w: no answer from %s within %s", what, ErrUnreachable, c.address, c.timeout)
	}
	// The outer error repeats method and URL.
	var outer *url.Error
	if errors.As(err, &outer) {
		err = outer.Err
	}
	return fmt.Errorf("%s: %w at %s: %w", what, ErrUnreachable, c.address, err)
}

func (c *Client) explainAnswer(what string, needs right, answer api.UnexpectedResponseError) error {
	status, message := answer.StatusCode(), oneLine(answer.Body())
	if message == "" {
		message = http.StatusText(status)
	}
	switch {
	case indexRefused(answer):
		return fmt.Errorf("%s: %w: %s", what, ErrConflict, message)
	case status == http.StatusNotFound:
		return fmt.Errorf("%s: nomad at %s: %w", what, c.address, ErrNotFound)
	case status == http.StatusTooManyRequests, status >= 500:
		return fmt.Errorf("%s: %w: %s answers %d: %s", what, ErrUnreachable, c.address, status, message)
	}
	refusal := &RejectedError{What: what, Address: c.address, Status: status, Message: message}
	if status == http.StatusForbidden || status == http.StatusUnauthorized {
		return &DeniedError{Refusal: refusal, Capability: string(needs), Policy: needs.policy(c.namespace), HasToken: c.hasToken}
	}
	return refusal
}

// errorCount heads each level of Nomad's lists of errors.
var errorCount = regexp.MustCompile(`\d+ errors? occurred:`)

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
