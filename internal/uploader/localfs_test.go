package uploader

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
)

// localPlace is a folder that does not exist at first, in one that does.
type localPlace struct{ parent, dir string }

func newLocalPlace(t *testing.T) place {
	parent := t.TempDir()
	return &localPlace{parent: parent, dir: filepath.Join(parent, "my packages", "heron")}
}

func (p *localPlace) uploader(t *testing.T) Uploader { return newLocal(t, p.dir) }

func newLocal(t *testing.T, dir string) Uploader {
	t.Helper()
	u, err := New(conf.Upload{Kind: "localfs", LocalDir: dir}, Environment{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { u.Close() })
	return u
}

// fetch does what the start script does: it cuts the scheme off.
func (p *localPlace) fetch(t *testing.T, uri string) []byte {
	t.Helper()
	cmd := exec.Command("/bin/sh", "-c", `cat "${1#file://}"`, "sh", uri)
	cmd.Stderr = os.Stderr
	data, err := cmd.Output()
	if err != nil {
		t.Fatalf("fetch %s: %v", uri, err)
	}
	return data
}

func (p *localPlace) fetchTo(t *testing.T, fetch string, w io.Writer) {
	t.Helper()
	f, err := os.Open(strings.TrimPrefix(fetch, fileScheme))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := io.Copy(w, f); err != nil {
		t.Fatal(err)
	}
}

// list leaves out the folder itself, once a package was in it.
func (p *localPlace) list(t *testing.T) (names []string) {
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

func (p *localPlace) readOnly(t *testing.T) Uploader {
	if dir, ok := mountTmpfs(t, "ro,size=1m"); ok {
		return newLocal(t, dir)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return newLocal(t, filepath.Join(file, "packages"))
}

func (p *localPlace) full(t *testing.T) Uploader {
	dir, ok := mountTmpfs(t, "size=1m")
	if !ok && os.Getenv("CI") == "true" {
		t.Fatal("this test needs root, to mount a file system that is small")
	}
	if !ok {
		t.Skip("only root can mount a file system that is small")
	}
	return newLocal(t, dir)
}

// mountTmpfs mounts a file system of its own where the user may.
func mountTmpfs(t *testing.T, options string) (dir string, ok bool) {
	t.Helper()
	dir = t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", options, "tmpfs", dir).CombinedOutput(); err != nil {
		t.Logf("no tmpfs here: %v: %s", err, out)
		return "", false
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("umount %s: %v: %s", dir, err, out)
		}
	})
	return dir, true
}

func (p *localPlace) partSize() int     { return 0 }
func (p *localPlace) secrets() []string { return nil }

func (p *localPlace) faults(*testing.T, conf.Upload) (Uploader, *testenv.FaultProxy) {
	return nil, nil
}

func (p *localPlace) leavePart(t *testing.T, src Source) bool {
	t.Helper()
	part := filepath.Join(p.dir, tempName(src.Name))
	if err := errors.Join(os.MkdirAll(filepath.Dir(part), 0o755), os.WriteFile(part, []byte("half"), 0o600)); err != nil {
		t.Fatal(err)
	}
	return true
}

func (p *localPlace) foreign(t *testing.T) []string {
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

func TestConformance_localfs(t *testing.T) { conformance(t, newLocalPlace) }

func TestNewRefusesBadSettings(t *testing.T) {
	for _, s := range []conf.Upload{
		{Kind: "carrier-pigeon"}, {Kind: "localfs"}, {Kind: "localfs", LocalDir: "relative"}, {Kind: "localfs", LocalDir: "/"},
		{Kind: "localfs", LocalDir: "/a\nb"}, {Kind: "localfs", LocalDir: "/a%20b"}, {Kind: "localfs", LocalDir: "/a#b"},
		{Kind: "localfs", LocalDir: "${HOME}/x"}, {Kind: "localfs", LocalDir: "/x/${HOME}"},
	} {
		var input *ConfigError
		if u, err := New(s, Environment{}); !errors.As(err, &input) || input.Kind() != outcome.Usage || u != nil {
			t.Errorf("%+v: got %v, want a *ConfigError", s, err)
		}
	}
}

func TestLocalModesDoNotDependOnTheUmask(t *testing.T) {
	p := newLocalPlace(t).(*localPlace)
	src, _ := source("a/b", 1)
	// In a process of its own, for the umask belongs to the whole process.
	if os.Getenv("UPLOAD_TO") == "" {
		cmd := exec.Command("/bin/sh", "-c", `umask 077; exec "$0" "$@"`, os.Args[0], "-test.run=^TestLocalModesDoNotDependOnTheUmask$")
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

func TestLocalFailureRemovesTheFoldersItMadeOnly(t *testing.T) {
	p := newLocalPlace(t).(*localPlace)
	if err := os.MkdirAll(filepath.Join(p.dir, "a"), 0o700); err != nil {
		t.Fatal(err)
	}
	src, _ := source("a/b/c", 10)
	src.Open = breaking(src.Open, 5)
	if _, err := p.uploader(t).Upload(context.Background(), src); !errors.Is(err, errBroken) {
		t.Fatal(err)
	}
	if left := p.list(t); len(left) != 1 || left[0] != filepath.Join(p.dir, "a") {
		t.Errorf("left is %q, want the folder that was there", left)
	}
	if err := os.RemoveAll(filepath.Dir(p.dir)); err != nil {
		t.Fatal(err)
	}
	if _, err := p.uploader(t).Upload(context.Background(), src); !errors.Is(err, errBroken) {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Dir(p.dir)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the package folder was made and left: %v", err)
	}
}

func TestLocalReplacesWhatHasAnotherDigest(t *testing.T) {
	ctx, p := context.Background(), newLocalPlace(t).(*localPlace)
	src, data := source("a", 100)
	path := filepath.Join(p.dir, src.Name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, torn := range [][]byte{data[:50], bytes.Repeat([]byte{0}, 100)} {
		if err := os.WriteFile(path, torn, 0o644); err != nil {
			t.Fatal(err)
		}
		where, err := p.uploader(t).Upload(ctx, src)
		if err != nil || !bytes.Equal(p.fetch(t, where.Fetch), data) {
			t.Fatalf("%v, or other content", err)
		}
	}
}

func TestLocalDoesNotFollowLinksOutside(t *testing.T) {
	ctx, p := context.Background(), newLocalPlace(t).(*localPlace)
	outside := t.TempDir()
	src, _ := source("a", 1)
	victim := filepath.Join(outside, filepath.Base(src.Name))
	if err := errors.Join(os.MkdirAll(p.dir, 0o755), os.Symlink(outside, filepath.Join(p.dir, "a")), os.WriteFile(victim, []byte("keep"), 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, err := p.uploader(t).Upload(ctx, src); !errors.Is(err, ErrTarget) {
		t.Errorf("upload: got %v, want ErrTarget", err)
	}
	if err := p.uploader(t).Delete(ctx, p.uploader(t).Locate(src.Name).URI); err == nil {
		t.Error("delete went through a link")
	}
	if data, err := os.ReadFile(victim); err != nil || string(data) != "keep" {
		t.Errorf("the file outside: %q, %v", data, err)
	}
}

func TestLocalTargetErrorsSayWhatToDo(t *testing.T) {
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
		if !errors.Is(err, ErrTarget) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: got %v, want %q", dir, err, want)
		}
		src, _ := source("a", 1)
		if _, err := newLocal(t, dir).Upload(ctx, src); !errors.Is(err, ErrTarget) {
			t.Errorf("%s: upload: got %v, want ErrTarget", dir, err)
		}
	}
	if dir, ok := mountTmpfs(t, "size=64k"); ok {
		if _, err := exec.Command("dd", "if=/dev/zero", "of="+dir+"/fill", "bs=1k", "count=1000").CombinedOutput(); err == nil {
			t.Fatal("it does not get full")
		}
		if err := newLocal(t, dir).Check(ctx); !errors.Is(err, ErrTarget) || !strings.Contains(err.Error(), "the disk is full") {
			t.Errorf("full disk: got %v", err)
		}
	}
}
