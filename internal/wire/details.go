package wire

import (
	"errors"

	"github.com/heron-nomad/heron/internal/nomad"
	"github.com/heron-nomad/heron/internal/operation"
	"github.com/heron-nomad/heron/internal/outcome"
)

// Details are what a failure says beside its message. They stand among the
// other fields of whatever document has them.
type Details struct {
	Removed []outcome.Resource `json:"removed,omitempty"`
	Undone  []outcome.Resource `json:"undone,omitempty"`
	// Done is what was done and stays, where the rest is yet to do.
	Done []outcome.Resource `json:"done,omitempty"`
	Left []outcome.Leftover `json:"left,omitempty"`
	// Output is what failed containers wrote last.
	Output []nomad.ContainerOutput `json:"output,omitempty"`
	// Holder is who is at work on the topology.
	Holder *operation.Holder `json:"holder,omitempty"`
}

// DetailsOf are those of a failure. One that has details of its own, as a server
// told them, has a method with the name WireDetails.
func DetailsOf(err error) Details {
	var told interface{ WireDetails() Details }
	if errors.As(err, &told) {
		return told.WireDetails()
	}
	d := Details{Holder: operation.HolderOf(err)}
	var failed *operation.Failure
	if errors.As(err, &failed) {
		d.Removed, d.Undone, d.Done, d.Left = failed.Removed, failed.Undone, failed.Done, failed.Left
	}
	var output interface {
		LastOutput() []nomad.ContainerOutput
	}
	if errors.As(err, &output) {
		d.Output = output.LastOutput()
	}
	return d
}
