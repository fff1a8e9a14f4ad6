package versions

import (
	"context"
	"fmt"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/operation"
	"github.com/heron-nomad/heron/internal/progress"
	"github.com/heron-nomad/heron/internal/statemgr"
)

// begin claims the topology for the change. Where one with an equal request
// died, it is continued; any other that died is taken back first.
func (c *change) begin(ctx context.Context, intent statemgr.Intent, equal bool) (err error) {
	if equal {
		intent.Step = c.subj.There.Pending.Intent.Step
	}
	if c.claim, err = c.subj.Take(ctx, intent); err != nil {
		return err
	}
	if equal {
		c.noteDead("continue")
	}
	return nil
}

// carryOut does the change under its claim, and ends the claim.
func (c *change) carryOut(ctx context.Context) (cluster.Shortened, error) {
	var s cluster.Shortened
	if c.recorded && !c.base.Stable && c.baseGood {
		if err := c.cl.State.MarkStable(ctx, c.name, c.base.Number, c.claim.Guards()...); err != nil {
			return s, c.claim.Finish(ctx, c.claim.Seen(err))
		}
		c.base.Stable = true
	}
	err := c.run(ctx)
	if err == nil {
		s = c.settle(ctx)
	}
	return s, c.claim.Finish(ctx, err)
}

// settleDead does the rest of a change that died when its version was good, and
// ends its intent.
func (c *change) settleDead(ctx context.Context) (cluster.Shortened, error) {
	intent := c.subj.There.Pending.Intent
	intent.Owner = c.subj.Intent(steps()...).Owner
	var err error
	if c.claim, err = c.subj.Take(ctx, intent); err != nil {
		return cluster.Shortened{}, err
	}
	c.noteDead("continue")
	c.target = c.base
	s := c.settle(ctx)
	return s, c.claim.Finish(ctx, nil)
}

// runBack puts back what ran before a change that died. If that fails, the
// intent stays for the next try.
func (c *change) runBack(ctx context.Context) error {
	run := operation.Run{
		Steps: c.takeBack(), Claim: c.claim, Progress: c.cl.Progress,
		Remedy: c.subj.Repeat(), UndoLimit: c.cl.UndoLimit(),
	}
	_, err := run.Do(ctx)
	if err == nil {
		return nil
	}
	return c.claim.Keep(ctx, "take back", c.subj.Repeat(), err)
}

// noteDead says what becomes of an operation that died.
func (c *change) noteDead(step string) {
	i := c.subj.There.Pending.Intent
	c.cl.Progress.Send(progress.Event{
		State: progress.Noted, Step: step, What: c.claim.Resource(),
		Note: fmt.Sprintf("%s, which died at the step %q", i.Owner, i.Step),
	})
}
