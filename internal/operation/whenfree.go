package operation

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/progress"
	"github.com/heron-nomad/heron/internal/statemgr"
)

// otherPause is the pause before a topology is looked at again that a client
// holds which knows no claims: its lock does not tell when it ends.
const otherPause = time.Second

// Waits says of a failure that a wait may help: somebody else is at work on the
// topology. A claim that was lost does not come back.
func Waits(err error) bool {
	return outcome.KindOf(err) == outcome.Busy && !errors.As(err, new(*LostError))
}

// awaitHolder waits until what made an operation busy is over, or may be.
func awaitHolder(ctx context.Context, tree statemgr.Tree, sink progress.Sink, err error) error {
	var busy *BusyError
	if errors.As(err, &busy) {
		return AwaitFree(ctx, tree, sink, busy)
	}
	sink.Send(progress.Event{State: progress.Noted, Step: "wait", Err: err})
	pause := time.NewTimer(otherPause)
	defer pause.Stop()
	select {
	case <-pause.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// WhenFree runs a use case on a topology. While another operation is at work on
// it, it waits for that one and runs the use case anew, for as long as limit;
// with a limit of 0 it does not wait. A use case that is busy has changed
// nothing.
func WhenFree(ctx context.Context, tree statemgr.Tree, sink progress.Sink, limit time.Duration, do func() error) error {
	bounded, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		err := do()
		if !Waits(err) || limit == 0 {
			return err
		}
		waited := awaitHolder(bounded, tree, sink, err)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case bounded.Err() != nil:
			return fmt.Errorf("%w; waited for %v", err, limit)
		case waited != nil:
			return waited
		}
	}
}
