package localfs

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/heron-nomad/heron/internal/statemgr"
)

// effect is one change that a transaction makes to the tree. The journal has
// both ends of it, so that it can be finished or undone.
type effect struct {
	Path string      `json:"path"` // below the root
	From effectState `json:"from"`
	To   effectState `json:"to"`
}

type effectState struct {
	Kind    nodeKind `json:"kind"`
	Data    []byte   `json:"data,omitempty"`
	Version int      `json:"version"`
	Created int64    `json:"created"`
}

func stateOf(n node) effectState {
	return effectState{Kind: n.kind, Data: n.data, Version: n.version, Created: n.created}
}

// journal is the file that holds a transaction from when it is decided until
// it is done.
type journal struct {
	Format  int      `json:"format"`
	Effects []effect `json:"effects"`
}

// errStopped stands for a crash of the process, in tests.
var errStopped = errors.New("stopped")

// commit makes the changes. Once the journal is in place they happen even if
// this process dies; if one of them turns out to be impossible, all are undone.
func (s *store) commit(ix *index, effects []effect) error {
	if len(effects) == 0 {
		return nil
	}
	data, err := json.Marshal(journal{Format: 1, Effects: effects})
	if err != nil {
		return err
	}
	if err := s.replace(s.hidden("journal.json"), data, true); err != nil {
		if !errors.Is(err, errStopped) {
			_ = os.Remove(s.hidden("journal.json")) // it may be in place all the same
		}
		return fmt.Errorf("write the transaction's journal: %w", err)
	}
	return s.finish(ix, effects)
}

// finish does what the journal says and removes it.
func (s *store) finish(ix *index, effects []effect) error {
	for i, e := range effects {
		err := s.bring(ix, e.Path, e.From, e.To)
		if err == nil {
			continue
		}
		if errors.Is(err, errStopped) {
			return err
		}
		for _, done := range slices.Backward(effects[:i+1]) {
			if undo := s.bring(ix, done.Path, done.To, done.From); undo != nil {
				return fmt.Errorf("%w: %w; undoing it failed too: %w", statemgr.ErrUnreachable, err, undo)
			}
		}
		return errors.Join(err, s.forget(ix))
	}
	if err := s.forget(ix); err != nil {
		return fmt.Errorf("%w: all was done, but the journal is still there: %w", statemgr.ErrUnreachable, err)
	}
	return nil
}

// forget ends the transaction: versions first, because they are worked out from
// the journal as long as it is there.
func (s *store) forget(ix *index) error {
	if err := s.stepped(); err != nil {
		return err
	}
	if err := ix.save(); err != nil {
		return err
	}
	if err := s.stepped(); err != nil {
		return err
	}
	return os.Remove(s.hidden("journal.json"))
}

// recover finishes a transaction whose process died.
func (s *store) recover() error {
	data, err := os.ReadFile(s.hidden("journal.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var j journal
	if err := json.Unmarshal(data, &j); err != nil || j.Format != 1 {
		return fmt.Errorf("%s is not a journal of this version (format %d): finish with the version that wrote it, or remove the file",
			s.hidden("journal.json"), j.Format)
	}
	ix, err := s.loadIndex()
	if err != nil {
		return err
	}
	if err := s.finish(ix, j.Effects); err != nil {
		return fmt.Errorf("finish the transaction in %s: %w", s.hidden("journal.json"), err)
	}
	return nil
}

// bring takes one path from one state to another. It may be repeated. A path
// that is in neither state was changed by another process since, and is left as
// it is.
func (s *store) bring(ix *index, key string, from, to effectState) error {
	if err := s.stepped(); err != nil {
		return err
	}
	path := s.root + key
	now, _, err := s.inspect(path)
	if err != nil {
		return err
	}
	switch {
	case same(now, to):
	case !same(now, from):
		return nil
	default:
		if err := s.change(path, now, to); err != nil {
			return err
		}
	}
	delete(ix.Files, key)
	ix.changed = true
	if to.Kind != isFile {
		return nil
	}
	_, row, err := s.inspect(path)
	if err != nil {
		return err
	}
	row.Version, row.Created = to.Version, to.Created
	ix.Files[key] = row
	ix.Last = max(ix.Last, to.Created)
	return nil
}

func same(n node, e effectState) bool {
	return n.kind == e.Kind && string(n.data) == string(e.Data)
}

// change makes path on the disk what to says.
func (s *store) change(path string, now node, to effectState) error {
	if now.kind == isDir || now.kind != isAbsent && to.Kind != isFile && to.Kind != isEmpty {
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	switch to.Kind {
	case isFile, isEmpty:
		return s.replace(path, to.Data, true)
	case isDir:
		return os.Mkdir(path, 0o777)
	}
	return syncDir(filepath.Dir(path))
}

func (s *store) stepped() error {
	if s.step == nil {
		return nil
	}
	return s.step()
}

// replace puts a whole file in place, or leaves what was there. Its temporary
// file is in our hidden folder, so that it is never taken for a node.
func (s *store) replace(path string, data []byte, durable bool) error {
	if err := s.stepped(); err != nil {
		return err
	}
	temp := s.hidden("new")
	file, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	if err == nil && durable {
		err = file.Sync()
	}
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = s.stepped()
	}
	if err == nil {
		err = os.Rename(temp, path)
	}
	if err != nil || !durable {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes the names in a folder durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
