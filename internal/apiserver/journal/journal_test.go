package journal

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

func opened(t *testing.T, dir string) (*Journal, []Entry) {
	t.Helper()
	j, known, trouble, err := Open(dir)
	if err != nil || trouble != nil {
		t.Fatalf("%v, %v", err, trouble)
	}
	t.Cleanup(func() { _ = j.Close() })
	return j, known
}

// died leaves a journal as a killed server does: without its lock.
func (j *Journal) died(t *testing.T) {
	t.Helper()
	if err := j.lock.Close(); err != nil {
		t.Fatal(err)
	}
}

func keep(t *testing.T, j *Journal, e Entry) Entry {
	t.Helper()
	if e.ID == "" {
		e.ID = uuid.NewString()
	}
	if err := j.Keep(e); err != nil {
		t.Fatal(err)
	}
	return e
}

func TestWhatTheNextServerKnows(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "operations")
	first, known := opened(t, dir)
	if len(known) > 0 {
		t.Errorf("%+v", known)
	}
	began := time.Now().UTC().Truncate(time.Second)
	done := keep(t, first, Entry{Key: "k", Owner: "ann", Operation: "submit", Topology: "wc", Began: began})
	done.Ended, done.Status, done.Result = began.Add(time.Second), 201, []byte(`{"a":1}`)
	keep(t, first, done)
	under := keep(t, first, Entry{Owner: "ann", Operation: "kill", Began: began})
	gone := keep(t, first, Entry{Operation: "kill", Began: began})
	if err := first.Forget(gone.ID); err != nil || first.Forget(gone.ID) != nil {
		t.Errorf("forget: %v", err)
	}

	// As long as the first server lives its operations are its own.
	second, known := opened(t, dir)
	if len(known) > 0 {
		t.Errorf("%+v", known)
	}
	_ = second.Close()
	first.died(t)
	third, known := opened(t, dir)
	if len(known) != 2 {
		t.Fatalf("%+v", known)
	}
	byID := map[string]Entry{known[0].ID: known[0], known[1].ID: known[1]}
	if e := byID[done.ID]; e.Interrupted || e.Status != 201 || string(e.Result) != `{"a":1}` || e.Key != "k" || !e.Ended.Equal(done.Ended) {
		t.Errorf("%+v", e)
	}
	if e := byID[under.ID]; !e.Interrupted || e.Ended.IsZero() || !e.Began.Equal(began) {
		t.Errorf("%+v", e)
	}
	// And the one after it, too.
	third.died(t)
	if _, known := opened(t, dir); len(known) != 2 {
		t.Errorf("%+v", known)
	}
}

func TestFilesAreForTheServerAlone(t *testing.T) {
	dir := t.TempDir()
	j, _ := opened(t, dir)
	keep(t, j, Entry{})
	files, err := filepath.Glob(filepath.Join(dir, "*", "*"))
	if err != nil || len(files) != 2 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, f := range append(files, filepath.Dir(files[0])) {
		info, err := os.Stat(f)
		if err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v, %v", f, info.Mode(), err)
		}
	}
}

// What is broken, of a later version or somebody's link hides nothing else.
func TestFilesThatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	j, _ := opened(t, dir)
	good := keep(t, j, Entry{})
	for id, text := range map[string]string{uuid.NewString(): "{", uuid.NewString(): `{"version": 99}`, "..": "{}", "x": "{}"} {
		if err := os.WriteFile(filepath.Join(j.root.Name(), id+suffix), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte(`{"version":1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(secret, filepath.Join(j.root.Name(), uuid.NewString()+suffix)); err != nil {
		t.Fatal(err)
	}
	j.died(t)
	next, known, trouble, err := Open(dir)
	if err != nil || len(known) != 1 || known[0].ID != good.ID {
		t.Fatalf("%+v, %v", known, err)
	}
	t.Cleanup(func() { _ = next.Close() })
	for _, says := range []string{"unexpected end", "its format is 99", "not a file"} {
		if trouble == nil || !strings.Contains(trouble.Error(), says) {
			t.Errorf("no %q in %v", says, trouble)
		}
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("left: %v", left)
	}
}

// A server without operations leaves nothing.
func TestAnEmptyJournal(t *testing.T) {
	dir := t.TempDir()
	j, _ := opened(t, dir)
	if err := j.Close(); err != nil {
		t.Error(err)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}
