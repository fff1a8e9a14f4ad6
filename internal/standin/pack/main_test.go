package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestPackage(t *testing.T) {
	var first, second bytes.Buffer
	set := settings{"HERON_STANDIN_RESTART_DELAY=1s"}
	for _, out := range []*bytes.Buffer{&first, &second} {
		if err := write(out, []byte("binary"), set); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("two packages of the same differ")
	}
	zipped, err := gzip.NewReader(&first)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for in := tar.NewReader(zipped); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		found[h.Name] = string(data) + h.Linkname
	}
	for name, want := range map[string]string{
		"heron-core/bin/heron-executor": "binary",
		"heron-core/bin/heron-tmanager": "heron-executor",
		"heron-core/standin.conf":       "HERON_STANDIN_RESTART_DELAY=1s\n",
		"heron-core/lib/statemgr/":      "",
	} {
		if got, ok := found[name]; !ok || got != want {
			t.Errorf("%s: %q, %v; want %q", name, got, ok, want)
		}
	}
	if !strings.Contains(found["heron-core/STAND-IN"], "not Apache Heron") {
		t.Errorf("the package does not say what it is: %q", found["heron-core/STAND-IN"])
	}
}

func TestSettingsAreOurs(t *testing.T) {
	var s settings
	for _, bad := range []string{"PATH=/x", "HERON_STANDIN_FAIL"} {
		if s.Set(bad) == nil {
			t.Errorf("%s was accepted", bad)
		}
	}
}
