package console

import (
	"fmt"
	"time"
)

// window is the time over which the rate is taken.
const window = 10 * time.Second

// transfer is what is known of one.
type transfer struct {
	verb, name string
	done, size int64
	began      time.Time
	// over is closed at its end; shown says that a person has seen it.
	over  chan struct{}
	shown bool
	// past are earlier states within the window, oldest first.
	past []state
}

type state struct {
	at   time.Time
	done int64
}

func begin(verb, name string, done, size int64) *transfer {
	now := time.Now()
	return &transfer{
		verb: verb, name: name, done: done, size: size, began: now,
		over: make(chan struct{}), past: []state{{now, done}},
	}
}

// line says how far it is.
func (t *transfer) line(now time.Time) string {
	percent := int64(100)
	if t.size > 0 {
		percent = int64(100 * float64(t.done) / float64(t.size))
	}
	rate := t.rate(now)
	left := "time left unknown"
	if rate > 0 {
		left = clock(time.Duration(float64(t.size-t.done)/rate*float64(time.Second))) + " left"
	}
	return fmt.Sprintf("%s %s of %s (%d%%), %s/s, %s", t.verb, bytes(t.done), bytes(t.size), percent, bytes(int64(rate)), left)
}

// summary says what it was.
func (t *transfer) summary(now time.Time) string {
	took := now.Sub(t.began)
	return fmt.Sprintf("%s %s in %s, %s/s", t.verb, bytes(t.size), clock(took), bytes(int64(float64(t.size)/took.Seconds())))
}

// rate is how many bytes came in a second, of late. It notes the state for
// later.
func (t *transfer) rate(now time.Time) float64 {
	t.past = append(t.past, state{now, t.done})
	for len(t.past) > 2 && now.Sub(t.past[0].at) > window {
		t.past = t.past[1:]
	}
	first := t.past[0]
	took := now.Sub(first.at).Seconds()
	if took <= 0 || t.done <= first.done {
		return 0
	}
	return float64(t.done-first.done) / took
}

// bytes is a size for a person, in units of 1024.
func bytes(n int64) string {
	if n < 1<<10 {
		return fmt.Sprintf("%d B", n)
	}
	size, unit := float64(n)/(1<<10), 0
	for size >= 1023.95 && unit < 3 {
		size, unit = size/(1<<10), unit+1
	}
	return fmt.Sprintf("%.1f %ciB", size, "KMGT"[unit])
}

// clock is a time in minutes and seconds, with hours where there are any.
func clock(d time.Duration) string {
	const longest = 99*time.Hour + 59*time.Minute + 59*time.Second
	seconds := int64(min(max(d, 0), longest).Round(time.Second) / time.Second)
	if seconds >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", seconds/3600, seconds/60%60, seconds%60)
	}
	return fmt.Sprintf("%d:%02d", seconds/60, seconds%60)
}
