package statemgr

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-zookeeper/zk"
	"golang.org/x/sync/errgroup"
)

// defaultMaxRequest is a server's limit as it is shipped: jute.maxbuffer,
// 1 MiB less one byte.
const defaultMaxRequest = 1<<20 - 1

// Apply is one transaction of the server. A single write is under way at a
// time, and one that was given up is never sent later.
func (s *zkStore) Apply(ctx context.Context, ops ...Op) error {
	if err := checkOps(ops); err != nil {
		return err
	}
	if len(ops) == 0 {
		return nil
	}
	if size := s.acls.multiSize(ops); size > s.limit {
		return fmt.Errorf("write %d nodes to ZooKeeper at %s: %w: %d bytes, of which it takes %d",
			len(ops), s.link, ErrTooLarge, size, s.limit)
	}
	requests := make([]any, len(ops))
	for i, op := range ops {
		requests[i] = s.acls.zkOp(op)
	}
	answers, err := s.multi(ctx, requests)
	if err == nil {
		return nil
	}
	for i, a := range answers {
		if a.Error == nil || i >= len(ops) {
			continue
		}
		reason := s.refused(a.Error)
		if reason == nil {
			reason = a.Error
		}
		return fmt.Errorf("write to ZooKeeper at %s: %w", s.link, &TxError{Op: ops[i], Err: reason})
	}
	return s.explain(ctx, "write "+ops[0].Path+" to", err)
}

// multi sends a transaction. When ctx ends first it is taken back if it was
// not sent; if it was, the next read waits for its outcome.
func (s *zkStore) multi(ctx context.Context, requests []any) ([]zk.MultiResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	select {
	case s.writing <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if err := s.link.await(ctx); err != nil {
		<-s.writing
		return nil, err
	}
	write := s.link.open()
	answers, err := run(ctx, func() ([]zk.MultiResponse, error) {
		defer func() { <-s.writing }()
		defer s.link.shutGate(write)
		return s.conn.Multi(requests...)
	})
	if err != nil && ctx.Err() != nil {
		s.link.shutGate(write)
		s.link.cut(errNoAnswer)
	}
	if err != nil && (ctx.Err() != nil || connectionLost(err)) {
		s.unsure.Store(true)
	}
	return answers, err
}

// EnsureDirs looks which of the nodes are missing and makes these in one
// transaction, again where somebody else was faster. Nodes that are there
// stay as they are, whatever their kind.
func (s *zkStore) EnsureDirs(ctx context.Context, paths ...string) error {
	all, err := withParents(paths)
	if err != nil {
		return err
	}
	for try := 0; ; try++ {
		missing, err := s.missing(ctx, all)
		if err != nil || len(missing) == 0 {
			return err
		}
		requests := make([]any, len(missing))
		for i, p := range missing {
			requests[i] = s.acls.zkOp(Create(p, nil))
		}
		answers, err := s.multi(ctx, requests)
		again := errors.Is(err, zk.ErrNodeExists) || errors.Is(err, zk.ErrNoNode) || connectionLost(err)
		if err != nil && (!again || try >= max(s.retries, 10) || ctx.Err() != nil) {
			path := missing[0]
			for i, a := range answers {
				if a.Error != nil && i < len(missing) {
					path = missing[i]
					break
				}
			}
			return s.explain(ctx, "create directory "+path+" in", err)
		}
		if err == nil {
			return nil
		}
	}
}

// missing asks for all paths at once.
func (s *zkStore) missing(ctx context.Context, paths []string) ([]string, error) {
	there := make([]bool, len(paths))
	var group errgroup.Group
	for i, p := range paths {
		group.Go(func() error {
			var err error
			there[i], err = zkRead(ctx, s, p, func() (bool, error) {
				ok, _, err := s.conn.Exists(p)
				return ok, err
			})
			if err != nil {
				return s.explain(ctx, "look for "+p+" in", err)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var missing []string
	for i, p := range paths {
		if !there[i] {
			missing = append(missing, p)
		}
	}
	return missing, nil
}

// withParents adds all that is above the paths and sorts, parents first.
func withParents(paths []string) ([]string, error) {
	set := map[string]bool{}
	for _, p := range paths {
		if err := checkPath(p); err != nil {
			return nil, err
		}
		for ; p != "/"; p = parentOf(p) {
			set[p] = true
		}
	}
	all := make([]string, 0, len(set))
	for p := range set {
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b string) int {
		if d := strings.Count(a, "/") - strings.Count(b, "/"); d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	return all, nil
}

// zkOp is the library's form of an operation.
func (a zkACLs) zkOp(op Op) any {
	switch op.Kind {
	case OpCreate:
		return &zk.CreateRequest{Path: op.Path, Data: op.Data, Acl: a.of(op.Path)}
	case OpSet:
		return &zk.SetDataRequest{Path: op.Path, Data: op.Data, Version: int32(op.Version)}
	case OpDelete:
		return &zk.DeleteRequest{Path: op.Path, Version: int32(op.Version)}
	default:
		return &zk.CheckVersionRequest{Path: op.Path, Version: int32(op.Version)}
	}
}

// multiSize is the size of a transaction as sent, in bytes: head of the
// request, each operation behind a head of its own, and an end mark.
func (a zkACLs) multiSize(ops []Op) int {
	const (
		requestHead = 8
		opHead      = 9
		length      = 4
		version     = 4
		flags       = 4
	)
	size := requestHead + opHead
	for _, op := range ops {
		size += opHead + length + len(op.Path)
		switch op.Kind {
		case OpCreate:
			size += length + len(op.Data) + a.size(op.Path) + flags
		case OpSet:
			size += length + len(op.Data) + version
		default:
			size += version
		}
	}
	return size
}
