package operation

import (
	"context"
	"errors"
	"time"

	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/progress"
	"github.com/heron-nomad/heron/internal/statemgr"
)

// freePoll is how often AwaitFree looks. Operations take seconds at least, and
// a store has no watches of its own.
const freePoll = 500 * time.Millisecond

// AwaitFree returns when the operation that a *BusyError is about is over: its
// intent is gone or another one's, or its owner has died. The topology may be
// busy again by then; the caller looks anew. It says whom it waits for.
func AwaitFree(ctx context.Context, tree statemgr.Tree, sink progress.Sink, busy *BusyError) error {
	owner := busy.Owner
	tick := time.NewTicker(freePoll)
	defer tick.Stop()
	for said := false; ; {
		found, err := Find(ctx, tree, busy.Topology)
		if err != nil {
			return err
		}
		if found == nil || !found.Alive {
			return nil
		}
		if owner.Token == "" {
			owner = found.Intent.Owner // it was faster than we, and was not known
		}
		if found.Intent.Owner.Token != owner.Token {
			return nil
		}
		if !said {
			said = true
			sink.Send(progress.Event{
				State: progress.Noted, Step: "wait for", What: outcome.Resource{Kind: outcome.Claim, ID: tree.Operation(busy.Topology)},
				Note: "it is held", Err: errors.New(owner.String()),
			})
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
