// Package statemgr keeps the state of topologies where Heron's processes,
// heron-tracker and other clients look for it: in ZooKeeper or, for trials on
// one machine, in a folder.
//
// A Store knows nodes, versions and transactions; Layout knows which node
// holds what. What to write, and when, is decided elsewhere.
package statemgr

import (
	"context"
	"errors"
	"fmt"

	"github.com/heron-nomad/heron/internal/outcome"
)

// Errors that callers tell apart; a Store wraps them with the path.
var (
	// ErrNotFound: the node, or the parent of a node to create, is absent.
	ErrNotFound = errors.New("not found")
	// ErrExists: a node to create is there.
	ErrExists = outcome.New(outcome.Exists, "already exists")
	// ErrVersion: a node is not at the version that an operation names.
	ErrVersion = errors.New("changed in the meantime")
	// ErrNotEmpty: a node to delete has children.
	ErrNotEmpty = errors.New("not empty")
	// ErrUnreachable: no answer within the store's time limit. What was asked
	// for may have been done.
	ErrUnreachable = outcome.New(outcome.Unreachable, "unreachable")
	// ErrTooLarge: a transaction is above what the server takes in one.
	ErrTooLarge = errors.New("too large for one transaction")
	// ErrDenied: the server knows who we are and refuses, or wants to know.
	ErrDenied = outcome.New(outcome.Denied, "access denied")
)

// AnyVersion in an operation means: whatever the node's version is.
const AnyVersion = -1

// Node is what a store has at a path.
type Node struct {
	Data []byte
	// Version counts changes of the data, from 0.
	Version int
	// Created tells a node from a later one of the same path (ZooKeeper's
	// czxid).
	Created int64
	// Ephemeral nodes go with the session that made them.
	Ephemeral bool
}

// OpKind says what an operation of a transaction does.
type OpKind int

// The kinds of operation.
const (
	// OpCreate makes a persistent node; parent there, node absent. A node
	// without data is a directory, and only directories have children.
	OpCreate OpKind = iota
	// OpSet changes a node's data at Version; no data is an InvalidError.
	OpSet
	// OpDelete removes a node without children at Version.
	OpDelete
	// OpCheck does nothing but demand Version.
	OpCheck
)

// Op is one part of a transaction. Paths are absolute and below the store's
// root, as Layout makes them.
type Op struct {
	Kind    OpKind
	Path    string
	Data    []byte
	Version int
}

// Create makes a node that must not be there.
func Create(path string, data []byte) Op { return Op{Kind: OpCreate, Path: path, Data: data} }

// Set changes the data of a node that is there, at any version; At names one.
func Set(path string, data []byte) Op {
	return Op{Kind: OpSet, Path: path, Data: data, Version: AnyVersion}
}

// Delete removes a node that is there.
func Delete(path string) Op { return Op{Kind: OpDelete, Path: path, Version: AnyVersion} }

// Check demands that a node is there.
func Check(path string) Op { return Op{Kind: OpCheck, Path: path, Version: AnyVersion} }

// At is the operation for one version of the node only.
func (o Op) At(version int) Op { o.Version = version; return o }

// Store is a tree of nodes with transactions. All its methods end within the
// time limits it was opened with, and at once, with ctx's error, when ctx
// ends. Methods may be called from several goroutines. A path that is not
// absolute and clean is an InvalidError.
type Store interface {
	// Read returns the node at path; ErrNotFound where there is none.
	Read(ctx context.Context, path string) (Node, error)
	// Children lists the names below path, sorted; ErrNotFound where there is
	// no such node.
	Children(ctx context.Context, path string) ([]string, error)
	// Apply does all operations, in order, or none. An operation that is
	// refused is named by a TxError. After ErrUnreachable, and when ctx ended,
	// the outcome is unknown: read, then decide. It is settled by then: a
	// transaction that was given up is not done after a later Read of the same
	// Store.
	Apply(ctx context.Context, ops ...Op) error
	// EnsureDirs makes the paths, and what is missing above them, as
	// persistent nodes without data. It may be called at any time.
	EnsureDirs(ctx context.Context, paths ...string) error
	// Hold makes a node with data that is there for as long as this client is:
	// it goes when it is released, when the store is closed, when the process
	// dies and, in ZooKeeper, when the session ends because the servers heard
	// nothing for the session's time. A transaction that checks the node is
	// therefore refused from then on. A process that is paused keeps it for
	// that time, in a folder for ever. ErrExists where somebody holds the path;
	// only paths of Layout.Owner can be held, others are an InvalidError.
	// Releasing what is gone already is no error.
	Hold(ctx context.Context, path string, data []byte) (release func(context.Context) error, err error)
	// Close ends the session. It may be called twice.
	Close() error
}

// ended is why ctx has ended: its error, and its cause where that says more.
func ended(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if errors.Is(cause, err) {
		return cause
	}
	return fmt.Errorf("%w: %w", err, cause)
}

// TxError says which operation of a transaction was refused. It wraps the
// reason.
type TxError struct {
	Op  Op
	Err error
}

// Error names the path.
func (e *TxError) Error() string { return fmt.Sprintf("%s: %v", e.Op.Path, e.Err) }

// Unwrap is the reason.
func (e *TxError) Unwrap() error { return e.Err }
