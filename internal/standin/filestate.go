package standin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// filePoll is how often a watched file is looked at.
const filePoll = 200 * time.Millisecond

// fileState is the layout of the local file system state manager: a file for
// each node, nothing ephemeral. An empty file counts as absent.
type fileState struct {
	root string
}

func newFileState(root string) *fileState { return &fileState{root: root} }

func (s *fileState) at(p string) string { return filepath.Join(s.root, filepath.FromSlash(p)) }

func (s *fileState) get(p string) ([]byte, error) {
	data, err := os.ReadFile(s.at(p))
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(data) == 0 {
		return nil, atPath(s.at(p), errAbsent)
	}
	return data, err
}

// create overwrites what would be ephemeral, for no session's end removes
// it.
func (s *fileState) create(p string, data []byte, ephemeral bool) error {
	if _, err := s.get(p); err == nil && !ephemeral {
		return atPath(s.at(p), errExists)
	}
	return s.write(p, data)
}

func (s *fileState) set(p string, data []byte) error {
	if _, err := s.get(p); err != nil {
		return err
	}
	return s.write(p, data)
}

func (s *fileState) write(p string, data []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(s.at(p)), "."+filepath.Base(p)+"-*")
	if errors.Is(err, fs.ErrNotExist) {
		return atPath(s.at(p), errNoParent)
	}
	if err != nil {
		return err
	}
	_, err = tmp.Write(data)
	err = errors.Join(err, tmp.Close(), os.Chmod(tmp.Name(), 0o644))
	if err == nil {
		err = os.Rename(tmp.Name(), s.at(p))
	}
	if err != nil {
		err = errors.Join(err, os.Remove(tmp.Name()))
	}
	return err
}

func (s *fileState) delete(p string) error {
	err := os.Remove(s.at(p))
	if errors.Is(err, fs.ErrNotExist) {
		err = atPath(s.at(p), errAbsent)
	}
	return err
}

func (s *fileState) watch(ctx context.Context, p string) <-chan snapshot {
	c := make(chan snapshot)
	go func() {
		defer close(c)
		first, last := true, ""
		for ctx.Err() == nil {
			if stamp := s.stamp(p); first || stamp != last {
				data, err := s.get(p)
				if !deliver(ctx, c, snapshot{data: data, present: err == nil, stamp: stamp}) {
					return
				}
				first, last = false, stamp
			}
			pause(ctx, filePoll)
		}
	}()
	return c
}

func (s *fileState) stamp(p string) string {
	info, err := os.Stat(s.at(p))
	if err != nil || info.Size() == 0 {
		return ""
	}
	return fmt.Sprintf("%d-%d", info.ModTime().UnixNano(), info.Size())
}

func (s *fileState) close() {}
