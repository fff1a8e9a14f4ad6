package topology

import (
	"archive/tar"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/heron-nomad/heron/internal/testenv"
)

func extractMembers(t *testing.T, members ...member) (dir string, err error) {
	t.Helper()
	top := t.TempDir()
	if err := os.WriteFile(filepath.Join(top, "outside"), []byte("outside"), 0o600); err != nil {
		t.Fatal(err)
	}
	file, dir := filepath.Join(top, "x.tar"), filepath.Join(top, "in")
	if err := errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(file, tarred(t, members...), 0o600)); err != nil {
		t.Fatal(err)
	}
	err = extract(context.Background(), file, dir)
	if data, readErr := os.ReadFile(filepath.Join(top, "outside")); string(data) != "outside" {
		t.Errorf("a file outside was changed to %q, %v", data, readErr)
	}
	entries, readErr := os.ReadDir(top)
	if readErr != nil || len(entries) != 3 {
		t.Errorf("files outside: %v, %v", entries, readErr)
	}
	return dir, err
}

func TestExtract(t *testing.T) {
	dir, err := extractMembers(t,
		member{name: "./", kind: tar.TypeDir},
		member{name: "./lib/deep/a.jar", data: []byte("a")},
		member{name: "lib/", kind: tar.TypeDir},
		member{name: "b", data: []byte("first")},
		member{name: "b", data: []byte("second")},
		member{name: "lib/to-b", kind: tar.TypeSymlink, link: "../b"},
		member{name: "nowhere", kind: tar.TypeSymlink, link: "none"},
		member{name: "same-b", kind: tar.TypeLink, link: "./b"},
	)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	err = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && entry.Name() != "nowhere" {
			var data []byte
			data, err = os.ReadFile(path)
			got[strings.TrimPrefix(path, dir+"/")] = string(data)
		}
		return err
	})
	want := map[string]string{"lib/deep/a.jar": "a", "b": "second", "lib/to-b": "second", "same-b": "second"}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestExtractStaysInside(t *testing.T) {
	for name, members := range map[string][]member{
		"dots":           {{name: "../outside", data: []byte("x")}},
		"dots inside":    {{name: "a/../../outside", data: []byte("x")}},
		"absolute":       {{name: "/tmp/x", data: []byte("x")}},
		"sibling":        {{name: "../in-too/x", data: []byte("x")}},
		"link out":       {{name: "l", kind: tar.TypeSymlink, link: "../outside"}},
		"absolute link":  {{name: "l", kind: tar.TypeSymlink, link: "/etc"}},
		"hard link out":  {{name: "l", kind: tar.TypeLink, link: "../outside"}},
		"link over link": {{name: "a/b/up", kind: tar.TypeSymlink, link: "../.."}, {name: "l", kind: tar.TypeSymlink, link: "a/b/up/../outside"}},
		"write through link": {
			{name: "a/b/up", kind: tar.TypeSymlink, link: "../.."}, {name: "l", kind: tar.TypeSymlink, link: "a/b/up/.."},
			{name: "l/outside", data: []byte("x")},
		},
		"device": {{name: "d", kind: tar.TypeChar}},
		"pipe":   {{name: "p", kind: tar.TypeFifo}},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := extractMembers(t, members...); err == nil {
				t.Error("unpacked")
			}
		})
	}
}

func TestExtractWhatIsNoArchive(t *testing.T) {
	f := newFixture(t, sample("t"))
	for name, data := range map[string][]byte{
		"text":      []byte(strings.Repeat("no archive ", 100)),
		"truncated": tarred(t, member{name: "a", data: make([]byte, 5000)})[:2000],
		"half gzip": testenv.Gzip(t, tarred(t, member{name: "a", data: make([]byte, 5000)}))[:40],
		"xz":        []byte("\xfd7zXZ\x00"),
	} {
		var input *InputError
		if err := extract(context.Background(), f.write(t, "x.tar", data, 0o600), t.TempDir()); !errors.As(err, &input) {
			t.Errorf("%s: got %v, want an *InputError", name, err)
		}
	}
}
