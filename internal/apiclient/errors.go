package apiclient

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/heron-nomad/heron/internal/nomad"
	"github.com/heron-nomad/heron/internal/outcome"
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
	// URL is the server's, RequestID finds the request in its log.
	URL, RequestID string
	Message        string
	// What became of what the operation had done; the message says it too.
	Removed, Undone, Done []outcome.Resource
	Left                  []outcome.Leftover
	// Output is what failed containers wrote last.
	Output []nomad.ContainerOutput

	kind outcome.Kind
}

func (p *Problem) Error() string {
	if p.RequestID == "" {
		return fmt.Sprintf("%s (the API server %s)", p.Message, p.URL)
	}
	return fmt.Sprintf("%s (the API server %s, request %s)", p.Message, p.URL, p.RequestID)
}

// Kind implements the contract of package outcome.
func (p *Problem) Kind() outcome.Kind { return p.kind }

// LastOutput is what failed containers wrote last.
func (p *Problem) LastOutput() []nomad.ContainerOutput { return p.Output }

// problemDoc is a Problem on the wire.
type problemDoc struct {
	Message   string                  `json:"message"`
	Kind      outcome.Kind            `json:"kind"`
	RequestID string                  `json:"request_id"`
	Removed   []outcome.Resource      `json:"removed"`
	Undone    []outcome.Resource      `json:"undone"`
	Done      []outcome.Resource      `json:"done"`
	Left      []outcome.Leftover      `json:"left"`
	Output    []nomad.ContainerOutput `json:"output"`
	Remedy    *remedyDoc              `json:"remedy"`
}

// remedyDoc is a remedy on the wire.
type remedyDoc struct {
	Action    string `json:"action"`
	Topology  string `json:"topology"`
	Cluster   string `json:"cluster"`
	Role      string `json:"role"`
	Environ   string `json:"environ"`
	Region    string `json:"region"`
	Namespace string `json:"namespace"`
}

func (r *remedyDoc) remedy() *outcome.Remedy {
	if r == nil {
		return nil
	}
	return &outcome.Remedy{
		Action: r.Action, Topology: r.Topology, Cluster: r.Cluster, Role: r.Role, Environ: r.Environ,
		Region: r.Region, Namespace: r.Namespace,
	}
}

// problem is the error of a failure that our own server tells.
func (c *Client) problem(d problemDoc) error {
	p := &Problem{
		URL: c.URL(), RequestID: d.RequestID, Message: d.Message, kind: d.Kind,
		Removed: d.Removed, Undone: d.Undone, Done: d.Done, Left: d.Left, Output: d.Output,
	}
	r := d.Remedy.remedy()
	if r == nil {
		return p
	}
	// Whoever shows the remedy words it for the command line that was used.
	p.Message = strings.TrimSuffix(p.Message, fmt.Sprintf("; to clean up: heron kill %s/%s/%s %s", r.Cluster, r.Role, r.Environ, r.Topology))
	return outcome.WithRemedy(p, *r)
}

// refusal is the error of an answer that is no success.
func (c *Client) refusal(resp *http.Response, body []byte) error {
	var d problemDoc
	err := json.Unmarshal(body, &d)
	if err == nil && d.Kind != "" && d.Message != "" {
		return c.problem(d)
	}
	kind := kindOf(resp.StatusCode)
	if err == nil && d.Message != "" {
		// The original server: it has one status for all that fails.
		return &Problem{URL: c.URL(), Message: d.Message, kind: kindOfText(kind, d.Message)}
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
