package outcome

import "errors"

// The actions of a Remedy.
const (
	// Kill removes what there is of a topology.
	Kill = "kill"
	// Repeat is the same request once more, which continues where it stopped.
	Repeat = "repeat"
	// Unlock removes the claim of an operation that died.
	Unlock = "unlock"
	// Restart starts the containers of a topology anew.
	Restart = "restart"
	// GC removes packages that nothing uses.
	GC = "gc"
)

// Remedy is what puts a failure right. Whoever shows it words it: as a command
// line, or as a request.
type Remedy struct {
	// Action is one of the actions above.
	Action string
	// Topology, Cluster, Role and Environ say on what.
	Topology, Cluster, Role, Environ string
	// Region and Namespace of Nomad, where they must differ from those of the
	// failed request.
	Region, Namespace string
}

// remedied is an error that knows its remedy.
type remedied struct {
	error
	remedy Remedy
}

func (e *remedied) Unwrap() error { return e.error }

// WithRemedy adds a remedy to an error.
func WithRemedy(err error, r Remedy) error { return &remedied{error: err, remedy: r} }

// RemedyOf returns the remedy that the outermost error with one names.
func RemedyOf(err error) (Remedy, bool) {
	var r *remedied
	if errors.As(err, &r) {
		return r.remedy, true
	}
	return Remedy{}, false
}
