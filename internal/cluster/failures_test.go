package cluster_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/nomad"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/tmanager"
)

// A container that is restarted again and again may run whenever one looks.
func TestDiagnoseContainersThatFail(t *testing.T) {
	b := diagnosed(t)
	list := b.Jobs.Allocations["heron.nomad.words"]
	list[2].Ended, list[2].Restarts = "exit code 7", 2
	gone := nomad.Container{Index: 1, ID: "allocation-9", JobID: "heron.nomad.words", Desired: "stop", Status: "failed", Restarts: 1, Ended: "exit code 8", Failure: "failed: exit code 8"}
	earlier := gone
	earlier.JobVersion, list[0].JobVersion, list[0].Ended = 3, 4, ""
	earlier.Index = 0
	b.Jobs.Allocations["heron.nomad.words"] = []nomad.Container{earlier, list[0], gone, list[1], list[2]}
	b.Jobs.Logs["2 stderr"] = []string{"boom"}
	b.Cluster.TManager = &fakeTManager{answers: []error{tmanager.ErrUnreachable}}
	d := b.Cluster.Diagnose(t.Context(), words())
	says := "the registered TManager does not answer; container 1 failed: exit code 8, restarted once, placed anew once; " +
		"container 2 failed: exit code 7, restarted 2 times; the standard error of container 2 says: boom"
	if d.String() != says {
		t.Errorf("it says\n%s\nwant\n%s", d, says)
	}
	late := &cluster.LateError{Err: errors.New("late"), Diagnosis: &d}
	if out := late.LastOutput(); len(out) != 1 || out[0].Index != 2 || out[0].Lines[0] != "boom" {
		t.Errorf("%+v", out)
	}
}

// What cannot become good ends the wait, also when it had begun to run.
func TestWaitForThePlanEndsWithAContainerThatFails(t *testing.T) {
	b := diagnosed(t)
	b.Jobs.Jobs["heron.nomad.words"] = &api.Job{}
	b.Jobs.Logs["2 stderr"] = []string{"boom"}
	b.Cluster.TManager = nil
	store(b, b.Cluster.State.PackingPlan("words"), packed("words1234", 1, 2, 3)) // never complete
	asked := 0
	b.Jobs.After = func(method string) error {
		if method == "ContainersSince" {
			if asked++; asked == 1 {
				go b.Jobs.Change("heron.nomad.words", func(c *nomad.Container) {
					if c.Index == 2 {
						c.Status, c.Restarts, c.Ended, c.Failure = "failed", 3, "exit code 7", "failed: exit code 7"
					}
				})
			}
		}
		return nil
	}
	_, err := waited(b, cluster.Running{Limit: time.Hour})
	var failing *nomad.FailingError
	if !errors.As(err, &failing) || outcome.KindOf(err) != outcome.WaitExpired {
		t.Fatalf("%v", err)
	}
	if says := "2 of 3 containers run; containers keep failing"; !strings.Contains(err.Error(), says) {
		t.Errorf("%q is not in %v", says, err)
	}
	if says := ": container 2 failed: exit code 7, restarted 3 times; the standard error of container 2 says: boom"; !strings.HasSuffix(err.Error(), says) {
		t.Errorf("%q is not in %v", says, err)
	}
	if out := failing.LastOutput(); len(out) != 1 || out[0].Lines[0] != "boom" {
		t.Errorf("%+v", out)
	}
}

func TestAnUnstableTopologyShowsWhatItWrote(t *testing.T) {
	b := diagnosed(t)
	b.Cluster.TManager = &fakeTManager{}
	b.Jobs.Logs["2 stderr"] = []string{"boom"}
	b.Jobs.Restarts = [][]nomad.Restart{{{Index: 2, How: "was restarted: it failed: exit code 7", Was: nomad.AllocationRef{Index: 2}}}}
	waits := 0
	b.Jobs.Before = func(method string) error {
		if method == "WaitRunning" {
			if waits++; waits == 2 {
				return &nomad.NotRunningError{Limit: time.Second, RunState: nomad.RunState{Output: []nomad.ContainerOutput{{Index: 2, From: "standard error"}, {Index: 1, From: "standard error"}}}}
			}
		}
		return nil
	}
	_, err := waited(b, cluster.Running{Limit: patience, StableFor: time.Second})
	var unstable *cluster.UnstableError
	if !errors.As(err, &unstable) || outcome.KindOf(err) != outcome.WaitExpired || !strings.Contains(err.Error(), "the time given is over (1m0s)") {
		t.Fatalf("%v", err)
	}
	if out := unstable.LastOutput(); len(out) != 2 || out[0].Lines[0] != "boom" || out[1].Index != 1 {
		t.Errorf("%+v", out)
	}
}
