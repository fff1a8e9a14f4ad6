package operation

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/statemgr"
)

// Pending is an operation on a topology that has not ended, as it was found.
type Pending struct {
	Intent statemgr.Intent
	// Version is that of the intent's node.
	Version int
	// Alive: its owner is at work, or may be.
	Alive bool
}

// Find looks for an operation on a topology that has not ended; nil if there
// is none.
func Find(ctx context.Context, tree statemgr.Tree, name string) (*Pending, error) {
	path := tree.Operation(name)
	node, err := tree.Read(ctx, path)
	if errors.Is(err, statemgr.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for an operation on topology %q: %w", name, err)
	}
	intent, err := statemgr.DecodeIntent(node.Data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	alive, err := tree.OwnerAlive(ctx, name, intent.Owner)
	if err != nil {
		return nil, fmt.Errorf("check whether %s is still running: %w", intent.Owner, err)
	}
	return &Pending{Intent: intent, Version: node.Version, Alive: alive}, nil
}

// BusyError says that another operation on the topology is under way.
type BusyError struct {
	Topology string
	// Owner is the process at work; zero where it is not known.
	Owner statemgr.Owner
}

// Error names the owner and says when it may be over.
func (e *BusyError) Error() string {
	if e.Owner.Token == "" {
		return fmt.Sprintf("topology %q: another operation began at the same moment; wait until it has ended", e.Topology)
	}
	return fmt.Sprintf("topology %q: %s is under way; wait until it has ended. If it crashed on another host, its claim expires with its session (heron.statemgr.zookeeper.session.timeout.ms)",
		e.Topology, e.Owner)
}

// Kind implements the contract of package outcome.
func (e *BusyError) Kind() outcome.Kind { return outcome.Busy }

// LostError says that this process was taken for dead, so its claim does not
// count any more and another operation may have taken over.
type LostError struct {
	Topology string
	// Err is the refused transaction that showed it, if there is one.
	Err error
}

// Error says what happened.
func (e *LostError) Error() string {
	text := fmt.Sprintf("topology %q: this process was taken for dead, for instance because its session with the state store expired, so it has left all as it is, and another operation may have taken over. If none has, the same command goes on", e.Topology)
	if e.Err != nil {
		text += fmt.Sprintf(" (%v)", e.Err)
	}
	return text
}

// Unwrap is the refused transaction.
func (e *LostError) Unwrap() error { return e.Err }

// Kind implements the contract of package outcome.
func (e *LostError) Kind() outcome.Kind { return outcome.Busy }

// Holder is who holds the claim on a topology, for machines.
type Holder struct {
	Command string    `json:"command"`
	User    string    `json:"user"`
	Host    string    `json:"host"`
	PID     int       `json:"pid"`
	Since   time.Time `json:"since"`
	// Via is on whose behalf it acts, if it is an API server.
	Via statemgr.Via `json:"via,omitzero"`
}

// HolderOf is whose claim a failure is about, nil where that is not known.
func HolderOf(err error) *Holder {
	var busy *BusyError
	if !errors.As(err, &busy) || busy.Owner.Token == "" {
		return nil
	}
	o := busy.Owner
	return &Holder{Command: o.Doing, User: o.User, Host: o.Host, PID: o.PID, Since: o.Since, Via: o.Via}
}
