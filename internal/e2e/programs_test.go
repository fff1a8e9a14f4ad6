package e2e

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/heron-nomad/heron/internal/testenv"
)

// writeFile makes a file in a folder of its own.
func writeFile(t *testing.T, name string, data []byte, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// javaTopology compiles Main.java into a jar. Its topology has the name that
// the property "name" says.
func javaTopology(t *testing.T) []byte {
	t.Helper()
	javac, dir := testenv.JDK(t), t.TempDir()
	if out, err := exec.Command(javac, "-d", dir, filepath.Join("testdata", "Main.java")).CombinedOutput(); err != nil {
		t.Fatalf("javac: %v\n%s", err, out)
	}
	files := map[string][]byte{}
	for _, class := range []string{"Main.class", "Main$Message.class"} {
		files[class] = readFile(t, filepath.Join(dir, class))
	}
	return zipped(t, files)
}

// pythonTopology makes a zip that runs by itself, as the pex tool does. It has
// the definition of a topology in it.
func pythonTopology(t *testing.T, definition []byte) []byte {
	t.Helper()
	if _, err := exec.LookPath("python3"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("find Python: %v; apt-get install python3", err)
		}
		t.Skipf("find Python: %v; apt-get install python3", err)
	}
	content := zipped(t, map[string][]byte{
		"__main__.py":          []byte("from sample.topology import Sample\nSample.write()\n"),
		"sample/__init__.py":   nil,
		"sample/topology.py":   readFile(t, filepath.Join("testdata", "topology.py")),
		"sample/topology.defn": definition,
	})
	return append([]byte("#!/usr/bin/env python3\n"), content...)
}

// definition is the sample topology's, as its program writes it.
func definition(t *testing.T, name string) []byte {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.Command(bin.sample, "--name", name, "--stmgrs", "2")
	cmd.Env = []string{"HERON_OPTIONS=cmdline.topologydefn.tmpdirectory=" + dir}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("sample-topology: %v\n%s", err, out)
	}
	return readFile(t, filepath.Join(dir, name+".defn"))
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

// tarred makes a tar of one file.
func tarred(t *testing.T, name string, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Size: int64(len(data)), Mode: 0o644}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
