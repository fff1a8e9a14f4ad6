// Package statemgr is the contract for the state of topologies, which is kept
// where Heron's processes, heron-tracker and other clients look for it.
//
// A Store knows nodes, versions and transactions; a Layout knows which node
// holds what; a Tree is both. The packages zookeeper and localfs below this one
// are the stores, and package all opens the one that the settings name. What
// to write, and when, is decided by the callers.
package statemgr

import (
	"context"
	"errors"
	"fmt"

	"github.com/heron-nomad/heron/internal/outcome"
)

// Errors that callers tell apart; a Store wraps them with the path.
var (
	// ErrNotFound: the node, or the parent of a node to create, does not exist.
	ErrNotFound = errors.New("not found")
	// ErrExists: a node to create exists already.
	ErrExists = outcome.New(outcome.Exists, "already exists")
	// ErrVersion: a node is not at the version that an operation names.
	ErrVersion = errors.New("changed in the meantime")
	// ErrNotEmpty: a node to delete has children.
	ErrNotEmpty = errors.New("not empty")
	// ErrUnreachable: no answer within the store's time limit. The request may
	// have been carried out.
	ErrUnreachable = outcome.New(outcome.Unreachable, "unreachable")
	// ErrTooLarge: a transaction is larger than the server accepts.
	ErrTooLarge = outcome.New(outcome.Usage, "too large for one transaction")
	// ErrDenied: the server refuses this user, or demands credentials.
	ErrDenied = outcome.New(outcome.Denied, "access denied")
	// ErrClosed: the store was closed.
	ErrClosed = errors.New("the store is closed")
)

// AnyVersion in an operation stands for any version of the node.
const AnyVersion = -1

// Node is what a store has at a path.
type Node struct {
	Data []byte
	// Version counts changes of the data, from 0.
	Version int
	// Created tells a node from a later one at the same path (ZooKeeper's
	// czxid).
	Created int64
	// Ephemeral nodes disappear with the session that made them.
	Ephemeral bool
}

// OpKind says what an operation of a transaction does.
type OpKind int

// The kinds of operation.
const (
	// OpCreate makes a persistent node. Its parent must exist, the node must
	// not. A node without data is a directory, and only directories have
	// children.
	OpCreate OpKind = iota
	// OpSet changes a node's data at Version; no data is an InvalidError.
	OpSet
	// OpDelete removes a node without children at Version.
	OpDelete
	// OpCheck changes nothing; it only demands Version.
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

// Create makes a node that must not exist.
func Create(path string, data []byte) Op { return Op{Kind: OpCreate, Path: path, Data: data} }

// Set changes the data of an existing node, at any version; At names one.
func Set(path string, data []byte) Op {
	return Op{Kind: OpSet, Path: path, Data: data, Version: AnyVersion}
}

// Delete removes an existing node.
func Delete(path string) Op { return Op{Kind: OpDelete, Path: path, Version: AnyVersion} }

// Check demands that a node exists.
func Check(path string) Op { return Op{Kind: OpCheck, Path: path, Version: AnyVersion} }

// At returns the operation for just one version of the node.
func (o Op) At(version int) Op { o.Version = version; return o }

// Store is a tree of nodes with transactions. All its methods end within the
// time limits that it was opened with, and at once, with ctx's error, when ctx
// ends. Methods may be called from several goroutines. A path that is not
// absolute and clean is an InvalidError.
type Store interface {
	// Read returns the node at path, or ErrNotFound.
	Read(ctx context.Context, path string) (Node, error)
	// Children returns the names below path, sorted, or ErrNotFound if there is
	// no node at path.
	Children(ctx context.Context, path string) ([]string, error)
	// Apply does all operations, in order, or none. A TxError names the
	// operation that was refused. After ErrUnreachable, and when ctx ended, the
	// outcome is unknown: read, then decide. The outcome is settled by then: a
	// transaction that was given up is not carried out after a later Read of the
	// same Store.
	Apply(ctx context.Context, ops ...Op) error
	// Fits returns ErrTooLarge if ops are too large for one transaction. It
	// asks no server: it counts bytes and compares them with the configured
	// limit.
	Fits(ops ...Op) error
	// EnsureDirs makes the paths, and whatever is missing above them, as
	// persistent nodes without data. It may be repeated.
	EnsureDirs(ctx context.Context, paths ...string) error
	// Hold makes a node with data that lasts as long as this client: it
	// disappears when it is released, when the store is closed, when the
	// process dies and, in ZooKeeper, when the session expires because the
	// servers heard nothing for the session's time. From then on, transactions
	// that check the node are refused. A paused process keeps the node for the
	// session's time, and in a folder forever. It returns ErrExists if the path
	// is held already. Only paths of Layout.Owner can be held, in ZooKeeper those
	// of Layout.Lease too; others are an InvalidError. Releasing a node that is gone is no error.
	Hold(ctx context.Context, path string, data []byte) (release func(context.Context) error, err error)
	// Close ends the session. It may be called twice.
	Close() error
}

// Ended returns why ctx has ended: its error, and its cause if that says more.
func Ended(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if errors.Is(cause, err) {
		return cause
	}
	return fmt.Errorf("%w: %w", err, cause)
}

// TxError names the operation of a transaction that was refused. It wraps the
// reason.
type TxError struct {
	Op  Op
	Err error
}

// Error names the path.
func (e *TxError) Error() string { return fmt.Sprintf("%s: %v", e.Op.Path, e.Err) }

// Unwrap returns the reason.
func (e *TxError) Unwrap() error { return e.Err }
