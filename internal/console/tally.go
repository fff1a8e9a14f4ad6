package console

import (
	"fmt"
	"time"
)

// spacing is the time between two lines of a tally where nothing can be drawn,
// and between two drawings of the time that it takes.
const spacing = time.Second

// tally is how many of some things are as they should be.
type tally struct {
	// key tells it from others; text is its newest line.
	key, text string
	began     time.Time
	// printed is when a line of it was printed last; fresh: text has not been.
	printed time.Time
	fresh   bool
	// over is closed at its end.
	over chan struct{}
}

// tallied notes how far something is; another one replaces it. Every tally must
// be ended. A terminal shows it in one line until it is complete. Elsewhere each
// change is a line, but not more than one in a second.
func (c *Console) tallied(key, text string, complete bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tally == nil || c.tally.key != key {
		c.endTally()
		c.tally = &tally{key: key, began: time.Now(), over: make(chan struct{})}
		go c.watchTally(c.tally)
	}
	t := c.tally
	t.fresh = t.fresh || t.text != text
	t.text = text
	switch {
	case complete:
		c.endTally()
	case c.width != nil:
		c.drawTally()
	case t.fresh && time.Since(t.printed) >= spacing:
		c.printTally()
	}
}

// tallyEnded ends a tally, complete or not.
func (c *Console) tallyEnded(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tally != nil && c.tally.key == key {
		c.endTally()
	}
}

// endTally leaves the last line of a tally.
func (c *Console) endTally() {
	t := c.tally
	if t == nil {
		return
	}
	close(t.over)
	if t.fresh {
		c.printTally()
	}
	c.tally = nil
	c.clear()
}

func (c *Console) printTally() {
	t := c.tally
	c.clear()
	fmt.Fprintln(c.to, t.text)
	t.printed, t.fresh = time.Now(), false
}

func (c *Console) drawTally() {
	if c.tally == nil || c.width == nil {
		return
	}
	text := c.tally.text
	if took := time.Since(c.tally.began); took >= spacing {
		text += " (" + clock(took) + ")"
	}
	c.draw(text)
}

// watchTally shows how the time goes, and a line that came too soon.
func (c *Console) watchTally(t *tally) {
	tick := time.NewTicker(spacing)
	defer tick.Stop()
	for {
		select {
		case <-t.over:
			return
		case <-tick.C:
			c.mu.Lock()
			switch {
			case c.tally != t:
			case c.width != nil:
				c.drawTally()
			case t.fresh:
				c.printTally()
			}
			c.mu.Unlock()
		}
	}
}
