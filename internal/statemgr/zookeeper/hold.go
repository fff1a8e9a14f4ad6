package zookeeper

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-zookeeper/zk"

	"github.com/heron-nomad/heron/internal/statemgr"
)

// Hold makes an ephemeral node, which the servers remove with the session.
func (s *store) Hold(ctx context.Context, path string, data []byte) (func(context.Context) error, error) {
	if err := statemgr.CheckHold(s.layout, path, data); err != nil {
		return nil, err
	}
	answers, err := s.multi(ctx, []any{&zk.CreateRequest{Path: path, Data: data, Acl: s.acls.of(path), Flags: zk.FlagEphemeral}})
	if err != nil && len(answers) == 1 && answers[0].Error != nil {
		err = answers[0].Error
		if reason := s.refused(err); reason != nil {
			return nil, fmt.Errorf("hold a node of ZooKeeper at %s: %w", s.link, &statemgr.TxError{Op: statemgr.Create(path, data), Err: reason})
		}
	}
	if err != nil {
		err = s.explain(ctx, "hold "+path+" in", err)
		if !errors.Is(err, statemgr.ErrUnreachable) {
			return nil, err
		}
		// The reply may have been lost; the data show whose node it is.
		if node, readErr := s.Read(ctx, path); readErr != nil || string(node.Data) != string(data) {
			return nil, err
		}
	}
	return func(ctx context.Context) error { return s.release(ctx, path, data) }, nil
}

func (s *store) release(ctx context.Context, path string, data []byte) error {
	node, err := s.Read(ctx, path)
	if err == nil && string(node.Data) == string(data) {
		err = s.Apply(ctx, statemgr.Delete(path))
	}
	if err != nil && !errors.Is(err, statemgr.ErrNotFound) && !errors.Is(err, statemgr.ErrClosed) {
		return fmt.Errorf("release %s: %w", path, err)
	}
	return nil
}
