package console

import (
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/progress"
)

// page is a terminal or a file, and what it got.
type page struct {
	mu   sync.Mutex
	text strings.Builder
}

func (p *page) Write(data []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.Write(data)
}

// all is what it got.
func (p *page) all() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

// screen is what a terminal shows of it.
func (p *page) screen() string {
	var lines []string
	for line := range strings.SplitSeq(p.all(), "\n") {
		// Whatever is drawn clears the rest of its line.
		parts := strings.Split(line, "\r")
		lines = append(lines, strings.ReplaceAll(parts[len(parts)-1], "\x1b[K", ""))
	}
	return strings.Join(lines, "\n")
}

const mib = 1 << 20

// transferred sends 30 MiB in so many seconds, in the middle of each its share.
func transferred(c *Console, seconds int64) {
	c.transferred("uploaded", "a", 0, 30*mib, false)
	for i := range seconds {
		time.Sleep(500 * time.Millisecond)
		c.transferred("uploaded", "a", (i+1)*30*mib/seconds, 30*mib, false)
		time.Sleep(500 * time.Millisecond)
	}
	c.transferred("uploaded", "a", 30*mib, 30*mib, true)
}

func TestTerminalShowsOneLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p page
		c := New(&p, func() int { return 80 })
		go transferred(c, 30)
		time.Sleep(15*time.Second + 50*time.Millisecond)
		if got, want := p.screen(), "uploaded 15.0 MiB of 30.0 MiB (50%), 1.0 MiB/s, 0:15 left"; got != want {
			t.Errorf("it shows %q, want %q", got, want)
		}
		time.Sleep(time.Minute)
		if got, want := p.screen(), "uploaded 30.0 MiB in 0:30, 1.0 MiB/s\n"; got != want {
			t.Errorf("in the end it shows %q, want %q", got, want)
		}
		if n := strings.Count(p.all(), "\r"); n < 250 || n > 310 {
			t.Errorf("drawn %d times in 30 seconds", n)
		}
	})
}

func TestElsewhereALineNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p page
		c := New(&p, nil)
		transferred(c, 15)
		time.Sleep(time.Minute)
		want := `uploaded 10.0 MiB of 30.0 MiB (33%), 2.0 MiB/s, 0:10 left
uploaded 20.0 MiB of 30.0 MiB (66%), 2.0 MiB/s, 0:05 left
uploaded 30.0 MiB in 0:15, 2.0 MiB/s
`
		// The last tick may come before the end, or not.
		got := strings.Replace(p.all(), "uploaded 30.0 MiB of 30.0 MiB (100%), 2.0 MiB/s, 0:00 left\n", "", 1)
		if got != want {
			t.Errorf("got:\n%swant:\n%s", got, want)
		}
	})
}

func TestNothingOfShortTransfers(t *testing.T) {
	for name, width := range map[string]func() int{"terminal": func() int { return 80 }, "file": nil} {
		synctest.Test(t, func(t *testing.T) {
			var p page
			c := New(&p, width)
			c.transferred("uploaded", "a", 0, 100, false)
			time.Sleep(900 * time.Millisecond)
			c.transferred("uploaded", "a", 100, 100, true)
			time.Sleep(time.Minute)
			c.transferred("uploaded", "b", 0, 0, true)
			if got := p.all(); got != "" {
				t.Errorf("%s: %q", name, got)
			}
		})
	}
}

func TestLinesDoNotMix(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p page
		c := New(&p, func() int { return 80 })
		c.Line("first 1")
		c.transferred("uploaded", "a", 0, 100, false)
		time.Sleep(2 * time.Second)
		c.Line("try again")
		time.Sleep(2 * time.Second)
		// It failed, and then begins anew.
		c.transferred("uploaded", "a", 50, 100, true)
		c.Line("broken")
		c.transferred("uploaded", "a", 0, 100, false)
		time.Sleep(3*time.Second + 50*time.Millisecond)
		if got, want := p.screen(), "first 1\ntry again\nbroken\nuploaded 0 B of 100 B (0%), 0 B/s, time left unknown"; got != want {
			t.Errorf("it shows %q, want %q", got, want)
		}
		// Another one takes the line over.
		c.transferred("uploaded", "b", 5, 10, false)
		c.transferred("uploaded", "b", 5, 10, true)
		if got, want := p.screen(), "first 1\ntry again\nbroken\n"; got != want {
			t.Errorf("it shows %q, want %q", got, want)
		}
	})
}

func TestLinesFitTheTerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p page
		c := New(&p, func() int { return 20 })
		c.transferred("uploaded", "a", 0, 1<<40, false)
		time.Sleep(1500 * time.Millisecond)
		if got := p.screen(); len(got) != 19 {
			t.Errorf("a line of %d columns for 20: %q", len(got), got)
		}
		c.transferred("uploaded", "a", 0, 1<<40, true)
	})
}

func TestSizesAndTimes(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1536: "1.5 KiB", mib - 1: "1.0 MiB", mib: "1.0 MiB", 5 << 30: "5.0 GiB", 3 << 40: "3.0 TiB", 1 << 52: "4096.0 TiB",
	} {
		if got := bytes(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
	for d, want := range map[time.Duration]string{
		-time.Second: "0:00", 0: "0:00", 59600 * time.Millisecond: "1:00", 61 * time.Second: "1:01", 3*time.Hour + 61*time.Second: "3:01:01", 1 << 62: "99:59:59",
	} {
		if got := clock(d); got != want {
			t.Errorf("%s: %q, want %q", d, got, want)
		}
	}
}

func started(c *Console, done int64) {
	c.Show(progress.Event{
		State: progress.Advanced, Step: "start", What: outcome.Resource{Kind: outcome.Containers, ID: "j"},
		Done: done, Total: 3, Unit: "containers",
	})
}

func startEnded(c *Console) {
	c.Show(progress.Event{State: progress.Ended, Step: "start", What: outcome.Resource{Kind: outcome.Containers, ID: "j"}, Unit: "containers"})
}

func TestTerminalCountsContainersInOneLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p page
		c := New(&p, func() int { return 80 })
		for _, step := range []struct {
			do   func()
			want string
		}{
			{func() { started(c, 0) }, "0 of 3 containers of job j are running"},
			{func() { started(c, 1); time.Sleep(spacing + time.Millisecond) }, "1 of 3 containers of job j are running (0:01)"},
			{func() { c.Line("still waiting") }, "still waiting\n1 of 3 containers of job j are running (0:01)"},
			{func() { started(c, 3) }, "still waiting\n3 of 3 containers of job j are running\n"},
			{func() { startEnded(c); time.Sleep(time.Minute) }, "still waiting\n3 of 3 containers of job j are running\n"},
		} {
			step.do()
			if got := p.screen(); got != step.want {
				t.Errorf("it shows %q, want %q", got, step.want)
			}
		}
	})
}

func TestElsewhereALineForContainersNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p page
		c := New(&p, nil)
		started(c, 0)
		started(c, 1)
		started(c, 2) // too soon
		time.Sleep(2 * spacing)
		started(c, 1)
		startEnded(c)
		started(c, 2)
		started(c, 3)
		startEnded(c)
		want := "0 of 3 containers of job j are running\n2 of 3 containers of job j are running\n1 of 3 containers of job j are running\n" +
			"2 of 3 containers of job j are running\n3 of 3 containers of job j are running\n"
		if got := p.all(); got != want {
			t.Errorf("it prints\n%s, want\n%s", got, want)
		}
	})
}
