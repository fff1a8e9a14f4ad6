package apiclient

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/wire"
)

// Error is a request that no API server answered as one does.
type Error struct {
	// URL is the server's; Reason is why that did not work.
	URL, Reason string
	Err         error
	// Unreachable: there was no answer, or none in time.
	Unreachable bool
}

func (e *Error) Error() string { return fmt.Sprintf("ask the API server %s: %s", e.URL, e.Reason) }

// Unwrap is the error below, if there is one.
func (e *Error) Unwrap() error { return e.Err }

// Kind implements the contract of package outcome.
func (e *Error) Kind() outcome.Kind {
	if e.Unreachable {
		return outcome.Unreachable
	}
	return outcome.Failed
}

// Problem is a failure that the API server tells.
type Problem struct {
	// URL is the server's.
	URL string
	// Told is what the server says.
	Told wire.Problem
}

func (p *Problem) Error() string {
	if p.Told.RequestID == "" {
		return fmt.Sprintf("%s (the API server %s)", p.Told.Said(), p.URL)
	}
	return fmt.Sprintf("%s (the API server %s, request %s)", p.Told.Said(), p.URL, p.Told.RequestID)
}

// Kind implements the contract of package outcome.
func (p *Problem) Kind() outcome.Kind { return p.Told.Kind }

// WireDetails are those that the server told.
func (p *Problem) WireDetails() wire.Details { return p.Told.Details }

// problem is the error of a failure that our own server tells. Whoever shows its
// remedy words it for the command line that was used.
func (c *Client) problem(told wire.Problem) error {
	p := &Problem{URL: c.URL(), Told: told}
	if r := told.Remedy.Outcome(); r != nil {
		return outcome.WithRemedy(p, *r)
	}
	return p
}

// refusal is the error of an answer that is no success.
func (c *Client) refusal(resp *http.Response, body []byte) error {
	var d wire.Problem
	err := json.Unmarshal(body, &d)
	if err == nil && d.Kind != "" && d.Message != "" {
		return c.problem(d)
	}
	kind := kindOf(resp.StatusCode)
	if err == nil && d.Message != "" {
		// The original server: it has one status for all that fails.
		return &Problem{URL: c.URL(), Told: wire.Problem{Message: d.Message, Kind: kindOfText(kind, d.Message)}}
	}
	reason := "it answers " + resp.Status
	switch {
	case err == nil && strings.Contains(string(body), `"message"`):
		reason = "it failed and does not say why (" + resp.Status + "); its log does"
	case kind == outcome.Failed && resp.StatusCode == http.StatusNotFound:
		reason += "; is the address right, with the path that a proxy adds?"
	}
	return outcome.Errorf(kind, "%w", &Error{URL: c.URL(), Reason: reason})
}

// kindOf is the kind of a failure that has nothing but a status.
func kindOf(status int) outcome.Kind {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusProxyAuthRequired:
		return outcome.Denied
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		return outcome.Usage
	case http.StatusConflict:
		return outcome.Exists
	case http.StatusRequestTimeout, http.StatusTooManyRequests,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return outcome.Unreachable
	}
	return outcome.Failed
}

// kindOfText is the kind of a failure by the words that the original has for it.
func kindOfText(kind outcome.Kind, text string) outcome.Kind {
	switch {
	case strings.Contains(text, "already exists"):
		return outcome.Exists
	case strings.Contains(text, "does not exist"):
		return outcome.NotFound
	case strings.Contains(text, "does not match. Topology"),
		strings.HasPrefix(text, "Invalid component name"), strings.HasPrefix(text, "Invalid parallelism parameter"):
		return outcome.Usage
	case strings.Contains(text, "is not in state"):
		return outcome.Differs
	case strings.Contains(text, "Failed to connect to"):
		return outcome.Unreachable
	}
	return kind
}
