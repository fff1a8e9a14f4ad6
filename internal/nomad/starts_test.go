package nomad

import (
	"slices"
	"testing"

	"github.com/hashicorp/nomad/api"
)

// life is an allocation of container index with these events of its task.
func life(index int, status string, restarts uint64, events ...*api.TaskEvent) *api.AllocationListStub {
	a := stub(index)
	a.ClientStatus = status
	a.TaskStates["executor"] = &api.TaskState{Restarts: restarts, Events: events}
	return a
}

func TestTaskReasonsSayHowAndHowOftenItFailed(t *testing.T) {
	exit := func(code int) *api.TaskEvent { return &api.TaskEvent{Type: api.TaskTerminated, ExitCode: code} }
	started, soon := &api.TaskEvent{Type: api.TaskStarted}, &api.TaskEvent{Type: api.TaskRestarting, StartDelay: 5e9}
	asked := &api.TaskEvent{Type: api.TaskRestartSignal}
	for what, c := range map[string]struct {
		allocs  []*api.AllocationListStub
		want    string
		lasting bool
	}{
		"runs":                         {[]*api.AllocationListStub{life(1, "running", 0, started)}, "", false},
		"was asked to restart":         {[]*api.AllocationListStub{life(1, "running", 1, started, asked, exit(143), soon, started)}, "", false},
		"failed after it was asked to": {[]*api.AllocationListStub{life(1, "running", 2, asked, exit(143), started, exit(7), soon, started)}, "container 1 runs again after it failed: exit code 7, restarted 2 times", false},
		"flaps, runs now":              {[]*api.AllocationListStub{life(1, "running", 4, exit(7), soon, started)}, "container 1 runs again after it failed: exit code 7, restarted 4 times", false},
		"flaps, waits now":             {[]*api.AllocationListStub{life(1, "pending", 1, started, exit(7), soon)}, "container 1 failed: exit code 7; it ended and is started again after 5s, restarted once", false},
		"has failed":                   {[]*api.AllocationListStub{life(1, "failed", 2, started, exit(7))}, "container 1 failed: exit code 7, restarted 2 times", true},
		"several have":                 {[]*api.AllocationListStub{life(1, "failed", 2, exit(7)), life(2, "failed", 3, exit(7))}, "containers 1, 2 failed: exit code 7, restarted 3 times at most", true},
		"was placed anew, and runs":    {[]*api.AllocationListStub{life(1, "failed", 2, exit(7)), life(1, "running", 0, started)}, "container 1 was placed anew after it failed: exit code 7, restarted 2 times and placed anew once", false},
		"is placed anew":               {[]*api.AllocationListStub{life(1, "failed", 0, exit(7)), life(1, "failed", 0, exit(8)), life(1, "pending", 0)}, "container 1 is being started: nothing is known yet; before that it failed: exit code 8, placed anew 2 times", false},
	} {
		allocs, before := youngest(slices.Clone(c.allocs)), replacedIn(c.allocs)
		got := reasonTexts(taskReasons(allocs, before, true))
		if len(got) == 0 && c.want == "" {
			continue
		}
		if len(got) != 1 || got[0] != c.want {
			t.Errorf("%s: %q, want %q", what, got, c.want)
		}
		if lasting := len(taskReasons(allocs, before, false)) > 0; lasting != c.lasting {
			t.Errorf("%s: lasting %v", what, lasting)
		}
	}
}
