package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestEveryCommandHasAManPage(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "man1")
	code, _, errs := lines(t, "man", "--output", "json", folder)
	if code != exitOK {
		t.Fatalf("code %d, %s", code, errs)
	}
	pages := map[string]string{"heron": ""} // the command's own text by page
	for _, cmd := range runnable(t) {
		if !cmd.Hidden && cmd.Name() != "help" {
			pages["heron-"+cmd.Name()] = cmd.Long
		}
	}
	for page, long := range pages {
		file := filepath.Join(folder, page+".1")
		text, err := os.ReadFile(file)
		if err != nil {
			t.Errorf("%s has no page: %v", page, err)
			continue
		}
		inOrder := []string{
			".TH \"HERON", ".SH NAME\n" + page + " - ", ".SH SYNOPSIS", ".SH DESCRIPTION", ".SH OPTIONS",
			".SH EXIT STATUS\n.TP\n\\fB0\\fP\ndone\n", ".SH SEE ALSO",
		}
		at := 0
		for _, part := range inOrder {
			next := strings.Index(string(text)[at:], part)
			if next < 0 {
				t.Errorf("%s has no %q, or not in the usual place", file, part)
				break
			}
			at += next
		}
		if page != "heron" && !strings.Contains(string(text), ".SH EXAMPLE") {
			t.Errorf("%s has no example", file)
		}
		for _, word := range strings.Fields(long) {
			if !strings.Contains(string(text), word) {
				t.Errorf("%s has lost %q, which is markup to the converter; word it otherwise", file, word)
			}
		}
		if man, err := exec.LookPath("man"); err == nil {
			cmd := exec.Command(man, "--warnings", "-E", "UTF-8", "-l", "-Tutf8", file)
			cmd.Env = append(os.Environ(), "MANROFFSEQ=", "MANWIDTH=80", "MANPAGER=cat")
			var warnings strings.Builder
			cmd.Stderr = &warnings
			if out, err := cmd.Output(); err != nil || warnings.Len() > 0 || len(out) == 0 {
				t.Errorf("man does not like %s: %v\n%s", file, err, warnings.String())
			}
		}
	}
}
