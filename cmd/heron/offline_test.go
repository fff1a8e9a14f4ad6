package main

import (
	"archive/tar"
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/heron-nomad/heron/internal/testenv/jsondoc"
)

// The documents of commands that need no server are as their schemas say.
func TestDocumentsOfCommandsThatNeedNoServer(t *testing.T) {
	home := t.TempDir()
	archive := filepath.Join(home, "x.tar")
	var text bytes.Buffer
	w := tar.NewWriter(&text)
	if err := w.WriteHeader(&tar.Header{Name: "f", Mode: 0o644}); err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(archive, text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"HOME": home, "USER": "ann"}
	for _, line := range [][]string{
		{"version", "--output", "json"},
		{"init", "--output", "json", "--prefix", filepath.Join(home, ".heron")},
		{"version", "--output=json"}, // what is installed now says it
		{"config", "--output", "json", "nomad"},
		{"config", "--output", "json", "nomad", "set", "service_url", "http://127.0.0.1:9000"},
		{"config", "--output", "json", "nomad", "unset", "service_url"},
		{"download", "--output", "json", "-u", archive, "-f", filepath.Join(home, "to")},
		{"completion", "--output", "json", "fish"},
		{"help", "--output", "json", "submit"},
		{"man", "--output", "json", filepath.Join(home, "man1")},
	} {
		var out, errs bytes.Buffer
		a := &app{stdout: &out, stderr: &errs, getenv: func(name string) string { return env[name] }, now: time.Now}
		code := a.run(t.Context(), "heron", line)
		if err := jsondoc.Check(line[0], out.String(), false); err != nil || code != exitOK {
			t.Errorf("%v: code %d, %v\n%s%s", line, code, err, out.String(), errs.String())
		}
	}
}
