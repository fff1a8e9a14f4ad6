package tarball

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"

	"github.com/heron-nomad/heron/internal/outcome"
)

// ConflictError says that the destination has a folder where the archive has
// something else. It is not emptied for that.
type ConflictError struct{ Path string }

// Error implements error.
func (e *ConflictError) Error() string {
	return e.Path + " is a folder, and the archive has something else of that name: remove it or use another folder"
}

// Kind implements the contract of package outcome.
func (*ConflictError) Kind() outcome.Kind { return outcome.Undone }

// Commit puts what was unpacked into the destination, all or nothing. Folders
// that are there stay and get what the archive has for them; files and links
// of the same name are replaced.
func (s *Stage) Commit(ctx context.Context) error {
	err := s.merge(ctx, ".")
	if err == nil {
		// A link that led nowhere inside the archive may lead out by way of
		// what the destination has.
		err = checkLinks(s.root, s.links)
	}
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("put the files into %s: %w", s.dest, err)
	}
	s.done = true
	return nil
}

// merge moves the content of one folder of the stage.
func (s *Stage) merge(ctx context.Context, dir string) error {
	folder, err := s.root.Open(path.Join(s.name, stageTree, dir))
	if err != nil {
		return err
	}
	entries, err := folder.ReadDir(-1)
	if err := errors.Join(err, folder.Close()); err != nil {
		return err
	}
	for _, entry := range entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.place(ctx, path.Join(dir, entry.Name()), entry.IsDir()); err != nil {
			return err
		}
	}
	return nil
}

// place moves one entry of the stage to its name in the destination.
func (s *Stage) place(ctx context.Context, name string, isFolder bool) error {
	from := path.Join(s.name, stageTree, name)
	there, err := s.root.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return s.rename(from, name)
	case err != nil:
		return err
	case there.IsDir() && isFolder:
		return s.merge(ctx, name)
	case there.IsDir():
		return &ConflictError{Path: filepath.Join(s.dest, name)}
	}
	s.aside++
	if err := s.rename(name, path.Join(s.name, stageOld, fmt.Sprint(s.aside))); err != nil {
		return err
	}
	return s.rename(from, name)
}

func (s *Stage) rename(from, to string) error {
	if err := s.root.Rename(from, to); err != nil {
		return err
	}
	s.moves = append(s.moves, move{from, to})
	return nil
}

// undo takes back what Commit did, the last first, and names what it could
// not.
func (s *Stage) undo() (left []string) {
	for i := len(s.moves) - 1; i >= 0; i-- {
		m := s.moves[i]
		if err := s.root.Rename(m.to, m.from); err != nil {
			left = append(left, fmt.Sprintf("%s, which was %s (%v)", filepath.Join(s.dest, m.to), m.from, err))
		}
	}
	s.moves = nil
	return left
}
