package files

import (
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/testenv"
	"github.com/heron-nomad/heron/internal/uploader"
	"github.com/heron-nomad/heron/internal/uploader/uploadertest"
)

// place is a server's own folder of packages.
type place struct {
	dir   string
	store *Store
}

const address = "http://host:9000/api/v1/file/download/"

func newPlace(t *testing.T) uploadertest.Place {
	dir := filepath.Join(t.TempDir(), "packages")
	return &place{dir: dir, store: open(t, dir, 0)}
}

func decorated(s *Store) uploader.Uploader {
	return uploader.Decorate(NewUploader(s, address), conf.Upload{Kind: "http"}, uploader.Options{})
}

func (p *place) Uploader(*testing.T) uploader.Uploader { return decorated(p.store) }

func (p *place) Fetch(t *testing.T, uri string) []byte {
	t.Helper()
	f, _, err := p.store.Get(path.Base(uri))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func (p *place) FetchTo(t *testing.T, uri string, w io.Writer) {
	t.Helper()
	f, _, err := p.store.Get(path.Base(uri))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := io.Copy(w, f); err != nil {
		t.Fatal(err)
	}
}

// List is all but the server's key.
func (p *place) List(t *testing.T) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(p.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != keyFile {
			names = append(names, e.Name())
		}
	}
	return names
}

func (p *place) ReadOnly(t *testing.T) uploader.Uploader {
	s := open(t, filepath.Join(t.TempDir(), "gone"), 0)
	if err := os.RemoveAll(s.dir); err != nil {
		t.Fatal(err)
	}
	return decorated(s)
}

func (p *place) Full(t *testing.T) uploader.Uploader {
	return decorated(open(t, uploadertest.SmallDisk(t), 0))
}

func (p *place) PartSize() int     { return 0 }
func (p *place) Secrets() []string { return nil }

func (p *place) Faults(*testing.T) (func(conf.Upload) uploader.Uploader, *testenv.FaultProxy) {
	return nil, nil
}

func (p *place) LeavePart(t *testing.T, src uploader.Source) bool {
	t.Helper()
	id := p.store.FixedID(src.Name)
	if err := p.store.keepName(id, src.Name); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(p.dir, incoming+id+".12345678"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	return true
}

func (p *place) Foreign(*testing.T) []string {
	return []string{"", "http://host:9000/", strings.TrimSuffix(address, "file/download/"), "file://" + p.dir, "http://elsewhere/x", "http://elsewhere/" + keyFile}
}

func TestConformance(t *testing.T) { uploadertest.Run(t, newPlace) }
