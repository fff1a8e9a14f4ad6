package install

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

func options(t *testing.T, scheduler string) Options {
	t.Helper()
	program := filepath.Join(t.TempDir(), "heron")
	if err := os.WriteFile(program, []byte("the program"), 0o700); err != nil {
		t.Fatal(err)
	}
	return Options{
		Program: program,
		Conf:    fstest.MapFS{"nomad/scheduler.yaml": {Data: []byte(scheduler)}},
		Release: []byte("heron.build.version: '1'\n"),
	}
}

func install(t *testing.T, opts Options) map[string]string {
	t.Helper()
	done, err := Install(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	what := map[string]string{}
	for _, d := range done {
		rel, _ := filepath.Rel(opts.Prefix, d.Path)
		what[rel] = d.What
	}
	return what
}

func read(t *testing.T, parts ...string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(parts...))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestInstallIsCompleteAndRepeatable(t *testing.T) {
	opts := options(t, "a: 1\n")
	opts.Prefix = filepath.Join(t.TempDir(), "home")
	first := install(t, opts)
	for _, name := range []string{"bin/heron", "conf/nomad/scheduler.yaml", "release.yaml"} {
		if first[name] != Written {
			t.Errorf("%s: %q at first", name, first[name])
		}
	}
	for _, name := range []string{"heron", "heron-apiserver", "heron-downloader"} {
		if got := read(t, opts.Prefix, "bin", name); got != "the program" {
			t.Errorf("bin/%s holds %q", name, got)
		}
	}
	opts.Program = filepath.Join(opts.Prefix, "bin", "heron")
	for name, what := range install(t, opts) {
		if what != Unchanged {
			t.Errorf("%s: %q the second time", name, what)
		}
	}
}

func TestInstallKeepsWhatTheUserEdited(t *testing.T) {
	opts := options(t, "a: 1\n")
	opts.Prefix = t.TempDir()
	install(t, opts)
	file := filepath.Join(opts.Prefix, "conf", "nomad", "scheduler.yaml")

	opts.Conf = fstest.MapFS{"nomad/scheduler.yaml": {Data: []byte("a: 2\n")}}
	if what := install(t, opts)["conf/nomad/scheduler.yaml"]; what != Written {
		t.Errorf("an old file was %q", what)
	}
	if err := os.WriteFile(file, []byte("a: mine\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	opts.Conf = fstest.MapFS{"nomad/scheduler.yaml": {Data: []byte("a: 3\n")}}
	if what := install(t, opts)["conf/nomad/scheduler.yaml.new"]; what != Beside {
		t.Errorf("an edited file was %q", what)
	}
	if got := read(t, file); got != "a: mine\n" {
		t.Errorf("the edited file holds %q", got)
	}
	if got := read(t, file+".new"); got != "a: 3\n" {
		t.Errorf("the new file holds %q", got)
	}
}

func TestInstallDoesNotReplaceAForeignProgram(t *testing.T) {
	opts := options(t, "a: 1\n")
	opts.Prefix = t.TempDir()
	foreign := filepath.Join(opts.Prefix, "bin", "heron-downloader")
	if err := os.MkdirAll(filepath.Dir(foreign), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(foreign, []byte("theirs"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Install(t.Context(), opts); err == nil || !strings.Contains(err.Error(), foreign) {
		t.Errorf("error %v, want one that names %s", err, foreign)
	}
	if read(t, foreign) != "theirs" {
		t.Error("the foreign program is gone")
	}
}

func corePackage(t *testing.T, member string) []byte {
	t.Helper()
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	w := tar.NewWriter(z)
	if err := w.WriteHeader(&tar.Header{Name: member, Mode: 0o755, Size: 2}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("hi")); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func TestCore(t *testing.T) {
	good := corePackage(t, "./heron-core/bin/heron-executor")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/core" {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(good)
	}))
	defer server.Close()
	file := func(data []byte) string {
		path := filepath.Join(t.TempDir(), "core.tar.gz")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, c := range []struct {
		name, source, sha, fails string
	}{
		{name: "a file", source: file(good)},
		{name: "a file URI", source: "file://" + file(good), sha: digest(good)},
		{name: "a URL", source: server.URL + "/core", sha: strings.ToUpper(digest(good))},
		{name: "wrong digest", source: file(good), sha: digest([]byte("x")), fails: "its SHA-256 is"},
		{name: "no executor", source: file(corePackage(t, "readme")), fails: "has no heron-core/bin/heron-executor"},
		{name: "not an archive", source: file([]byte("hello")), fails: "not a .tar.gz"},
		{name: "cut off", source: file(good[:len(good)-20]), fails: "read the archive"},
		{name: "missing file", source: "/nonexistent/core", fails: "there is no such file"},
		{name: "a digest that is none", source: file(good), sha: "zz", fails: "is not a SHA-256"},
		{name: "missing on the server", source: server.URL + "/other", fails: "404"},
	} {
		t.Run(c.name, func(t *testing.T) {
			parent := t.TempDir()
			prefix := filepath.Join(parent, "a", "home")
			_, err := Core(t.Context(), prefix, c.source, c.sha)
			if c.fails == "" {
				if err != nil {
					t.Fatal(err)
				}
				if read(t, prefix, "dist", "heron-core.tar.gz") != string(good) {
					t.Error("what is installed differs")
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.fails) {
				t.Errorf("error %v, want one with %q", err, c.fails)
			}
			if left, err := os.ReadDir(parent); err != nil || len(left) > 0 {
				t.Errorf("left: %v, %v", left, err)
			}
		})
	}
}

func TestCoreThatFailsKeepsWhatWasThere(t *testing.T) {
	prefix := t.TempDir()
	dist := filepath.Join(prefix, "dist")
	if err := os.Mkdir(dist, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, there := range []string{"", "heron-core.tar.gz"} {
		if there != "" {
			if err := os.WriteFile(filepath.Join(dist, there), []byte("the old core"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := Core(t.Context(), prefix, "/nonexistent/core", ""); err == nil {
			t.Fatal("no error")
		}
		left, err := os.ReadDir(dist)
		if err != nil || len(left) > 1 || there != "" && (len(left) != 1 || read(t, dist, there) != "the old core") {
			t.Errorf("with %q in dist: left %v, %v", there, left, err)
		}
	}
}
