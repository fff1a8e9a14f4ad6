package inspect

import (
	"fmt"
	"time"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/operation"
	"github.com/heron-nomad/heron/internal/statemgr"
)

// Status is how one topology is. It is what the command prints as JSON.
type Status struct {
	Topology string `json:"topology"`
	ID       string `json:"id"`
	Cluster  string `json:"cluster"`
	Role     string `json:"role"`
	Environ  string `json:"environ"`
	Health   Health `json:"health"`
	// Reason says why it is the health, for a person.
	Reason string `json:"reason"`
	// State is "RUNNING" or "PAUSED", from the physical plan, else from the
	// definition; "" where neither can be read.
	State       string    `json:"state"`
	SubmittedBy string    `json:"submitted_by"`
	SubmittedAt time.Time `json:"submitted_at,omitzero"`
	// Job is nil where the topology has none.
	Job *Job `json:"job"`
	// Package is nil where no record says what it is: the original client made
	// the topology, or the record is another's.
	Package  *Package `json:"package,omitempty"`
	TManager TManager `json:"tmanager"`
	Plan     Plan     `json:"plan"`
	// Wanted counts the containers of the packing plan and the TManager's;
	// Running those that run, each index once; Live all allocations that have
	// not ended.
	Wanted  int             `json:"containers_wanted"`
	Running int             `json:"containers_running"`
	Live    int             `json:"allocations_live"`
	Indexes cluster.Indexes `json:"indexes"`
	// Unplaced says why Nomad finds no node for containers.
	Unplaced []string `json:"unplaced,omitempty"`
	// Diagnosis is what the logs say where all containers run and the TManager has
	// no complete physical plan; nil elsewhere.
	Diagnosis *cluster.Diagnosis `json:"diagnosis,omitempty"`
	// Operation is one that has not ended.
	Operation  *Operation  `json:"operation,omitempty"`
	Containers []Container `json:"containers"`

	// newest is the time of the last event of any container.
	newest time.Time
}

// Job is the topology's job.
type Job struct {
	ID      string `json:"id"`
	Version uint64 `json:"version"`
	Stopped bool   `json:"stopped"`
	// Originals is how many jobs the original client made instead, one per
	// container; ID is then the first one's.
	Originals int `json:"original_jobs,omitempty"`
	// Foreign says why the job of the topology's name is not its own.
	Foreign string `json:"foreign,omitempty"`
}

// Package is what the topology's containers run.
type Package struct {
	URI    string `json:"uri"`
	SHA256 string `json:"sha256"`
	// Size is in bytes.
	Size int64 `json:"size"`
}

// What a TManager answers.
const (
	// AnswerComplete: it has a complete physical plan.
	AnswerComplete = "complete"
	// AnswerIncomplete: it waits for stream managers.
	AnswerIncomplete = "incomplete"
	// AnswerAbsent: none of this topology is registered in the state.
	AnswerAbsent = "absent"
	// AnswerUnreachable: it cannot be asked from here.
	AnswerUnreachable = "unreachable"
	// AnswerUnasked: the physical plan in the state counts.
	AnswerUnasked = "unasked"
)

// TManager is where the topology's TManager is and what it says.
type TManager struct {
	Host           string `json:"host,omitempty"`
	ControllerPort int    `json:"controller_port,omitempty"`
	// Answer is one of the answers above; Error says why there was none.
	Answer string `json:"answer"`
	Error  string `json:"error,omitempty"`
}

// Plan compares the plans of the topology.
type Plan struct {
	// Packed counts the containers of the packing plan, Registered the stream
	// managers of the physical plan.
	Packed     int `json:"packed"`
	Registered int `json:"registered"`
	// Physical: there is a physical plan. Unregistered are the containers of the
	// packing plan that have no stream manager in it.
	Physical     bool  `json:"physical"`
	Unregistered []int `json:"unregistered"`
}

// stateStopping is the state of a container that Nomad ends, stateMissing that
// of one which no node has.
const (
	stateStopping = "stopping"
	stateMissing  = "missing"
)

// Container is one container.
type Container struct {
	Index      int    `json:"index"`
	Node       string `json:"node"`
	Allocation string `json:"allocation"`
	// State is Nomad's word for the allocation, or "stopping" for one that has
	// to end, or "missing" where there is none.
	State string `json:"state"`
	// Restarts counts restarts in place; Replaced the earlier allocations that
	// Nomad still knows.
	Restarts  int       `json:"restarts"`
	Replaced  int       `json:"replaced"`
	LastEvent string    `json:"last_event"`
	EventAt   time.Time `json:"event_at,omitzero"`
	// Failure says what lastingly goes wrong.
	Failure string `json:"failure,omitempty"`
	// Ports are those that the container's processes have registered, by name.
	Ports map[string]int `json:"ports,omitempty"`
}

// Operation is a command on the topology that has not ended.
type Operation struct {
	Name  string    `json:"name"`
	Step  string    `json:"step"`
	User  string    `json:"user"`
	Host  string    `json:"host"`
	PID   int       `json:"pid"`
	Since time.Time `json:"since"`
	// Via is on whose behalf it acts, if it is an API server's.
	Via statemgr.Via `json:"via,omitzero"`
	// Alive: its process is at work, or may be.
	Alive bool `json:"alive"`
}

func newOperation(p *operation.Pending) *Operation {
	if p == nil {
		return nil
	}
	o := p.Intent.Owner
	return &Operation{Name: p.Intent.Operation, Step: p.Intent.Step, User: o.User, Host: o.Host, PID: o.PID, Since: o.Since, Via: o.Via, Alive: p.Alive}
}

// String says who does what.
func (o *Operation) String() string {
	by := fmt.Sprintf("%s by %s on %s (process %d) since %s", o.Name, o.User, o.Host, o.PID, o.Since.Format(time.RFC3339))
	if asked := o.Via.String(); asked != "" {
		by += ", an API server asked by " + asked + ","
	}
	if o.Alive {
		return by + " is under way"
	}
	return fmt.Sprintf("%s died at step %q", by, o.Step)
}
