package tarball

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/heron-nomad/heron/internal/outcome"
)

// Stage is a hidden folder inside a destination, where files are kept until
// all is right. It lies in the destination because from there they are put in
// place by renaming.
//
// Of a process that was killed it stays, under a name that begins with
// ".heron-download-"; what Commit had replaced until then is in its folder
// "old".
type Stage struct {
	// dest is the destination, as a path for messages and as a root.
	dest string
	root *os.Root
	// name is the stage's folder, below root.
	name string
	// made are the folders that were made for the destination, the deepest
	// last.
	made  []string
	links []string
	// moves are what Commit did, in that order.
	moves []move
	aside int
	done  bool
}

// move is a renaming below the destination.
type move struct{ from, to string }

// The folders of a stage.
const (
	stageTree = "tree"
	stageOld  = "old"
)

// LeftError names what could not be taken back or removed. Err is why the
// stage was given up, nil where everything else went well.
type LeftError struct {
	Paths []string
	Err   error
}

// Error implements error.
func (e *LeftError) Error() string {
	left := "still there: " + strings.Join(e.Paths, ", ") + "; remove it by hand"
	if e.Err == nil {
		return left
	}
	return fmt.Sprintf("%v; %s", e.Err, left)
}

// Unwrap is why the stage was given up.
func (e *LeftError) Unwrap() error { return e.Err }

// Kind implements the contract of package outcome.
func (*LeftError) Kind() outcome.Kind { return outcome.LeftBehind }

// NewStage makes a stage in the folder dest, and that folder too where it is
// missing. Discard has to be called in the end.
func NewStage(dest string) (*Stage, error) {
	s := &Stage{dest: dest}
	err := s.makeDestination(filepath.Clean(dest))
	if err == nil {
		s.root, err = os.OpenRoot(dest)
	}
	var name string
	if err == nil {
		name, err = os.MkdirTemp(dest, ".heron-download-")
	}
	if err == nil {
		s.name = filepath.Base(name)
		for _, sub := range []string{stageTree, stageOld} {
			err = errors.Join(err, s.root.Mkdir(s.name+"/"+sub, 0o700))
		}
	}
	if err != nil {
		return nil, s.Discard(fmt.Errorf("use the folder %s: %w", dest, err))
	}
	return s, nil
}

// makeDestination makes the folder and those above it, and keeps in mind
// which.
func (s *Stage) makeDestination(dir string) error {
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		return fmt.Errorf("%s is no folder", dir)
	}
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if parent := filepath.Dir(dir); parent != dir {
		if err := s.makeDestination(parent); err != nil {
			return err
		}
	}
	// Another process may make it at the same time, and then it is not ours.
	if err := os.Mkdir(dir, 0o755); errors.Is(err, fs.ErrExist) {
		return nil
	} else if err != nil {
		return err
	}
	s.made = append(s.made, dir)
	return nil
}

// File makes a file of the stage, which goes with it.
func (s *Stage) File(name string) (*os.File, error) {
	return s.root.OpenFile(s.name+"/"+name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
}

// Unpack extracts an archive into the stage. It can be called once.
func (s *Stage) Unpack(ctx context.Context, r io.Reader, limits Limits) (Summary, error) {
	tree, err := s.root.OpenRoot(s.name + "/" + stageTree)
	if err != nil {
		return Summary{}, err
	}
	defer tree.Close()
	x, err := extract(ctx, r, tree, Options{Limits: limits})
	s.links = x.links
	return x.done, err
}

// Discard removes the stage, and without a Commit before it everything else
// that it made. Cause is why that is done, nil after a Commit; it is returned,
// within a *LeftError where something could not be removed.
func (s *Stage) Discard(cause error) error {
	var left []string
	if !s.done {
		left = s.undo()
	}
	// What could not be put back lies in the stage.
	if s.name != "" && len(left) == 0 {
		if err := s.root.RemoveAll(s.name); err != nil {
			left = append(left, fmt.Sprintf("%s (%v)", filepath.Join(s.dest, s.name), err))
		}
	}
	if s.root != nil {
		_ = s.root.Close()
	}
	for i := len(s.made) - 1; i >= 0 && !s.done; i-- {
		// Somebody else's files keep it.
		_ = os.Remove(s.made[i])
	}
	if len(left) > 0 {
		return &LeftError{Paths: left, Err: cause}
	}
	return cause
}
