package sshconfig

import (
	"os"
	"path/filepath"
	"testing"
)

// in are options for a home folder.
func in(home, args string) Options {
	return Options{Home: home, Args: args, Getenv: func(string) string { return "" }, System: filepath.Join(home, "etc")}
}

// homeWith is a home with a configuration file.
func homeWith(t *testing.T, config string) string {
	t.Helper()
	home := t.TempDir()
	if err := os.Mkdir(filepath.Join(home, ".ssh"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, home, "config", config)
	return home
}

// write puts a file below a home's .ssh.
func write(t *testing.T, home, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(home, ".ssh", name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
