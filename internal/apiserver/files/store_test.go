package files

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/heron-nomad/heron/internal/uploader"
)

func open(t *testing.T, dir string, limit int64) *Store {
	t.Helper()
	s, err := Open(dir, limit)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// source is a package of some text.
func source(name, text string) uploader.Source {
	sum := sha256.Sum256([]byte(text))
	return uploader.Source{
		Name: name, Size: int64(len(text)), SHA256: hex.EncodeToString(sum[:]),
		Open: func() (uploader.Content, error) { return content{strings.NewReader(text)}, nil },
	}
}

type content struct{ *strings.Reader }

func (content) Close() error { return nil }

func names(t *testing.T, dir string) (list []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != keyFile && !strings.HasPrefix(e.Name(), nameOf) {
			list = append(list, e.Name())
		}
	}
	return list
}

func TestUploaderStoresUnderAFixedName(t *testing.T) {
	dir := t.TempDir()
	u := NewUploader(open(t, dir, 0), "http://host:9000/api/v1/file/download")
	src := source("nomad/ads/prod/words/words-1/abc.tar.gz", "content")
	want := u.Locate(src.Name)
	for range 2 {
		at, err := u.Upload(t.Context(), src)
		if err != nil || at.URI != want.URI || at.Fetch != want.URI {
			t.Fatalf("%+v, want %+v (%v)", at, want, err)
		}
	}
	// Another server on the same folder gives the same name; one on another does not.
	if again := NewUploader(open(t, dir, 0), "http://host:9000/api/v1/file/download/").Locate(src.Name); again.URI != want.URI {
		t.Errorf("%s, want %s", again.URI, want.URI)
	}
	if other := NewUploader(open(t, t.TempDir(), 0), "http://host:9000/api/v1/file/download").Locate(src.Name); other.URI == want.URI {
		t.Error("the name can be guessed: it is the same in another folder")
	}
	if err := u.Check(t.Context()); err != nil {
		t.Error(err)
	}
	if list := names(t, dir); len(list) != 1 {
		t.Errorf("files %q", list)
	}
	if err := u.Delete(t.Context(), "http://elsewhere/11111111-2222-3333-4444-555555555555-x"); !errors.Is(err, uploader.ErrForeign) {
		t.Errorf("a foreign package: %v", err)
	}
	// Under an earlier address of the server.
	if err := u.Delete(t.Context(), strings.Replace(want.URI, "host", "old", 1)); err != nil {
		t.Error(err)
	}
	if err := u.Delete(t.Context(), want.URI); err != nil {
		t.Errorf("one that is gone: %v", err)
	}
	if list := names(t, dir); len(list) != 0 {
		t.Errorf("files %q", list)
	}
}

func TestUploadsThatFail(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, 20)
	u := NewUploader(s, "http://host/")
	wrong := source("a", "content")
	wrong.SHA256 = strings.Repeat("0", 64)
	if _, err := u.Upload(t.Context(), wrong); !errors.Is(err, uploader.ErrContent) {
		t.Errorf("wrong digest: %v", err)
	}
	long := source("a", "content and more")
	long.Size = 7
	if _, err := u.Upload(t.Context(), long); !errors.Is(err, uploader.ErrContent) {
		t.Errorf("longer than announced: %v", err)
	}
	if _, err := u.Upload(t.Context(), source("a", strings.Repeat("x", 21))); !errors.Is(err, uploader.ErrTarget) {
		t.Errorf("over the limit: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := s.Put(ctx, NewID("x"), strings.NewReader("x"), ""); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	broken := io.MultiReader(strings.NewReader("x"), broken{})
	if _, _, err := s.Put(t.Context(), NewID("x"), broken, ""); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("cut off: %v", err)
	}
	if list := names(t, dir); len(list) != 0 || s.Used() != 0 {
		t.Errorf("files %q, %d bytes", list, s.Used())
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestOldLeftoversGo(t *testing.T) {
	dir := t.TempDir()
	old, fresh := filepath.Join(dir, incoming+"old"), filepath.Join(dir, incoming+"fresh")
	for _, path := range []string{old, fresh} {
		if err := os.MkdirAll(filepath.Join(path, "topology"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	past := time.Now().Add(-2 * staleAfter)
	if err := os.Chtimes(old, past, past); err != nil {
		t.Fatal(err)
	}
	open(t, dir, 0)
	if list := names(t, dir); len(list) != 1 || list[0] != incoming+"fresh" {
		t.Errorf("files %q", list)
	}
}

func TestBase(t *testing.T) {
	for name, want := range map[string]string{
		"x.tar.gz": "x.tar.gz", "../../x": "x", `c:\x\y.jar`: "y.jar", "": "package", "..": "package", "a b/ü z": "__z", "-rf": "rf",
		strings.Repeat("a", 300) + ".jar": strings.Repeat("a", 146) + ".jar",
	} {
		if got := base(name); got != want {
			t.Errorf("base(%q) = %q, want %q", name, got, want)
		}
		if !idForm.MatchString(NewID(name)) {
			t.Errorf("NewID(%q) = %q is no name", name, NewID(name))
		}
	}
}
