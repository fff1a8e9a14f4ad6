// Package console prints events as lines for a person, and one line that shows
// how far a transfer is, or how many containers are where they should be.
//
// On a terminal that line is drawn again and again in the same place; elsewhere
// it is a line of its own every now and then. Transfers that end at once get
// none. Results are not printed here: they are the command's.
package console

import (
	"fmt"
	"io"
	"sync"
	"time"
)

const (
	// patience is how long a transfer goes on before a terminal shows it.
	patience = time.Second
	// redraw is the time between two drawings, between the time between two
	// lines where nothing can be drawn.
	redraw  = 100 * time.Millisecond
	between = 5 * time.Second
)

// Console is where lines go. Its methods may be called from several
// goroutines.
type Console struct {
	to io.Writer
	// width is that of the terminal in columns; nil where there is none.
	width func() int

	mu sync.Mutex
	// drawn says that the last line is the one of a transfer.
	drawn bool
	now   *transfer
	tally *tally
}

// New prints to a writer. width tells how many columns the terminal has that
// this is; it is nil for what is none.
func New(to io.Writer, width func() int) *Console {
	return &Console{to: to, width: width}
}

// Line prints a line.
func (c *Console) Line(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clear()
	fmt.Fprintln(c.to, text)
	c.drawTally()
}

// transferred notes how far a transfer is; another one replaces it. Every
// transfer must be ended. verb is in the past tense, as "uploaded".
func (c *Console) transferred(verb, name string, done, size int64, ended bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t := c.now; t != nil && t.name == name {
		t.done = done
	} else {
		c.end()
		if ended {
			return
		}
		c.now = begin(verb, name, done, size)
		go c.watch(c.now)
	}
	if ended {
		c.end()
	}
}

// end forgets the transfer; one that was shown and is complete gets a last
// line.
func (c *Console) end() {
	t := c.now
	if t == nil {
		return
	}
	c.now = nil
	close(t.over)
	c.clear()
	if t.shown && t.done == t.size {
		fmt.Fprintln(c.to, t.summary(time.Now()))
	}
}

// watch shows a transfer until it is over.
func (c *Console) watch(t *transfer) {
	every := redraw
	if c.width == nil {
		every = between
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-t.over:
			return
		case <-tick.C:
			c.show(t)
		}
	}
}

func (c *Console) show(t *transfer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if c.now != t || now.Sub(t.began) < patience {
		return
	}
	t.shown = true
	line := t.line(now)
	if c.width == nil {
		fmt.Fprintln(c.to, line)
		return
	}
	c.draw(line)
}

// draw shows a line in place of the one that was drawn.
func (c *Console) draw(line string) {
	// A line that fills the last column would wrap on some terminals.
	if room := c.width() - 1; room > 0 && len(line) > room {
		line = line[:room]
	}
	fmt.Fprintf(c.to, "\r%s\x1b[K", line)
	c.drawn = true
}

// clear removes the line that was drawn.
func (c *Console) clear() {
	if c.drawn {
		fmt.Fprint(c.to, "\r\x1b[K")
		c.drawn = false
	}
}
