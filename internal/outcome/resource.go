package outcome

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
	// Claim is the note of an operation under way on a topology; ID is its path.
	Claim = "claim"
	// File is a file or folder on this machine or, with Where, on another host.
	File = "file"
	// Server is a server that is connected to; ID is its address.
	Server = "server"
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

// String names the resource, for logs and errors.
func (r Resource) String() string {
	if r.Where == "" {
		return r.Kind + " " + r.ID
	}
	return r.Kind + " " + r.ID + " at " + r.Where
}

// Leftover is a resource that a failed command could not remove.
type Leftover struct {
	Resource
	// Why it could not be removed.
	Why string `json:"why,omitempty"`
	// ByHand says that no command of this program can remove it.
	ByHand bool `json:"by_hand,omitempty"`
}
