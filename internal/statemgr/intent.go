package statemgr

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// intentFormat is the version of Intent's format.
const intentFormat = 1

// The operations that change a topology.
const (
	OperationSubmit     = "submit"
	OperationKill       = "kill"
	OperationActivate   = "activate"
	OperationDeactivate = "deactivate"
	OperationRestart    = "restart"
	OperationUpdate     = "update"
	OperationReplace    = "replace"
	OperationRollback   = "rollback"
)

// Operations returns all operations that leave an Intent.
func Operations() []string {
	return []string{
		OperationSubmit, OperationKill, OperationActivate, OperationDeactivate,
		OperationRestart, OperationUpdate, OperationReplace, OperationRollback,
	}
}

// Intent says what an operation on a topology is about to do, for those who
// find it unfinished. It is written before anything else of the operation and
// removed last. It holds no secrets.
type Intent struct {
	// Version is that of the format, 1. Encode sets it.
	Version int `json:"version"`
	// Operation is one of Operations.
	Operation string `json:"operation"`
	// Step is the step of the operation that has begun. Steps, if not empty,
	// are all steps of this run, in order. Both are the operation's own names
	// and have no meaning here.
	Step  string   `json:"step"`
	Steps []string `json:"steps,omitempty"`
	// TopologyID is the id that all parts of the topology carry.
	TopologyID string `json:"topology_id"`
	// Request is a digest of what was asked for, without the id, times and
	// secrets: a request can continue the work of an equal one. Operations that
	// need no digest leave it empty.
	Request string `json:"request"`
	Cluster string `json:"cluster"`
	Role    string `json:"role"`
	Environ string `json:"environ"`
	// Package is where a new package goes; zero for operations that store none.
	Package IntentPackage `json:"package,omitzero"`
	Nomad   IntentNomad   `json:"nomad"`
	// SubmittedAt is the submission time that the state records, in UTC, to the
	// second; zero for operations that record none.
	SubmittedAt time.Time `json:"submitted_at,omitzero"`
	// Restart is how far a restart is; zero for other operations.
	Restart IntentRestart `json:"restart,omitzero"`
	// Makes is the number of the version that a replacement or a rollback puts in
	// place, Base that of the one which runs before.
	Makes int `json:"makes,omitempty"`
	Base  int `json:"base,omitempty"`
	// State is the one that the topology is to have in the end, RUNNING or PAUSED;
	// "" for operations that do not change it on the way.
	State string `json:"state,omitempty"`
	Owner Owner  `json:"owner"`
}

// IntentRestart is how far a restart of containers is.
type IntentRestart struct {
	// Next is the lowest index of the containers that are being restarted; those
	// below are done.
	Next int `json:"next"`
	// Before is what those containers were before, by index. One that is another
	// now was restarted.
	Before map[int]IntentContainer `json:"before,omitempty"`
}

// IntentContainer tells a container from the same one after a restart.
type IntentContainer struct {
	Allocation string `json:"allocation"`
	// Started is when its program was started, Signaled when it was last asked to
	// restart, as its node knows it.
	Started  time.Time `json:"started,omitzero"`
	Signaled time.Time `json:"signaled,omitzero"`
}

// Partial says that the operation, where it died, may have left a part of a
// topology only: it makes topologies or removes them. Every other operation
// leaves the topology in place.
func (i Intent) Partial() bool {
	return i.Operation == OperationSubmit || i.Operation == OperationKill
}

// IntentPackage identifies a package.
type IntentPackage struct {
	Uploader string `json:"uploader"`
	Name     string `json:"name"`
	// URI is empty until it is known.
	URI    string `json:"uri,omitempty"`
	SHA256 string `json:"sha256"`
	// Size is in bytes.
	Size int64 `json:"size"`
}

// IntentNomad identifies a job and the servers that run it. Empty texts stand
// for defaults.
type IntentNomad struct {
	Address   string `json:"address"`
	Region    string `json:"region,omitempty"`
	Namespace string `json:"namespace,omitempty"`
	JobID     string `json:"job_id"`
}

// Encode returns what the store keeps: JSON, the same bytes for the same
// intent. An operation that is not one of Operations is an error, because
// nobody could read it.
func (i Intent) Encode() ([]byte, error) {
	if !slices.Contains(Operations(), i.Operation) {
		return nil, fmt.Errorf("encode intent of %s: unknown operation %q", i.TopologyID, i.Operation)
	}
	i.Version = intentFormat
	if !i.SubmittedAt.IsZero() {
		i.SubmittedAt = i.SubmittedAt.UTC().Truncate(time.Second)
	}
	data, err := json.Marshal(i)
	if err != nil {
		return nil, fmt.Errorf("encode intent of %s: %w", i.TopologyID, err)
	}
	return data, nil
}

// DecodeIntent reads an intent. Unknown fields are ignored; an intent of a
// later version or of an unknown operation is an error.
func DecodeIntent(data []byte) (Intent, error) {
	var i Intent
	if err := json.Unmarshal(data, &i); err != nil {
		return Intent{}, fmt.Errorf("decode intent: %w", err)
	}
	if i.Version != intentFormat || !slices.Contains(Operations(), i.Operation) {
		return Intent{}, fmt.Errorf("decode intent: this program does not know operation %q in version %d: use the release that wrote it, or a later one",
			i.Operation, i.Version)
	}
	if !isToken(i.Owner.Token) {
		return Intent{}, fmt.Errorf("decode intent: the owner's token %q is invalid", i.Owner.Token)
	}
	return i, nil
}
