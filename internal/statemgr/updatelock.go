package statemgr

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// UpdateLock is the lock that the original client takes for an update, as it
// was found: somebody holds it.
type UpdateLock struct {
	// Path is the lock's node. Paths are the nodes to remove, those below
	// others first.
	Path  string
	Paths []string
	// Session: the holder's session with ZooKeeper is alive, and the lock goes
	// with it. Otherwise it is a file, of which nothing tells whether its owner
	// is alive.
	Session bool
	// Holder is what the lock says of its owner, "" for nothing.
	Holder string
}

// String says who holds it and how it ends.
func (l *UpdateLock) String() string {
	if l.Session {
		by := "another client"
		if l.Holder != "" {
			by += " at " + l.Holder
		}
		return fmt.Sprintf("%s holds the lock for updates, %s, in a session that is alive; it goes when that session ends", by, l.Path)
	}
	return fmt.Sprintf("another client (%s) holds the lock for updates, %s, and nothing tells whether it is at work", l.Holder, l.Path)
}

// FindUpdateLock looks for the lock that the original client takes for an
// update: a semaphore of Curator in ZooKeeper, a file in a folder. It returns
// nil where nobody holds it. One that is only waited for counts as held.
func (t Tree) FindUpdateLock(ctx context.Context, topology string) (*UpdateLock, error) {
	path := t.Locks(topology)
	lock := &UpdateLock{Path: path}
	node, err := t.Read(ctx, path)
	if err == nil && len(node.Data) > 0 {
		lock.Holder, lock.Paths = printable(node.Data), []string{path}
		return lock, nil
	}
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, fmt.Errorf("look for the update lock of topology %s: %w", topology, err)
	}
	ops, err := t.deletionBelow(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("look for the update lock of topology %s: %w", topology, err)
	}
	for _, op := range ops {
		lock.Paths = append(lock.Paths, op.Path)
		// Its nodes are <lock>/locks/... and <lock>/leases/...
		if rest, below := strings.CutPrefix(op.Path, path+"/"); below && strings.Contains(rest, "/") {
			lock.Session = true
			if node, err := t.Read(ctx, op.Path); err == nil && lock.Holder == "" {
				lock.Holder = printable(node.Data) // Curator stores the client's address
			}
		}
	}
	if !lock.Session {
		return nil, nil
	}
	return lock, nil
}

// printable is a short text without anything that a terminal would act on.
func printable(data []byte) string {
	text := strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return -1
	}, string(data[:min(len(data), 100)]))
	return strings.TrimSpace(text)
}
