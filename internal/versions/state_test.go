package versions

import (
	"strings"
	"testing"

	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/submit"
)

func TestStateIsKeptOrFreshAndNeverLostInSilence(t *testing.T) {
	t.Parallel()
	elsewhere := func(in *submit.Input) {
		stateful(in)
		settings := *in.Settings
		settings.Executor.StatefulStorage = "another place"
		in.Settings = &settings
	}
	for _, c := range []struct {
		name, state string
		change      func(*submit.Input)
		refused     string
		want        string
	}{
		{"fits", "", stateful, "", StateKeep},
		{"fits", StateKeep, stateful, "", StateKeep},
		{"fits", StateFresh, stateful, "", StateFresh},
		{"wider", "", wider, "parallelism", ""},
		{"wider", StateKeep, wider, "parallelism", ""},
		{"wider", StateFresh, wider, "", StateFresh},
		{"no longer stateful", "", nil, "reliability", ""},
		{"kept elsewhere", "", elsewhere, "stateful.yaml", ""},
	} {
		for _, fails := range []bool{false, true} {
			b := newBench(t)
			b.Settings.Executor.StatefulStorage = "a place"
			b.submit(b.manifest(oldID, stateful))
			path := b.Cluster.State.Checkpoints("words")
			b.Must(b.Store.Apply(t.Context(), statemgr.Create(path, []byte("checkpoint 7"))))
			b.dead = fails
			done, err := b.replace(b.manifest(newID, c.change), ReplaceOptions{State: c.state})
			node, readErr := b.Store.Read(t.Context(), path)
			there := readErr == nil && string(node.Data) == "checkpoint 7"
			switch {
			case c.refused != "":
				if outcome.KindOf(err) != outcome.Usage || !strings.Contains(err.Error(), c.refused) || !strings.Contains(err.Error(), "ask for the state \"fresh\"") || !there {
					t.Errorf("%s, state %q: kind %s, %v; checkpoints there: %v", c.name, c.state, outcome.KindOf(err), err, there)
				}
			case fails:
				if outcome.KindOf(err) != outcome.Undone || !there {
					t.Errorf("%s, state %q: kind %s, %v; checkpoints there: %v", c.name, c.state, outcome.KindOf(err), err, there)
				}
			case err != nil || done.State != c.want || there != (c.want == StateKeep):
				t.Errorf("%s, state %q: %+v, %v; checkpoints there: %v", c.name, c.state, done, err, there)
			}
		}
	}
}
