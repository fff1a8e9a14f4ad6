package topology

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience bounds what must happen; it is long since machines can be slow.
const patience = time.Minute

// start runs the program of f beside the test and shows its output line by
// line.
func start(t *testing.T, ctx context.Context, f *fixture, grace time.Duration) (lines <-chan string, done <-chan error) {
	t.Helper()
	r, w := io.Pipe()
	out, end := make(chan string), make(chan error, 1)
	go func() {
		defer close(out)
		for scan := bufio.NewScanner(r); scan.Scan(); {
			out <- scan.Text()
		}
	}()
	go func() {
		result, err := f.run(ctx, &process{stdout: w, stderr: w, stopGrace: grace})
		if err == nil {
			err = result.Close()
		}
		w.Close()
		end <- err
	}()
	return out, end
}

func next[T any](t *testing.T, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("no %s in %s", what, patience)
		panic("unreachable")
	}
}

// checkGone waits until no process has that id; a zombie is gone as well.
func checkGone(t *testing.T, pid string) {
	t.Helper()
	id, err := strconv.Atoi(pid)
	if err != nil {
		t.Fatalf("%q is no process id", pid)
	}
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		stat, err := os.ReadFile(filepath.Join("/proc", pid, "stat"))
		if errors.Is(syscall.Kill(id, 0), syscall.ESRCH) || err == nil && strings.Contains(string(stat), ") Z ") {
			return
		}
	}
	t.Errorf("process %s still runs", pid)
}

func TestOutputIsLive(t *testing.T) {
	f := newFixture(t, sample("words"))
	gate := filepath.Join(f.dir, "gate")
	f.Variables = append(f.Variables, "GATE="+gate)
	// The program goes on only when its first line has been seen.
	f.script(t, `echo first; while [ ! -e "$GATE" ]; do sleep 0.05; done; cp "$DEFINITION" "$folder"; echo second >&2`)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	lines, done := start(t, ctx, f, stopGrace)
	if line := next(t, lines, "first line"); line != "first" {
		t.Errorf("got %q", line)
	}
	f.write(t, "gate", nil, 0o600)
	if line := next(t, lines, "second line"); line != "second" {
		t.Errorf("got %q", line)
	}
	if err := next(t, done, "end"); err != nil {
		t.Error(err)
	}
}

// toldSignal is a cause that tells which signal ended a context.
type toldSignal struct{ signal os.Signal }

func (c toldSignal) Signal() os.Signal { return c.signal }
func (c toldSignal) Error() string     { return "asked to stop" }

func TestStoppedProgramIsWaitedFor(t *testing.T) {
	for name, test := range map[string]struct {
		cause error
		want  string
	}{
		"cancelled":   {nil, "got TERM"},
		"interrupted": {toldSignal{os.Interrupt}, "got INT"},
		"terminated":  {toldSignal{syscall.SIGTERM}, "got TERM"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, sample("words"))
			// Written beforehand: a stopped run finds no topology all the same.
			f.script(t, `exec 2>/dev/null; cp "$DEFINITION" "$folder"
trap 'echo got TERM; exit 0' TERM; trap 'echo got INT; exit 0' INT
echo $$; while :; do sleep 0.05; done`)
			ctx, cancel := context.WithCancelCause(context.Background())
			defer cancel(nil)
			lines, done := start(t, ctx, f, patience)
			pid := next(t, lines, "process id")
			cancel(test.cause)
			if line := next(t, lines, "last line"); line != test.want {
				t.Errorf("got %q, want %q", line, test.want)
			}
			err := next(t, done, "end")
			if !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want context.Canceled", err)
			}
			// Why it was stopped is not the user's to read as "context canceled".
			if text := fmt.Sprint(err); !strings.HasPrefix(text, "the topology's program was stopped: ") || strings.Contains(text, "context") {
				t.Errorf("told as %q", text)
			}
			checkGone(t, pid)
			f.checkClean(t)
		})
	}
}

func TestDeafProgramIsKilledWithItsChildren(t *testing.T) {
	f := newFixture(t, sample("words"))
	f.script(t, `trap '' TERM INT
sh -c 'echo $$; while :; do sleep 1; done' & echo $$; wait; while :; do sleep 1; done`)
	ctx, cancel := context.WithCancel(context.Background())
	lines, done := start(t, ctx, f, 100*time.Millisecond)
	pids := []string{next(t, lines, "process id"), next(t, lines, "process id")}
	cancel()
	if err := next(t, done, "end"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	for _, pid := range pids {
		checkGone(t, pid)
	}
	f.checkClean(t)
}

func TestChildThatHoldsOutputDoesNotHang(t *testing.T) {
	f := newFixture(t, sample("words"))
	f.script(t, `cp "$DEFINITION" "$folder"; export folder
sh -c 'echo $$; : >"$folder/up"; while :; do sleep 1; done' &
while [ ! -e "$folder/up" ]; do sleep 0.05; done`)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	lines, done := start(t, ctx, f, stopGrace)
	pid := next(t, lines, "process id")
	if err := next(t, done, "end"); err != nil {
		t.Errorf("the program itself ended well, but: %v", err)
	}
	checkGone(t, pid)
	f.checkClean(t)
}

// A Java program that does not find Heron's classes is told where they would
// be, if they are not there.
func TestMissingClassesAreExplained(t *testing.T) {
	const hint = "there are no jars in "
	for name, c := range map[string]struct {
		output string
		jars   bool
		want   bool
	}{
		"missing":        {"Exception in thread main java.lang.NoClassDefFoundError: org/apache/heron/api/bolt/IRichBolt", false, true},
		"by name":        {"java.lang.ClassNotFoundException: org.apache.heron.api.HeronSubmitter", false, true},
		"something else": {"java.lang.IllegalStateException", false, false},
		"jars are there": {"java.lang.NoClassDefFoundError: org/apache/heron/X", true, false},
	} {
		f := newFixture(t, sample("words"))
		java := f.write(t, "java", []byte("#!/bin/sh\necho '"+c.output+"' >&2\nexit 1\n"), 0o700)
		f.File, f.Class, f.Variables, f.HeronHome = f.write(t, "x.jar", nil, 0o600), "Main", []string{"JAVA_BIN=" + java}, f.dir
		if c.jars {
			lib := filepath.Join(f.dir, "lib", "third_party")
			if err := errors.Join(os.MkdirAll(lib, 0o755), os.WriteFile(filepath.Join(lib, "a.jar"), nil, 0o600)); err != nil {
				t.Fatal(err)
			}
		}
		_, err := f.Run(t.Context())
		var failed *ProgramError
		if !errors.As(err, &failed) || strings.Contains(err.Error(), hint+f.dir) != c.want {
			t.Errorf("%s: %v, want the hint: %v", name, err, c.want)
		}
		if !strings.Contains(f.stderr.String(), c.output) {
			t.Errorf("%s: the program's output is lost: %q", name, f.stderr.String())
		}
	}
}

func TestFinderFindsAcrossWrites(t *testing.T) {
	for text, want := range map[string]bool{"xxabcdyy": true, "abcxd": false, "abcd": true, "ababcd": true, "": false} {
		for size := 1; size <= len(text)+1; size++ {
			f := &finder{texts: []string{"abcd", "q"}}
			for rest := text; rest != ""; {
				n := min(size, len(rest))
				if _, err := io.WriteString(f, rest[:n]); err != nil {
					t.Fatal(err)
				}
				rest = rest[n:]
			}
			if f.found != want {
				t.Errorf("%q in pieces of %d: %v, want %v", text, size, f.found, want)
			}
		}
	}
}

func TestCancelledBeforeItStarts(t *testing.T) {
	f := newFixture(t, sample("words"))
	f.script(t, `echo started`)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := f.Run(ctx); !errors.Is(err, context.Canceled) || f.stdout.Len() > 0 {
		t.Errorf("got %v and output %q", err, f.stdout.String())
	}
	f.checkClean(t)
}

func TestProgramHasNoInput(t *testing.T) {
	f := newFixture(t, sample("words"))
	f.script(t, `cp "$DEFINITION" "$folder"; wc -c`)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	lines, done := start(t, ctx, f, stopGrace)
	if line := strings.TrimSpace(next(t, lines, "count")); line != "0" {
		t.Errorf("the program read %s bytes", line)
	}
	if err := next(t, done, "end"); err != nil {
		t.Error(err)
	}
}
