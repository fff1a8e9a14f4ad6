package operation

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/heron-nomad/heron/internal/progress"
	"github.com/heron-nomad/heron/internal/statemgr"
)

// WhenFree runs a use case on a topology. While another operation is at work on
// it, it waits for that one and runs the use case anew, for as long as limit;
// with a limit of 0 it does not wait. A use case that is busy has changed
// nothing.
func WhenFree(ctx context.Context, tree statemgr.Tree, sink progress.Sink, limit time.Duration, do func() error) error {
	bounded, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		err := do()
		var busy *BusyError
		if !errors.As(err, &busy) || limit == 0 {
			return err
		}
		waited := AwaitFree(bounded, tree, sink, busy)
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
