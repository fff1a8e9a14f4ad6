package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/operation"
)

// lockFlags are those of every command that changes a topology: what to do
// while another one is at work on it.
type lockFlags struct {
	timeout time.Duration
}

func (l *lockFlags) add(f *pflag.FlagSet) {
	f.DurationVar(&l.timeout, "lock-timeout", 0, "how long to wait for another command that is at work on the topology; 0 refuses at once")
}

// whenFree runs a use case on a topology. While another operation is at work on
// it, it waits for that one and runs the use case anew, for as long as the
// flags say. A use case that is busy has changed nothing.
func (l *lockFlags) whenFree(ctx context.Context, cl cluster.Cluster, do func() error) error {
	if err := l.check(); err != nil {
		return err
	}
	return l.hint(operation.WhenFree(ctx, cl.State, cl.Progress, l.timeout, do))
}

func (l *lockFlags) check() error {
	if l.timeout < 0 {
		return usagef("--lock-timeout is %v; give a time, as 30s or 5m, or 0 to refuse at once", l.timeout)
	}
	return nil
}

// hint adds to a failure that the flag might have helped.
func (l *lockFlags) hint(err error) error {
	if l.timeout == 0 && operation.Waits(err) {
		return fmt.Errorf("%w; --lock-timeout waits for it", err)
	}
	return err
}
