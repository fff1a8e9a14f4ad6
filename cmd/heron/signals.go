package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// sameSignal is how long a repeated signal counts as the same one: "timeout"
// and terminals send one to a process and to its group.
const sameSignal = time.Second

// interruption is the signal that ended a context. The user's program is sent
// the same one.
type interruption struct{ signal os.Signal }

func (i interruption) Error() string     { return i.signal.String() }
func (i interruption) Signal() os.Signal { return i.signal }

// untilSignal is a context that ends with the first SIGINT, SIGTERM or
// SIGHUP. A later one calls again, which has to end the program at once and to say
// that something may be left. A reader of our output that goes away ends
// nothing: what was begun has to be finished or undone.
func untilSignal(again func()) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) { // as nohup does
		signal.Notify(signals, syscall.SIGHUP)
	}
	signal.Ignore(syscall.SIGPIPE)
	go func() {
		var first time.Time
		for s := range signals {
			switch {
			case first.IsZero():
				first = time.Now()
				cancel(interruption{s})
			case time.Since(first) > sameSignal:
				again()
			}
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		cancel(nil)
	}
}
