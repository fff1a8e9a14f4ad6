package localfs

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/testenv"
	"github.com/heron-nomad/heron/internal/uploader"
	"github.com/heron-nomad/heron/internal/uploader/uploadertest"
)

// localPlace is a folder that does not exist at first, in one that does.
type localPlace struct{ parent, dir string }

func newLocalPlace(t *testing.T) uploadertest.Place {
	parent := t.TempDir()
	return &localPlace{parent: parent, dir: filepath.Join(parent, "my packages", "heron")}
}

func (p *localPlace) Uploader(t *testing.T) uploader.Uploader { return newLocal(t, p.dir) }

func newLocal(t *testing.T, dir string) uploader.Uploader {
	t.Helper()
	settings := conf.Upload{Kind: "localfs", LocalDir: dir}
	u, err := New(settings)
	if err != nil {
		t.Fatal(err)
	}
	return uploader.Decorate(u, settings, uploader.Options{})
}

// fetch does what the start script does: it cuts the scheme off.
func (p *localPlace) Fetch(t *testing.T, uri string) []byte {
	t.Helper()
	cmd := exec.Command("/bin/sh", "-c", `cat "${1#file://}"`, "sh", uri)
	cmd.Stderr = os.Stderr
	data, err := cmd.Output()
	if err != nil {
		t.Fatalf("fetch %s: %v", uri, err)
	}
	return data
}

func (p *localPlace) FetchTo(t *testing.T, fetch string, w io.Writer) {
	t.Helper()
	f, err := os.Open(strings.TrimPrefix(fetch, uploader.FileScheme))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := io.Copy(w, f); err != nil {
		t.Fatal(err)
	}
}

// list leaves out the folder itself, once a package was in it.
func (p *localPlace) List(t *testing.T) (names []string) {
	t.Helper()
	err := filepath.WalkDir(p.parent, func(path string, _ fs.DirEntry, err error) error {
		if err == nil && !strings.HasPrefix(p.dir+"/", path+"/") {
			names = append(names, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func (p *localPlace) ReadOnly(t *testing.T) uploader.Uploader {
	if dir, ok := uploadertest.MountTmpfs(t, "ro,size=1m"); ok {
		return newLocal(t, dir)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return newLocal(t, filepath.Join(file, "packages"))
}

func (p *localPlace) Full(t *testing.T) uploader.Uploader {
	return newLocal(t, uploadertest.SmallDisk(t))
}

func (p *localPlace) PartSize() int     { return 0 }
func (p *localPlace) Secrets() []string { return nil }

func (p *localPlace) Faults(*testing.T) (func(conf.Upload) uploader.Uploader, *testenv.FaultProxy) {
	return nil, nil
}

func (p *localPlace) LeavePart(t *testing.T, src uploader.Source) bool {
	t.Helper()
	part := filepath.Join(p.dir, uploader.TempName(src.Name))
	if err := errors.Join(os.MkdirAll(filepath.Dir(part), 0o755), os.WriteFile(part, []byte("half"), 0o600)); err != nil {
		t.Fatal(err)
	}
	return true
}

func (p *localPlace) Foreign(t *testing.T) []string {
	outside := filepath.Join(t.TempDir(), "outside")
	if err := os.WriteFile(outside, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := os.Stat(outside); err != nil {
			t.Errorf("a file outside was touched: %v", err)
		}
	})
	up, err := filepath.Rel(p.dir, outside)
	if err != nil {
		t.Fatal(err)
	}
	return []string{
		"", outside, "file://" + outside, "file://" + p.dir, "file://" + p.dir + "/", "file://" + p.dir + "/" + up,
		"file://" + p.dir + "/local", "file://" + p.dir + "x/y", "http://example.org/" + p.dir, "file://localhost" + p.dir + "/x",
		"file://" + p.dir + "/a\nb",
	}
}

func TestConformance(t *testing.T) { uploadertest.Run(t, newLocalPlace) }

func TestNewRefusesBadSettings(t *testing.T) {
	for _, s := range []conf.Upload{
		{Kind: "localfs"}, {Kind: "localfs", LocalDir: "relative"}, {Kind: "localfs", LocalDir: "/"},
		{Kind: "localfs", LocalDir: "/a\nb"}, {Kind: "localfs", LocalDir: "/a%20b"}, {Kind: "localfs", LocalDir: "/a#b"},
		{Kind: "localfs", LocalDir: "${HOME}/x"}, {Kind: "localfs", LocalDir: "/x/${HOME}"},
	} {
		var input *uploader.ConfigError
		if u, err := New(s); !errors.As(err, &input) || input.Kind() != outcome.Usage || u != nil {
			t.Errorf("%+v: got %v, want a *ConfigError", s, err)
		}
	}
}

func TestModesDoNotDependOnTheUmask(t *testing.T) {
	p := newLocalPlace(t).(*localPlace)
	src, _ := uploadertest.Source("a/b", 1)
	// In a process of its own, for the umask belongs to the whole process.
	if os.Getenv("UPLOAD_TO") == "" {
		cmd := exec.Command("/bin/sh", "-c", `umask 077; exec "$0" "$@"`, os.Args[0], "-test.run=^TestModesDoNotDependOnTheUmask$")
		cmd.Env = append(os.Environ(), "UPLOAD_TO="+p.dir)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		for name, want := range map[string]fs.FileMode{".": 0o755, "a": 0o755, "a/b": 0o755, src.Name: 0o644} {
			info, err := os.Stat(filepath.Join(p.dir, name))
			if err != nil || info.Mode().Perm() != want {
				t.Errorf("%s: mode %v, want %v (%v)", name, info.Mode().Perm(), want, err)
			}
		}
		return
	}
	if _, err := newLocal(t, os.Getenv("UPLOAD_TO")).Upload(context.Background(), src); err != nil {
		t.Fatal(err)
	}
}

func TestFailureRemovesTheFoldersItMadeOnly(t *testing.T) {
	p := newLocalPlace(t).(*localPlace)
	if err := os.MkdirAll(filepath.Join(p.dir, "a"), 0o700); err != nil {
		t.Fatal(err)
	}
	src, _ := uploadertest.Source("a/b/c", 10)
	src.Open = uploadertest.Breaking(src.Open, 5)
	if _, err := p.Uploader(t).Upload(context.Background(), src); !errors.Is(err, uploadertest.ErrBroken) {
		t.Fatal(err)
	}
	if left := p.List(t); len(left) != 1 || left[0] != filepath.Join(p.dir, "a") {
		t.Errorf("left is %q, want the folder that was there", left)
	}
	if err := os.RemoveAll(filepath.Dir(p.dir)); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Uploader(t).Upload(context.Background(), src); !errors.Is(err, uploadertest.ErrBroken) {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Dir(p.dir)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the package folder was made and left: %v", err)
	}
}

func TestReplacesWhatHasAnotherDigest(t *testing.T) {
	ctx, p := context.Background(), newLocalPlace(t).(*localPlace)
	src, data := uploadertest.Source("a", 100)
	path := filepath.Join(p.dir, src.Name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, torn := range [][]byte{data[:50], bytes.Repeat([]byte{0}, 100)} {
		if err := os.WriteFile(path, torn, 0o644); err != nil {
			t.Fatal(err)
		}
		where, err := p.Uploader(t).Upload(ctx, src)
		if err != nil || !bytes.Equal(p.Fetch(t, where.Fetch), data) {
			t.Fatalf("%v, or other content", err)
		}
	}
}

func TestDoesNotFollowLinksOutside(t *testing.T) {
	ctx, p := context.Background(), newLocalPlace(t).(*localPlace)
	outside := t.TempDir()
	src, _ := uploadertest.Source("a", 1)
	victim := filepath.Join(outside, filepath.Base(src.Name))
	if err := errors.Join(os.MkdirAll(p.dir, 0o755), os.Symlink(outside, filepath.Join(p.dir, "a")), os.WriteFile(victim, []byte("keep"), 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Uploader(t).Upload(ctx, src); !errors.Is(err, uploader.ErrTarget) {
		t.Errorf("upload: got %v, want ErrTarget", err)
	}
	if err := p.Uploader(t).Delete(ctx, p.Uploader(t).Locate(src.Name).URI); err == nil {
		t.Error("delete went through a link")
	}
	if data, err := os.ReadFile(victim); err != nil || string(data) != "keep" {
		t.Errorf("the file outside: %q, %v", data, err)
	}
}

func TestTargetErrorsSayWhatToDo(t *testing.T) {
	ctx, base := context.Background(), t.TempDir()
	file := filepath.Join(base, "file")
	if err := errors.Join(os.WriteFile(file, nil, 0o600), os.Symlink(filepath.Join(base, "nowhere"), filepath.Join(base, "link"))); err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]string{
		file:                                 "a file is in the place of a folder",
		filepath.Join(file, "below"):         "a file is in the place of a folder",
		filepath.Join(base, "link", "below"): "check the folder",
	} {
		err := newLocal(t, dir).Check(ctx)
		if !errors.Is(err, uploader.ErrTarget) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: got %v, want %q", dir, err, want)
		}
		src, _ := uploadertest.Source("a", 1)
		if _, err := newLocal(t, dir).Upload(ctx, src); !errors.Is(err, uploader.ErrTarget) {
			t.Errorf("%s: upload: got %v, want ErrTarget", dir, err)
		}
	}
	if dir, ok := uploadertest.MountTmpfs(t, "size=64k"); ok {
		if _, err := exec.Command("dd", "if=/dev/zero", "of="+dir+"/fill", "bs=1k", "count=1000").CombinedOutput(); err == nil {
			t.Fatal("it does not get full")
		}
		if err := newLocal(t, dir).Check(ctx); !errors.Is(err, uploader.ErrTarget) || !strings.Contains(err.Error(), "the disk is full") {
			t.Errorf("full disk: got %v", err)
		}
	}
}
