package statemgr

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// UpdateLock is the lock that the original client takes for an update, and our
// own update with it, as it was found: somebody holds it.
type UpdateLock struct {
	// Path is the lock's node. Paths are the nodes to remove, those below
	// others first.
	Path  string
	Paths []string
	// Session: the holder's session with ZooKeeper is alive, and the lock goes
	// with it. Otherwise it is a file, of which nothing tells whether its owner
	// is alive.
	Session bool
	// Dead: only commands of ours hold it that have died.
	Dead bool
	// Holder is what the lock says of its owner, "" for nothing.
	Holder string
}

// String says who holds it and how it ends.
func (l *UpdateLock) String() string {
	switch {
	case l.Dead:
		return fmt.Sprintf("%s has died and left the lock for updates, %s", l.Holder, l.Path)
	case !l.Session:
		return fmt.Sprintf("another client (%s) holds the lock for updates, %s, and nothing tells whether it is at work", l.Holder, l.Path)
	}
	by := "another client"
	if l.Holder != "" {
		by += " at " + l.Holder
	}
	return fmt.Sprintf("%s holds the lock for updates, %s, in a session that is alive; it goes when that session ends", by, l.Path)
}

// FindUpdateLock looks for the lock that the original client takes for an
// update: a semaphore of Curator in ZooKeeper, a file in a folder. It returns
// nil where nobody holds it. One that is only waited for counts as held.
func (t Tree) FindUpdateLock(ctx context.Context, topology string) (*UpdateLock, error) {
	lock, err := t.findUpdateLock(ctx, topology)
	if err != nil {
		return nil, fmt.Errorf("look for the update lock of topology %s: %w", topology, err)
	}
	return lock, nil
}

func (t Tree) findUpdateLock(ctx context.Context, topology string) (*UpdateLock, error) {
	path := t.Locks(topology)
	lock := &UpdateLock{Path: path}
	node, err := t.Read(ctx, path)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, err
	}
	if len(node.Data) > 0 {
		lock.Paths = []string{path}
		lock.Holder, lock.Dead, err = t.lockHolder(ctx, topology, node.Data)
		return lock, err
	}
	ops, err := t.deletionBelow(ctx, path)
	if err != nil {
		return nil, err
	}
	held := false
	for _, op := range ops {
		lock.Paths = append(lock.Paths, op.Path)
		// Its nodes are <lock>/locks/... and <lock>/leases/...
		if rest, below := strings.CutPrefix(op.Path, path+"/"); !below || !strings.Contains(rest, "/") {
			continue
		}
		node, err := t.Read(ctx, op.Path)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		holder, dead, err := t.lockHolder(ctx, topology, node.Data)
		if err != nil {
			return nil, err
		}
		if !held || !dead && !lock.Session {
			lock.Holder = holder
		}
		held, lock.Session = true, lock.Session || !dead
	}
	if !held {
		return nil, nil
	}
	lock.Dead = !lock.Session
	return lock, nil
}

// lockHolder is what a lock says of its owner: Curator stores the client's
// address, our update the process. dead: it is a process that has died.
func (t Tree) lockHolder(ctx context.Context, topology string, data []byte) (holder string, dead bool, err error) {
	var o Owner
	if json.Unmarshal(data, &o) != nil || !isToken(o.Token) {
		return printable(data), false, nil
	}
	alive, err := t.OwnerAlive(ctx, topology, o)
	return o.String(), !alive && err == nil, err
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
