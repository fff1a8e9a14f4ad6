package zookeeper

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-zookeeper/zk"
	"golang.org/x/sync/errgroup"

	"github.com/heron-nomad/heron/internal/statemgr"
)

// defaultMaxRequest is the default of a server's jute.maxbuffer: 1 MiB less one
// byte.
const defaultMaxRequest = 1<<20 - 1

// suspiciousSize is the size of a request, in bytes, from which on a lost
// connection may mean that the server did not accept the size: it closes the
// connection without a word.
const suspiciousSize = 32 << 10

// limitKey is the setting for the servers' limit.
const limitKey = "heron.statemgr.zookeeper.request.limit"

// Apply is one transaction of the server. Only one write is in progress at a
// time, and a write that was given up is never sent later.
func (s *store) Apply(ctx context.Context, ops ...statemgr.Op) error {
	if err := statemgr.CheckOps(ops); err != nil {
		return err
	}
	if len(ops) == 0 {
		return nil
	}
	if err := s.Fits(ops...); err != nil {
		return fmt.Errorf("write %d nodes to ZooKeeper at %s: %w", len(ops), s.link, err)
	}
	requests := make([]any, len(ops))
	for i, op := range ops {
		requests[i] = s.acls.request(op)
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
		return fmt.Errorf("write to ZooKeeper at %s: %w", s.link, &statemgr.TxError{Op: ops[i], Err: reason})
	}
	err = s.explain(ctx, "write "+ops[0].Path+" to", err)
	if size := s.acls.multiSize(ops); size >= suspiciousSize && errors.Is(err, statemgr.ErrUnreachable) {
		err = fmt.Errorf("%w; or is the servers' jute.maxbuffer below the %d bytes of this request (%s)?", err, size, limitKey)
	}
	return err
}

// multi sends a transaction. If ctx ends first, an unsent transaction is dropped;
// after a sent one the next read waits for its outcome.
func (s *store) multi(ctx context.Context, requests []any) ([]zk.MultiResponse, error) {
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

// Fits compares the size of the request with the configured limit.
func (s *store) Fits(ops ...statemgr.Op) error {
	if size := s.acls.multiSize(ops); size > s.limit {
		return fmt.Errorf("%w: %d bytes, but the servers accept %d (%s, which must be their jute.maxbuffer)",
			statemgr.ErrTooLarge, size, s.limit, limitKey)
	}
	return nil
}

// EnsureDirs finds out which nodes are missing and makes these in one
// transaction, and again if another client was faster. Existing nodes stay as
// they are, whatever their kind.
func (s *store) EnsureDirs(ctx context.Context, paths ...string) error {
	all, err := statemgr.WithParents(paths...)
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
			requests[i] = s.acls.request(statemgr.Create(p, nil))
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
func (s *store) missing(ctx context.Context, paths []string) ([]string, error) {
	there := make([]bool, len(paths))
	var group errgroup.Group
	for i, p := range paths {
		group.Go(func() error {
			var err error
			there[i], err = read(ctx, s, p, func() (bool, error) {
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

// request returns the library's form of an operation.
func (a aclSet) request(op statemgr.Op) any {
	switch op.Kind {
	case statemgr.OpCreate:
		return &zk.CreateRequest{Path: op.Path, Data: op.Data, Acl: a.of(op.Path)}
	case statemgr.OpSet:
		return &zk.SetDataRequest{Path: op.Path, Data: op.Data, Version: int32(op.Version)}
	case statemgr.OpDelete:
		return &zk.DeleteRequest{Path: op.Path, Version: int32(op.Version)}
	default:
		return &zk.CheckVersionRequest{Path: op.Path, Version: int32(op.Version)}
	}
}

// multiSize returns the size of a transaction as sent, in bytes: the head of the
// request, each operation behind a head of its own, and an end mark.
func (a aclSet) multiSize(ops []statemgr.Op) int {
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
		case statemgr.OpCreate:
			size += length + len(op.Data) + a.size(op.Path) + flags
		case statemgr.OpSet:
			size += length + len(op.Data) + version
		default:
			size += version
		}
	}
	return size
}
