// Package wire has what the API server and its client say to each other, as it
// stands in JSON: what both of them have to understand in the same way.
package wire

import (
	"errors"
	"fmt"
	"strings"

	"github.com/heron-nomad/heron/internal/operation"
	"github.com/heron-nomad/heron/internal/outcome"
)

// Problem is a failure. That of the original's server has a message alone.
type Problem struct {
	Message   string       `json:"message"`
	Errors    *Parameters  `json:"errors,omitempty"`
	Kind      outcome.Kind `json:"kind"`
	RequestID string       `json:"request_id,omitempty"`
	Details
	Remedy *Remedy `json:"remedy,omitempty"`
}

// Parameters are those that a request lacks.
type Parameters struct {
	Missing []string `json:"missing_parameters"`
}

// NewProblem says of a failure what there is to say of it, but for which
// parameters a request lacks. The message names what puts the failure right as
// a person can do it who has no command line of his own.
func NewProblem(err error, requestID string) *Problem {
	p := &Problem{Message: err.Error(), Kind: outcome.KindOf(err), RequestID: requestID, Details: DetailsOf(err)}
	var failed *operation.Failure
	if errors.As(err, &failed) {
		p.Message += failed.Aftermath()
	}
	if r, ok := remedyOf(err, failed); ok {
		p.Remedy = NewRemedy(&r)
		p.Message += p.Remedy.hint()
	}
	return p
}

func remedyOf(err error, failed *operation.Failure) (outcome.Remedy, bool) {
	if failed == nil {
		return outcome.RemedyOf(err)
	}
	if failed.Remedy == nil || len(failed.Left)+len(failed.Done) == 0 {
		return outcome.Remedy{}, false
	}
	return *failed.Remedy, true
}

// Remedy is what puts a failure right: an outcome.Remedy.
type Remedy struct {
	Action    string `json:"action"`
	Topology  string `json:"topology"`
	Cluster   string `json:"cluster"`
	Role      string `json:"role"`
	Environ   string `json:"environ"`
	Region    string `json:"region,omitempty"`
	Namespace string `json:"namespace,omitempty"`
}

// NewRemedy is a remedy on the wire, nil for none.
func NewRemedy(r *outcome.Remedy) *Remedy {
	if r == nil {
		return nil
	}
	return &Remedy{
		Action: r.Action, Topology: r.Topology, Cluster: r.Cluster, Role: r.Role, Environ: r.Environ,
		Region: r.Region, Namespace: r.Namespace,
	}
}

// Outcome is the remedy itself, nil for none.
func (r *Remedy) Outcome() *outcome.Remedy {
	if r == nil {
		return nil
	}
	return &outcome.Remedy{
		Action: r.Action, Topology: r.Topology, Cluster: r.Cluster, Role: r.Role, Environ: r.Environ,
		Region: r.Region, Namespace: r.Namespace,
	}
}

// Said is the message without the remedy, for those who word that themselves.
func (p *Problem) Said() string { return strings.TrimSuffix(p.Message, p.Remedy.hint()) }

// hint is the remedy as a command line, "" for one that is none.
func (r *Remedy) hint() string {
	if r == nil || r.Action != outcome.Kill {
		return ""
	}
	return fmt.Sprintf("; to clean up: heron kill %s/%s/%s %s", r.Cluster, r.Role, r.Environ, r.Topology)
}
