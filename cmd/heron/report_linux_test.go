package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/progress"
)

// terminal is a pseudo-terminal of so many columns: what a program writes to,
// and what a person would see.
func terminal(t *testing.T, columns uint16) (program, person *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = person.Close() })
	fd := int(person.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = program.Close() })
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: columns}); err != nil {
		t.Fatal(err)
	}
	return program, person
}

// upload is an event of an upload that is a quarter done.
func upload(state progress.State) progress.Event {
	return progress.Event{
		State: state, Step: "upload", What: outcome.Resource{Kind: outcome.Package, ID: "p"}, Done: 1 << 20, Total: 4 << 20, Unit: "bytes",
	}
}

func TestProgressIsDrawnOnATerminal(t *testing.T) {
	program, person := terminal(t, 60)
	a := &app{stderr: program, getenv: func(string) string { return "" }}
	a.say("before")
	a.progress()(upload(progress.Advanced))
	chunks := make(chan string)
	go func() {
		defer close(chunks)
		for buf := make([]byte, 1<<10); ; {
			n, err := person.Read(buf)
			if err != nil {
				return
			}
			chunks <- string(buf[:n])
		}
	}()
	var seen strings.Builder
	late := time.After(time.Minute)
	for ended := false; !strings.Contains(seen.String(), "\r\x1b[K"); {
		select {
		case chunk := <-chunks:
			seen.WriteString(chunk)
		case <-late:
			t.Fatalf("it shows %q", seen.String())
		}
		if !ended && strings.Contains(seen.String(), "unknown\x1b[K") {
			ended = true
			a.progress()(upload(progress.Ended))
		}
	}
	// What comes later must not block.
	go func() {
		for range chunks {
		}
	}()
	if want := "before\r\n\ruploaded 1.0 MiB of 4.0 MiB (25%), 0 B/s, time left unknown\x1b[K"; !strings.HasPrefix(seen.String(), want) {
		t.Errorf("it shows %q, want %q first", seen.String(), want)
	}
	if a.width()() != 60 {
		t.Errorf("the terminal has %d columns, want 60", a.width()())
	}
}

func TestProgressIsNotDrawnElsewhere(t *testing.T) {
	program, _ := terminal(t, 60)
	for name, a := range map[string]*app{
		"a file":                    {stderr: new(bytes.Buffer), getenv: os.Getenv},
		"a terminal without cursor": {stderr: program, getenv: func(string) string { return "dumb" }},
	} {
		if a.width() != nil {
			t.Errorf("it would be drawn on %s", name)
		}
	}
	quiet := &app{stderr: new(bytes.Buffer), quiet: true}
	if quiet.say("hello"); quiet.progress() != nil || quiet.stderr.(*bytes.Buffer).Len() > 0 {
		t.Error("--quiet shows something")
	}
}
