package nomad

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/heron-nomad/heron/internal/outcome"
)

// ErrDenied says that the token, or the lack of one, does not allow the
// request; the error is a *DeniedError.
var ErrDenied = outcome.New(outcome.Denied, "nomad denies it")

// DeniedError is Nomad's refusal of a request for lack of a right. Nothing was
// changed.
type DeniedError struct {
	Refusal *RejectedError
	// Capability is what a token needs for the request, in the words of
	// Nomad's policies; Policy the line of a policy that gives it. Both are
	// empty where the request needs none.
	Capability, Policy string
	// HasToken is false where the request was made without a token; how to give
	// one is for the caller to say.
	HasToken bool
}

// Error implements error.
func (e *DeniedError) Error() string {
	switch {
	case e.Refusal.Status == http.StatusUnauthorized:
		// Nomad itself answers 403.
		return fmt.Sprintf("%s; a proxy before Nomad may want a user and a password (HTTP basic authentication)", e.Refusal)
	case e.Capability == "":
		return fmt.Sprintf("%s; see whether the token is valid", e.Refusal)
	case !e.HasToken:
		return fmt.Sprintf("%s; no token was given, and one with the capability %s is needed (%s)",
			e.Refusal, e.Capability, e.Policy)
	}
	// Nomad gives the same answer to tokens that it does not know.
	return fmt.Sprintf("%s; the token lacks the capability %s (%s), or is not valid", e.Refusal, e.Capability, e.Policy)
}

// Is says that it is ErrDenied.
func (e *DeniedError) Is(target error) bool { return target == ErrDenied }

// Kind implements the contract of package outcome.
func (e *DeniedError) Kind() outcome.Kind { return outcome.Denied }

// Unwrap is the refusal.
func (e *DeniedError) Unwrap() error { return e.Refusal }

// right is what a token must have for a request: a capability of a namespace,
// or, as "node:read", a policy of what belongs to none. The empty one is
// nothing.
type right string

// Rights that this package needs, as docs/nomad-acl.md lists them.
const (
	listJobs  right = "list-jobs"
	readJob   right = "read-job"
	submitJob right = "submit-job"
	nodeRead  right = "node:read"
	// allocLifecycle is for one container at a time.
	allocLifecycle right = "alloc-lifecycle"
	agentRead      right = "agent:read"
	readFS         right = "read-fs"
	readLogs       right = "read-logs"
)

// policy is how a policy gives the right.
func (r right) policy(namespace string) string {
	if r == "" {
		return ""
	}
	if block, policy, ok := strings.Cut(string(r), ":"); ok {
		return fmt.Sprintf("%s { policy = %q }", block, policy)
	}
	return fmt.Sprintf("namespace %q { capabilities = [%q] }", namespace, string(r))
}
