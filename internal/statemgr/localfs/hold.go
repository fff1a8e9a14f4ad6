package localfs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/heron-nomad/heron/internal/statemgr"
)

// Hold makes a file and locks it. The kernel frees the lock when the process
// dies, and an unlocked file in the directory of owners counts as an empty one,
// that is, as not found.
func (s *store) Hold(ctx context.Context, path string, data []byte) (func(context.Context) error, error) {
	if err := statemgr.CheckHold(statemgr.Layout{Root: s.root}, path, data); err != nil {
		return nil, err
	}
	if !s.canHold(path) {
		return nil, &statemgr.InvalidError{What: path, Why: "cannot be held: in a folder the lock for updates is a file"}
	}
	err := s.locked(ctx, "hold", path, false, func(*index) error {
		now, _, err := s.inspect(path)
		switch {
		case err != nil:
			return err
		case now.present():
			return statemgr.ErrExists
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		file, err := lockedFile(path, data)
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%w: there is no folder %s", statemgr.ErrNotFound, statemgr.Parent(path))
		}
		if err != nil {
			return err
		}
		s.mu.Lock()
		s.held[path] = file
		s.mu.Unlock()
		return nil
	})
	if err != nil {
		return nil, err
	}
	return func(context.Context) error { return s.release(path) }, nil
}

// lockedFile makes a file that is locked before anybody can see data in it.
func lockedFile(path string, data []byte) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return nil, err
	}
	// A reader that tests the lock has it for a moment.
	for err = unix.EINTR; errors.Is(err, unix.EINTR); {
		err = unix.Flock(int(file.Fd()), unix.LOCK_EX)
	}
	if err == nil {
		_, err = file.Write(data)
	}
	if err != nil {
		return nil, errors.Join(err, os.Remove(path), file.Close())
	}
	return file, nil
}

// release removes the file first, and then frees the lock with it.
func (s *store) release(path string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	file := s.held[path]
	if file == nil {
		return nil
	}
	delete(s.held, path)
	err := s.removeOwn(path, file)
	if err != nil {
		err = s.explain("release", path, err)
	}
	return errors.Join(err, file.Close())
}

// removeOwn removes the file that is held, but not a file that another client
// put in its place after this one was removed.
func (s *store) removeOwn(path string, file *os.File) error {
	own, err := file.Stat()
	if err != nil {
		return err
	}
	there, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(own, there) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (s *store) releaseAll() error {
	s.mu.Lock()
	paths := make([]string, 0, len(s.held))
	for path := range s.held {
		paths = append(paths, path)
	}
	s.mu.Unlock()
	var errs []error
	for _, path := range paths {
		errs = append(errs, s.release(path))
	}
	return errors.Join(errs...)
}

// canHold reports whether the node at path is one that can be held.
func (s *store) canHold(path string) bool {
	return statemgr.Parent(path) == statemgr.Layout{Root: s.root}.Owners()
}

// isHeld reports whether a file is locked. Locks belong to open files, so a
// lock of this process counts too.
func isHeld(file *os.File) bool {
	return errors.Is(unix.Flock(int(file.Fd()), unix.LOCK_SH|unix.LOCK_NB), unix.EWOULDBLOCK)
}
