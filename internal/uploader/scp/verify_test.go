package scp

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/heron-nomad/heron/internal/testenv"
	"github.com/heron-nomad/heron/internal/uploader"
	"github.com/heron-nomad/heron/internal/uploader/uploadertest"
)

// withProgram is a host on which openssl is this script.
func withProgram(t *testing.T, script string) *sshHosts {
	t.Helper()
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "openssl"), []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	server := testenv.SSHD(t, atHome(t, testenv.SSHOptions{}, "PATH="+bin+":/usr/bin:/bin"))
	h := &sshHosts{private: t.TempDir(), servers: []*testenv.SSHServer{server}}
	h.home = testenv.SSHHome(t, server)
	return h
}

// hangs does nothing until the test is over and removes the script.
const hangs = `while [ -e "$0" ]; do sleep 0.2; done`

// A host whose program hangs is no host that is there.
func TestHangingProgramsEndByTheStallTimeout(t *testing.T) {
	t.Parallel()
	for label, script := range map[string]string{
		"at once":  hangs,
		"half way": "head -c 20000000 >/dev/null; " + hangs,
	} {
		for _, there := range []bool{false, true} {
			h := withProgram(t, script)
			settings := h.settings(filepath.Join(h.private, "packages"))
			src, data := uploadertest.Source(uploadertest.Folder, 4*segmentSize)
			if there {
				file := filepath.Join(h.private, "packages", src.Name)
				if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, data, 0o600)); err != nil {
					t.Fatal(err)
				}
			}
			settings.StallTimeout = 2 * time.Second
			u := uploader.Decorate(newSCP(t, h.home, settings), settings, uploader.Options{})
			start := time.Now()
			_, err := u.Upload(t.Context(), src)
			if took := time.Since(start); !errors.Is(err, uploader.ErrUnreachable) || took > uploadertest.Soon {
				t.Errorf("%s, package there %v: %v after %s", label, there, err, took)
			}
			if !there {
				for _, name := range h.left(t) {
					if strings.Contains(name, src.Name) {
						t.Errorf("%s: left is %s", label, name)
					}
				}
			}
		}
	}
}

// A digest that takes longer than the stall timeout is no stall, as long as the
// host reads on.
func TestSlowProgramsAreWaitedFor(t *testing.T) {
	t.Parallel()
	h := withProgram(t, `for i in 1 2 3 4 5; do head -c 8388608; sleep 1; done | /usr/bin/openssl "$@"`)
	settings := h.settings(filepath.Join(h.private, "packages"))
	settings.StallTimeout = 3 * time.Second
	u := uploader.Decorate(newSCP(t, h.home, settings), settings, uploader.Options{})
	src, _ := uploadertest.Source(uploadertest.Folder, 5*segmentSize)
	for range 2 {
		if _, err := u.Upload(t.Context(), src); err != nil {
			t.Fatal(err)
		}
		src.Open = func() (uploader.Content, error) {
			t.Error("it is sent again")
			return nil, uploadertest.ErrBroken
		}
	}
}

// What a shell prints before is no digest.
func TestReadDigest(t *testing.T) {
	sum := strings.Repeat("ab", 32)
	for text, want := range map[string]string{
		"":                         "",
		sum + " *stdin\n":          sum,
		sum + "  -\n":              sum,
		"Welcome!\n" + sum + " -":  sum,
		"Welcome!\r\n" + sum:       sum,
		sum[1:] + " -\n":           "",
		"sh: openssl: not found\n": "",
		"(stdin)= " + sum + "\n":   "",
	} {
		if got := readDigest(strings.NewReader(text)); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}
