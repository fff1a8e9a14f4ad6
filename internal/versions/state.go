package versions

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/packing"
	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/topology"
)

// What becomes of the state of an effectively-once topology.
const (
	StateKeep  = "keep"
	StateFresh = "fresh"
)

// CheckState refuses what is neither of the two, nor "".
func CheckState(state string) error {
	if state == "" || state == StateKeep || state == StateFresh {
		return nil
	}
	return outcome.Errorf(outcome.Usage, "the state is %q; use %s or %s", state, StateKeep, StateFresh)
}

// decideState says what becomes of the topology's checkpoints, and refuses to
// keep what the target could not be restored from. Nothing is said where there
// are none.
func (c *change) decideState(ctx context.Context, asked string) (string, error) {
	node, err := c.cl.State.Read(ctx, c.cl.State.Checkpoints(c.name))
	if errors.Is(err, statemgr.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("look for checkpoints of topology %q: %w", c.name, err)
	}
	if asked == StateFresh {
		c.fresh, c.target.Checkpoints = true, node.Data
		return StateFresh, nil
	}
	differs, err := stateDiffers(c.base, c.target)
	if err != nil {
		return "", err
	}
	if len(differs) > 0 {
		return "", c.subj.Errorf(outcome.Usage, "its state cannot be kept: %s; ask for the state %q and it starts from nothing", strings.Join(differs, ", "), StateFresh)
	}
	return StateKeep, nil
}

// stateDiffers lists why a version could not be restored from the checkpoints of
// another: each instance of a component must find its own state, written in the
// same way.
func stateDiffers(base, target statemgr.Version) ([]string, error) {
	was, err := topology.Decode(base.Definition)
	if err != nil {
		return nil, fmt.Errorf("version %d: %w", base.Number, err)
	}
	is, err := topology.Decode(target.Definition)
	if err != nil {
		return nil, err
	}
	old, now := was.Trimmed(), is.Trimmed()
	var differs []string
	for _, d := range []struct {
		what string
		of   func(*topology.Definition) (string, error)
	}{
		{"the reliability mode", func(d *topology.Definition) (string, error) { m, err := d.Reliability(); return string(m), err }},
		{"components or their parallelism", componentText},
		{"topology.stateful.spill.state", func(d *topology.Definition) (string, error) {
			text, _ := d.Config("topology.stateful.spill.state")
			return text, nil
		}},
	} {
		a, err := d.of(old)
		if err != nil {
			return nil, err
		}
		b, err := d.of(now)
		if err != nil {
			return nil, err
		}
		if a != b {
			differs = append(differs, fmt.Sprintf("%s changed from %q to %q", d.what, a, b))
		}
	}
	if len(differs) > 0 {
		return differs, nil
	}
	oldTasks, err := tasks(base.PackingPlan)
	if err != nil {
		return nil, err
	}
	newTasks, err := tasks(target.PackingPlan)
	if err != nil {
		return nil, err
	}
	if !slices.Equal(oldTasks, newTasks) {
		differs = append(differs, "the packing plan gives instances other task ids")
	}
	if base.Stateful != "" && target.Stateful != "" && base.Stateful != target.Stateful {
		differs = append(differs, "the configuration keeps checkpoints elsewhere, or in another way (stateful.yaml)")
	}
	return differs, nil
}

// componentText lists components with their kind and parallelism.
func componentText(d *topology.Definition) (string, error) {
	list, err := d.Components()
	if err != nil {
		return "", err
	}
	var texts []string
	for _, c := range list {
		kind := "bolt"
		if c.Spout {
			kind = "spout"
		}
		texts = append(texts, fmt.Sprintf("%s %s:%d", kind, c.Name, c.Parallelism))
	}
	slices.Sort(texts)
	return strings.Join(texts, ", "), nil
}

// tasks lists which instance has which task id: by it the engine finds an
// instance's state.
func tasks(data []byte) ([]string, error) {
	plan, err := packing.Decode(data)
	if err != nil {
		return nil, err
	}
	var list []string
	for _, c := range plan.Containers {
		for _, i := range c.Instances {
			list = append(list, fmt.Sprintf("%s %d", i.Component, i.TaskID))
		}
	}
	slices.Sort(list)
	return list, nil
}
