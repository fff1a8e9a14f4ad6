package wire_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/heron-nomad/heron/internal/operation"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/wire"
)

// What a server says of a failure is what its client reads.
func TestProblemThereAndBack(t *testing.T) {
	remedy := outcome.Remedy{Action: outcome.Kill, Topology: "wc", Cluster: "nomad", Role: "ads", Environ: "prod", Region: "eu", Namespace: "n"}
	resource := outcome.Resource{Kind: outcome.Job, ID: "j", Where: "http://h"}
	owner := statemgr.NewOwner(statemgr.OperationKill, "ann", time.Now())
	busy := &operation.BusyError{Topology: "wc", Owner: owner}
	for name, c := range map[string]struct {
		err  error
		said string
		want wire.Problem
	}{
		"half done": {
			&operation.Failure{
				Action: operation.Remove, Of: resource, Err: errors.New("no answer"), Removed: []outcome.Resource{resource},
				Left: []outcome.Leftover{{Resource: resource}}, Remedy: &remedy,
			},
			"remove the job j at http://h: no answer; removed before: job j at http://h; still there: job j at http://h",
			wire.Problem{
				Kind: outcome.LeftBehind, Remedy: wire.NewRemedy(&remedy),
				Details: wire.Details{Removed: []outcome.Resource{resource}, Left: []outcome.Leftover{{Resource: resource}}},
			},
		},
		"nothing is left": {
			&operation.Failure{Action: operation.Remove, Of: resource, Err: errors.New("no answer"), Remedy: &remedy},
			"remove the job j at http://h: no answer; nothing is left", wire.Problem{Kind: outcome.Undone},
		},
		"held": {busy, busy.Error(), wire.Problem{Kind: outcome.Busy, Details: wire.Details{Holder: &operation.Holder{
			Command: "kill", User: "ann", Host: owner.Host, PID: owner.PID, Since: owner.Since,
		}}}},
	} {
		data, err := json.Marshal(wire.NewProblem(c.err, "r-1"))
		if err != nil {
			t.Fatal(err)
		}
		var got wire.Problem
		if err := json.Unmarshal(data, &got); err != nil {
			t.Fatal(err)
		}
		if got.Said() != c.said {
			t.Errorf("%s: %q, want %q", name, got.Said(), c.said)
		}
		c.want.Message, c.want.RequestID = got.Message, "r-1"
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
	if r := wire.NewRemedy(&remedy).Outcome(); *r != remedy {
		t.Errorf("%+v", r)
	}
}
