package outcome

import (
	"errors"
	"strings"
)

// The kinds of Resource.
const (
	// Package is a topology's package; its ID is the URI, or the name where the
	// URI is not known.
	Package = "package"
	// State is all nodes of a topology in the state store; ID is the topology,
	// Where the root.
	State = "state"
	// Node is one node of the state store; ID is its path.
	Node = "node"
	// Job is a Nomad job; Where is Nomad's address.
	Job = "job"
	// Containers are the running containers of a job; ID is the job's.
	Containers = "containers"
	// Container is one container of a topology, or several; ID is its index, or
	// several as "0-3, 7", and Where the topology.
	Container = "container"
	// Claim is the note of an operation under way on a topology; ID is its path.
	Claim = "claim"
	// Topology is a topology as a whole; ID is its name.
	Topology = "topology"
	// PhysicalPlan is which containers run what, as the TManager made it; ID is
	// the topology.
	PhysicalPlan = "physical_plan"
	// File is a file or folder on this machine or, with Where, on another host.
	File = "file"
	// Server is a server that is connected to; ID is its address.
	Server = "server"
	// Bastion is a host that connections go through.
	Bastion = "bastion"
)

// Resource is a thing that a command makes, changes or removes.
type Resource struct {
	// Kind is one of the kinds above.
	Kind string `json:"kind"`
	// ID tells it from others of its kind.
	ID string `json:"id"`
	// Where it is: an address, a root, the name of an uploader; "" where the ID
	// says it all.
	Where string `json:"where,omitempty"`
}

// String names the resource, for messages.
func (r Resource) String() string {
	switch {
	case r.Kind == State:
		return "state of topology " + r.ID + " below " + r.Where
	case r.Kind == Containers && r.Where == "":
		return "containers of job " + r.ID
	case r.Kind == Container && strings.ContainsAny(r.ID, "-,"):
		return "containers " + r.ID + " of topology " + r.Where
	case r.Kind == Container:
		return "container " + r.ID + " of topology " + r.Where
	case r.Kind == PhysicalPlan:
		return "physical plan of topology " + r.ID
	case r.Kind == Package || r.Where == "":
		return r.Kind + " " + r.ID
	}
	return r.Kind + " " + r.ID + " at " + r.Where
}

// Phrase says what is done to a resource, as in "trying to …".
func Phrase(action string, r Resource) string {
	if r == (Resource{}) {
		return action
	}
	return action + " the " + r.String()
}

// Leftover is a resource that a failed command could not remove.
type Leftover struct {
	Resource
	// Why it could not be removed.
	Why string `json:"why,omitempty"`
	// ByHand says that no command of this program can remove it.
	ByHand bool `json:"by_hand,omitempty"`
}

// LeftoversOf returns what an error says is left, for instance by an upload
// that could not remove its parts.
func LeftoversOf(err error) []Leftover {
	var l interface{ Leftovers() []Leftover }
	if errors.As(err, &l) {
		return l.Leftovers()
	}
	return nil
}

// DoneOf returns what an operation had done, and what stays, when the error
// ended it.
func DoneOf(err error) []Resource {
	var d interface{ Done() []Resource }
	if errors.As(err, &d) {
		return d.Done()
	}
	return nil
}
