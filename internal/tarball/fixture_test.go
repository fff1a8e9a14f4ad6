package tarball

import (
	"archive/tar"
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// member is an entry of a tar file.
type member struct {
	name, link string
	kind       byte
	data       string
	mode       int64
	at         time.Time
}

func dir(name string) member        { return member{name: name, kind: tar.TypeDir, mode: 0o755} }
func file(name, data string) member { return member{name: name, data: data} }
func symlink(name, target string) member {
	return member{name: name, kind: tar.TypeSymlink, link: target}
}
func hard(name, target string) member { return member{name: name, kind: tar.TypeLink, link: target} }

func tarred(t testing.TB, members ...member) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, m := range members {
		if m.kind == 0 {
			m.kind = tar.TypeReg
		}
		if m.mode == 0 {
			m.mode = 0o644
		}
		h := &tar.Header{Name: m.name, Linkname: m.link, Typeflag: m.kind, Size: int64(len(m.data)), Mode: m.mode, ModTime: m.at}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(m.data)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// unpackIn extracts into a folder beside a file that must not change.
func unpackIn(t testing.TB, data []byte, opts Options) (folder string, sum Summary, err error) {
	t.Helper()
	top := t.TempDir()
	folder = filepath.Join(top, "in")
	write(t, filepath.Join(top, "outside"), "outside")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	sum, err = Extract(t.Context(), bytes.NewReader(data), root, opts)
	if got := tree(t, top, "in"); len(got) != 1 || got["outside"] != "outside" {
		t.Errorf("outside of the folder there is %v", got)
	}
	return folder, sum, err
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// tree is what a folder holds: files with content, links with target, folders
// with a slash. One folder of the top is left out.
func tree(t testing.TB, top string, leaveOut ...string) map[string]string {
	t.Helper()
	got := map[string]string{}
	err := filepath.WalkDir(top, func(path string, entry fs.DirEntry, err error) error {
		name, _ := filepath.Rel(top, path)
		switch {
		case err != nil:
			return err
		case name == ".":
		case len(leaveOut) > 0 && name == leaveOut[0]:
			return fs.SkipDir
		case entry.IsDir():
			got[name+"/"] = ""
		case entry.Type() == fs.ModeSymlink:
			got[name], err = os.Readlink(path)
			got[name] = "-> " + got[name]
		case entry.Type().IsRegular():
			var data []byte
			data, err = os.ReadFile(path)
			got[name] = string(data)
		default:
			got[name] = entry.Type().String()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}
