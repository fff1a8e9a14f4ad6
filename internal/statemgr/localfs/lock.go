package localfs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/heron-nomad/heron/internal/statemgr"
)

// lockPoll is how often a lock that another process holds is tried again, and
// lockLimit for how long. It is never held for longer than a few writes take.
const (
	lockPoll  = 5 * time.Millisecond
	lockLimit = 30 * time.Second
)

// locked runs f while no other process and no other goroutine does. What an
// earlier holder left unfinished is finished first. readOnly says that f
// changes nothing: then a missing or protected folder is no reason to fail.
func (s *store) locked(ctx context.Context, doing, path string, readOnly bool, f func(*index) error) error {
	if err := s.check(ctx, path); err != nil {
		return err
	}
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return s.explain(doing, path, statemgr.Ended(ctx))
	}
	lock, err := s.lock(ctx)
	switch {
	case err == nil:
		defer lock.Close() // and with it the lock
	case readOnly && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) || errors.Is(err, unix.EROFS)):
		ix, err := s.loadIndex()
		if err == nil {
			err = f(ix)
		}
		if err != nil {
			return s.explain(doing, path, err)
		}
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return s.explain(doing, path, fmt.Errorf("%w: there is no folder %s", statemgr.ErrNotFound, s.root))
	default:
		return s.explain(doing, path, err)
	}
	if err := s.recover(); err != nil {
		return s.explain(doing, path, err)
	}
	ix, err := s.loadIndex()
	if err != nil {
		return s.explain(doing, path, err)
	}
	err = f(ix)
	if saveErr := ix.save(); saveErr != nil && err == nil && !readOnly {
		err = saveErr
	}
	if err != nil {
		return s.explain(doing, path, err)
	}
	return nil
}

// lock takes the lock of the tree. It fails with fs.ErrNotExist if there is no
// tree. The kernel frees the lock when its holder dies.
func (s *store) lock(ctx context.Context) (*os.File, error) {
	if _, err := os.Stat(s.root); err != nil {
		return nil, err
	}
	if err := os.Mkdir(s.hidden(), 0o777); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	file, err := os.OpenFile(s.hidden("lock"), os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, err
	}
	limit := time.NewTimer(lockLimit)
	defer limit.Stop()
	poll := time.NewTicker(lockPoll)
	defer poll.Stop()
	for {
		err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return file, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			file.Close()
			return nil, fmt.Errorf("lock %s: %w", file.Name(), err)
		}
		select {
		case <-poll.C:
		case <-limit.C:
			file.Close()
			return nil, fmt.Errorf("%w: another process has held %s for %v", statemgr.ErrUnreachable, file.Name(), lockLimit)
		case <-ctx.Done():
			file.Close()
			return nil, statemgr.Ended(ctx)
		}
	}
}
