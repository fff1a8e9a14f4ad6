package tarball

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/heron-nomad/heron/internal/outcome"
)

// install unpacks by way of a stage.
func install(ctx context.Context, t *testing.T, dest string, data []byte) error {
	t.Helper()
	s, err := NewStage(dest)
	if err != nil {
		return err
	}
	_, err = s.Unpack(ctx, bytes.NewReader(data), Limits{})
	if err == nil {
		err = s.Commit(ctx)
	}
	return s.Discard(err)
}

// used is a destination with files in it.
func used(t *testing.T) string {
	t.Helper()
	dest := t.TempDir()
	write(t, filepath.Join(dest, "keep"), "kept")
	write(t, filepath.Join(dest, "b"), "old b")
	write(t, filepath.Join(dest, "d", "keep"), "kept")
	write(t, filepath.Join(dest, "d", "e", "f"), "old f")
	write(t, filepath.Join(dest, "z", "x"), "kept")
	if err := os.Symlink("/etc", filepath.Join(dest, "out")); err != nil {
		t.Fatal(err)
	}
	return dest
}

func TestStageMerges(t *testing.T) {
	dest := used(t)
	data := tarred(t, dir("./"), file("a", "a"), file("b", "new b"), file("d/e/f", "new f"), file("d/e/g", "g"), file("n/x", "x"), file("out/x", "x"), symlink("l", "b"))
	if err := install(t.Context(), t, dest, data); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"a": "a", "b": "new b", "keep": "kept", "d/": "", "d/keep": "kept", "d/e/": "", "d/e/f": "new f", "d/e/g": "g",
		"n/": "", "n/x": "x", "out/": "", "out/x": "x", "l": "-> b", "z/": "", "z/x": "kept",
	}
	if diff := cmp.Diff(want, tree(t, dest)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestStageIsAllOrNothing(t *testing.T) {
	for name, c := range map[string]struct {
		data []byte
		says string
	}{
		"damaged":          {tarred(t, file("a", "a"), file("b", "b"))[:1500], "cut off"},
		"member refused":   {tarred(t, file("a", "a"), file("b", "b"), file("../x", "")), "outside"},
		"file over folder": {tarred(t, file("a", "a"), file("b", "b"), file("d/e/f", "f"), file("d/e/g", "g"), file("z", "z")), "z is a folder"},
		"link that the destination leads out": {
			tarred(t, file("b", "b"), file("d/e/f", "f"), symlink("l", "out/passwd")), "cannot be followed",
		},
	} {
		t.Run(name, func(t *testing.T) {
			dest := used(t)
			before := tree(t, dest)
			err := install(t.Context(), t, dest, c.data)
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want an error that says %q", err, c.says)
			}
			if diff := cmp.Diff(before, tree(t, dest)); diff != "" {
				t.Errorf("the destination has changed (-before +after):\n%s", diff)
			}
			top := t.TempDir()
			if c.says == "cut off" || c.says == "outside" {
				_ = install(t.Context(), t, filepath.Join(top, "new", "folder"), c.data)
			}
			if got := tree(t, top); len(got) > 0 {
				t.Errorf("a destination that was missing is left with %v", got)
			}
		})
	}
}

// Cancelled at every point of a commit, the folder is as it was.
func TestStageUndoesAtEveryPoint(t *testing.T) {
	data := tarred(t, file("a", "a"), file("b", "b"), file("d/e/f", "f"), file("n/x", "x"), file("out", "x"))
	for checks := 0; ; checks++ {
		dest := used(t)
		before := tree(t, dest)
		s, err := NewStage(dest)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Unpack(t.Context(), bytes.NewReader(data), Limits{}); err != nil {
			t.Fatal(err)
		}
		err = s.Discard(s.Commit(&endingContext{Context: t.Context(), checks: checks}))
		if err == nil {
			if checks < 6 {
				t.Errorf("a commit looks at its context %d times only", checks)
			}
			return
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("ended at check %d: %v", checks, err)
		}
		if diff := cmp.Diff(before, tree(t, dest)); diff != "" {
			t.Fatalf("ended at check %d (-before +after):\n%s", checks, diff)
		}
	}
}

// endingContext ends after it was asked a number of times.
type endingContext struct {
	context.Context
	checks int
}

func (c *endingContext) Err() error {
	if c.checks == 0 {
		return context.Canceled
	}
	c.checks--
	return nil
}

func (c *endingContext) Deadline() (time.Time, bool) { return time.Time{}, false }

func TestStageNamesWhatItCannotTakeBack(t *testing.T) {
	dest := used(t)
	s, err := NewStage(dest)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Unpack(t.Context(), bytes.NewReader(tarred(t, file("b", "new"))), Limits{}); err != nil {
		t.Fatal(err)
	}
	if err := s.merge(t.Context(), "."); err != nil {
		t.Fatal(err)
	}
	// Somebody else removes the new file meanwhile.
	if err := os.Remove(filepath.Join(dest, "b")); err != nil {
		t.Fatal(err)
	}
	cause := errors.New("something failed")
	err = s.Discard(cause)
	var left *LeftError
	if !errors.As(err, &left) || !errors.Is(err, cause) || left.Kind() != outcome.LeftBehind || !strings.Contains(err.Error(), filepath.Join(dest, "b")) {
		t.Errorf("got %v, want a *LeftError that names the file", err)
	}
	if got := tree(t, dest); got["b"] != "old b" || got["keep"] != "kept" {
		t.Errorf("left is %v", got)
	}
}

func TestStageDestinations(t *testing.T) {
	data := tarred(t, file("a", "a"))
	top := t.TempDir()
	write(t, filepath.Join(top, "file"), "x")
	if err := os.Symlink(t.TempDir(), filepath.Join(top, "link")); err != nil {
		t.Fatal(err)
	}
	for _, dest := range []string{filepath.Join(top, "x", "y"), filepath.Join(top, "link"), top + "/slash/"} {
		if err := install(t.Context(), t, dest, data); err != nil {
			t.Errorf("%s: %v", dest, err)
		}
		if got, err := os.ReadFile(filepath.Join(dest, "a")); string(got) != "a" {
			t.Errorf("%s: %q, %v", dest, got, err)
		}
	}
	t.Chdir(t.TempDir())
	if err := install(t.Context(), t, ".", data); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(map[string]string{"a": "a"}, tree(t, ".")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, dest := range []string{filepath.Join(top, "file"), filepath.Join(top, "file", "x"), "/proc/none"} {
		if err := install(t.Context(), t, dest, data); err == nil || !strings.Contains(err.Error(), dest) {
			t.Errorf("%s: got %v, want an error that names it", dest, err)
		}
	}
	s, err := NewStage(filepath.Join(top, "unused", "folder"))
	if err != nil {
		t.Fatal(err)
	}
	if f, err := s.File("package"); err != nil {
		t.Error(err)
	} else if _, err := io.WriteString(f, "x"); errors.Join(err, f.Close()) != nil {
		t.Error(err)
	}
	if err := s.Discard(nil); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(top, "unused")); err == nil {
		t.Error("a folder that was made for nothing stays")
	}
}
