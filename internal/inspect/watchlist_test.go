package inspect_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/heron-nomad/heron/internal/inspect"
	"github.com/heron-nomad/heron/internal/outcome"
)

// list reads the topologies of the bench.
func (b *bench) list(ctx context.Context) ([]*inspect.Summary, error) {
	return inspect.List(ctx, b.Cluster, b.nomad, inspect.Filter{})
}

func TestWatchListShowsWhatIsNew(t *testing.T) {
	b := newBench(t)
	enough := errors.New("enough")
	var seen []string
	err := inspect.WatchList(t.Context(), b.list, func(c inspect.ListChange) error {
		line := fmt.Sprintf("%d:", len(c.All))
		for _, s := range c.Changed {
			line += fmt.Sprintf(" %s %d/%d", s.Topology, s.Running, s.Wanted)
		}
		for _, name := range c.Gone {
			line += " gone " + name
		}
		seen = append(seen, line)
		switch len(seen) {
		case 1:
			b.nomad.set(job, up(0), up(1))
		case 2:
			b.Must(b.Cluster.State.DeleteTopology(t.Context(), "words", true))
			b.Must(b.Jobs.PurgeOwned(t.Context(), job, id))
		default:
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) {
		t.Fatal(err)
	}
	if got := fmt.Sprint(seen); got != "[1: words 3/3 1: words 2/3 0: gone words]" {
		t.Errorf("seen %s", got)
	}
}

func TestWatchListEndsWithItsContext(t *testing.T) {
	b := newBench(t)
	ctx, cancel := context.WithCancel(t.Context())
	err := inspect.WatchList(ctx, b.list, func(inspect.ListChange) error { cancel(); return nil })
	if outcome.KindOf(err) != outcome.Interrupted {
		t.Error(err)
	}
}
