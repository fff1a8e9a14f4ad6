package topology

import (
	"bufio"
	"context"
	"errors"
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
			if err := next(t, done, "end"); !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want context.Canceled", err)
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
