package packing

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/heron-nomad/heron/internal/outcome"
)

func TestRepacksAreTheOriginals(t *testing.T) {
	eachGolden(t, "repack", func(t *testing.T, c goldenTest) {
		before := c.current.clone()
		repack := func() (*Plan, error) {
			if c.Containers != nil {
				return c.alg.RepackContainers(c.def, c.current, *c.Containers, c.Changes)
			}
			return c.alg.Repack(c.def, c.current, c.Changes)
		}
		got, err := repack()
		if diff := cmp.Diff(before, c.current); diff != "" {
			t.Errorf("the plan handed in has changed:\n%s", diff)
		}
		if kind := better(c); kind != nil {
			if e, ok := errors.AsType[*Error](err); !ok || !errors.Is(err, kind) || e.Stage != StageRepack || e.Kind() != outcome.Usage {
				t.Errorf("plan %v, error %v (%T), want a *Error: %v", got, err, err, kind)
			}
			return
		}
		if c.Error != nil {
			wantError(t, err, c.Error)
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.Plan.plan(), got); diff != "" {
			t.Fatalf("plan (-original +ours):\n%s", diff)
		}
		checkDerived(t, c.Plan, got)
		if again, err := repack(); err != nil || !cmp.Equal(got, again) {
			t.Errorf("a second time the plan is another, or %v", err)
		}
	})
}

// better is the kind of error that we give where the original crashes, or
// takes a number of instances below 0; nil where it does neither.
func better(c goldenTest) error {
	instances := map[string]int{}
	for _, container := range c.current.Containers {
		for _, in := range container.Instances {
			instances[in.Component]++
		}
	}
	_, roundRobins := c.alg.(*roundRobin)
	for _, change := range c.Changes {
		n, ok := instances[change.Component]
		switch {
		case !ok && roundRobins:
			return ErrComponent
		case n+change.Delta < 0 && roundRobins:
			return ErrParallelism
		}
	}
	if c.Error != nil && c.Error.crash() && len(c.Changes) == 0 {
		return ErrUnchanged
	}
	return nil
}
