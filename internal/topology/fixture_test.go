package topology

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/heron-nomad/heron/internal/heronpb"
	"github.com/heron-nomad/heron/internal/testenv"
)

// userArgs are words that a command line could take for its own.
var userArgs = []string{"--eco-config-file", "f", "-r", "http://x", "-1", "two words", "", "-Dx=y", "--verbose", "*"}

func echoed(args []string) string {
	var b bytes.Buffer
	for _, a := range args {
		b.WriteString("arg: " + a + "\n")
	}
	return b.String()
}

// fixture is a Program with a definition at hand for its programs to write.
type fixture struct {
	*Program
	dir            string
	definition     string
	stdout, stderr bytes.Buffer
}

func newFixture(t *testing.T, pb *heronpb.Topology) *fixture {
	t.Helper()
	data, err := FromProto(pb).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{dir: t.TempDir()}
	f.definition = f.write(t, FromProto(pb).Filename(), data, 0o600)
	temp := filepath.Join(f.dir, "temp folder")
	if err := os.Mkdir(temp, 0o700); err != nil {
		t.Fatal(err)
	}
	f.Program = &Program{
		Class:     "-",
		Args:      userArgs,
		HeronHome: "/nowhere",
		Identity:  Identity{Cluster: "nomad", Role: "ads", Environ: "prod", User: "me"},
		Stdout:    &f.stdout,
		Stderr:    &f.stderr,
		Variables: append(os.Environ(), "DEFINITION="+f.definition),
		TempDir:   temp,
	}
	return f
}

func (f *fixture) write(t *testing.T, name string, data []byte, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(f.dir, name)
	if err := os.WriteFile(path, data, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

// script makes a shell script the program. $folder is where definitions go.
func (f *fixture) script(t *testing.T, text string) {
	t.Helper()
	const head = `#!/bin/sh
folder=$(printf '%s' "$HERON_OPTIONS" | sed -e 's/%%%%/ /g' -e 's/,.*//' -e 's/^[^=]*=//')
`
	f.File = f.write(t, "script", []byte(head+text), 0o700)
}

// checkClean asserts that runs left nothing in the temporary folder.
func (f *fixture) checkClean(t *testing.T) {
	t.Helper()
	left, err := os.ReadDir(f.TempDir)
	if err != nil || len(left) > 0 {
		t.Errorf("left in the temporary folder: %v, %v", left, err)
	}
}

// jar compiles Main.java.
func jar(t *testing.T) []byte {
	t.Helper()
	javac := testenv.JDK(t)
	dir := t.TempDir()
	if out, err := exec.Command(javac, "-d", dir, filepath.Join("testdata", "Main.java")).CombinedOutput(); err != nil {
		t.Fatalf("javac: %v\n%s", err, out)
	}
	class, err := os.ReadFile(filepath.Join(dir, "Main.class"))
	if err != nil {
		t.Fatal(err)
	}
	return zipped(t, map[string][]byte{"Main.class": class})
}

func zipped(t *testing.T, files map[string][]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, data := range files {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

type member struct {
	name, link string
	kind       byte
	data       []byte
}

func tarred(t *testing.T, members ...member) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, m := range members {
		if m.kind == 0 {
			m.kind = tar.TypeReg
		}
		h := &tar.Header{Name: m.name, Linkname: m.link, Typeflag: m.kind, Size: int64(len(m.data)), Mode: 0o644}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(m.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// pex makes a zip that Python can run; with info as the pex tool marks its
// own, and then heeding PEX_INTERPRETER as those do.
func pex(t *testing.T, info bool) []byte {
	t.Helper()
	if _, err := exec.LookPath("python3"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("find Python: %v; apt-get install python3", err)
		}
		t.Skipf("find Python: %v; apt-get install python3", err)
	}
	source, err := os.ReadFile(filepath.Join("testdata", "main.py"))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{"sample/topology.py": source, "sample/__init__.py": nil}
	main := "from sample.topology import Sample\nSample.write()\n"
	if info {
		files["PEX-INFO"] = []byte("{}")
		main = `import os, sys
if os.environ.get("PEX_INTERPRETER") and sys.argv[1] == "-c":
    code = sys.argv[2]
    sys.argv[:3] = ["-c"]
    exec(code)
else:
    sys.exit("run without PEX_INTERPRETER")
`
	}
	files["__main__.py"] = []byte(main)
	return append([]byte("#!/usr/bin/env python3\n"), zipped(t, files)...)
}

// native builds the Go program of testdata.
func native(t *testing.T) []byte {
	t.Helper()
	file := filepath.Join(t.TempDir(), "native")
	build := exec.Command("go", "build", "-o", file, "./"+filepath.Join("testdata", "native"))
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
