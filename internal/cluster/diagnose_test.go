package cluster_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/cluster/clustertest"
	"github.com/heron-nomad/heron/internal/nomad"
	"github.com/heron-nomad/heron/internal/tmanager"
)

// diagnosed is a bench whose three containers run.
func diagnosed(t *testing.T) *clustertest.Bench {
	t.Helper()
	b := clustertest.New(t)
	place(b, "words1234")
	store(b, b.Cluster.State.PackingPlan("words"), packed("words1234", 1, 2))
	var list []nomad.Container
	for i := range 3 {
		list = append(list, nomad.Container{Index: i, ID: fmt.Sprintf("allocation-%d", i), JobID: "heron.nomad.words", Node: "n1", Desired: "run", Status: "running"})
	}
	b.Jobs.Allocations = map[string][]nomad.Container{"heron.nomad.words": list}
	b.Jobs.Logs = map[string][]string{}
	return b
}

func words() cluster.Running {
	return cluster.Running{Name: "words", ID: "words1234", JobID: "heron.nomad.words", Containers: 3}
}

func TestDiagnoseAPortThatIsTaken(t *testing.T) {
	b := diagnosed(t)
	b.Cluster.TManager = &fakeTManager{answers: []error{tmanager.ErrUnreachable, tmanager.ErrUnreachable}}
	b.Jobs.Logs["0 heron-tmanager"] = []string{
		"I1128 20:00:00 Starting tmanager for topology words",
		"F1128 20:00:01 tcontroller.cpp:90] Check failed: http_server_->Start()",
		"I1128 20:00:11 Starting tmanager for topology words",
	}
	for i := range 30 {
		b.Jobs.Logs["0 heron-tmanager"] = append(b.Jobs.Logs["0 heron-tmanager"], fmt.Sprintf("I1128 20:00:%d Topology Manager node already exists", 12+i))
	}
	b.Jobs.Logs["0 heron-executor"] = []string{
		"heron-tmanager (pid=17) exited with status 256. command=x", "heron-shell-0 (pid=19) exited with status 9. command=x",
		"heron-tmanager (pid=18) exited with status 6. command=x",
	}
	d := b.Cluster.Diagnose(t.Context(), words())
	want := cluster.Diagnosis{
		TManager: "unreachable", Missing: []int{}, NotRunning: []int{}, Failures: []cluster.ContainerFailure{},
		Restarts: []cluster.ProcessRestarts{{Container: 0, Process: "heron-shell-0", Times: 1, Status: "signal 9"}, {Container: 0, Process: "heron-tmanager", Times: 2, Status: "signal 6"}},
		Output: []nomad.ContainerOutput{{Index: 0, From: "heron-tmanager.log", Lines: []string{
			"F1128 20:00:01 tcontroller.cpp:90] Check failed: http_server_->Start()", "I1128 20:00:41 Topology Manager node already exists",
		}}},
	}
	if diff := cmp.Diff(want, d); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	says := "the registered TManager does not answer; in container 0 the executor has seen heron-shell-0 end once, the last time with signal 9; " +
		"in container 0 the executor has seen heron-tmanager end 2 times, the last time with signal 6; " +
		"heron-tmanager.log says: F1128 20:00:01 tcontroller.cpp:90] Check failed: http_server_->Start()"
	if d.String() != says {
		t.Errorf("it says\n%s", d)
	}
	// What only the executor has seen of the TManager counts too.
	b.Jobs.Logs["0 heron-tmanager"] = nil
	b.Jobs.Logs["0 heron-executor"] = []string{"heron-tmanager stdout: Check failed: zk", "stmgr-1 stdout: Check failed: other"}
	if d := b.Cluster.Diagnose(t.Context(), words()); len(d.Output) != 1 || len(d.Output[0].Lines) != 1 || !strings.HasSuffix(d.Output[0].Lines[0], "zk") {
		t.Errorf("%+v", d.Output)
	}
}

func TestDiagnoseMissingStreamManagers(t *testing.T) {
	b := diagnosed(t)
	b.Cluster.TManager = &fakeTManager{answers: []error{tmanager.ErrNoPlan}}
	b.Jobs.Logs["0 heron-tmanager"] = []string{
		"Starting tmanager for topology words", "Got a register stream manager request from stmgr-2",
		"Starting tmanager for topology words", "Got a register stream manager request from stmgr-1",
	}
	b.Jobs.Logs["2 heron-executor"] = []string{"stmgr-2 (pid=4) exited with status 32512. command=x"}
	d := b.Cluster.Diagnose(t.Context(), words())
	if says := "the stream managers of these containers have not registered: 2; in container 2 the executor has seen stmgr-2 end once, the last time with exit code 127"; d.String() != says {
		t.Errorf("it says %s", d)
	}
	b.Jobs.Allocations["heron.nomad.words"][2].Status = "pending"
	b.Cluster.TManager = &fakeTManager{answers: []error{tmanager.ErrNoPlan}}
	if d := b.Cluster.Diagnose(t.Context(), words()); !cmp.Equal(d.NotRunning, []int{2}) || len(d.Restarts) > 0 {
		t.Errorf("%+v", d)
	}
}

func TestDiagnoseSaysWhereToLook(t *testing.T) {
	b := diagnosed(t)
	b.Cluster.TManager = &fakeTManager{answers: []error{tmanager.ErrNoPlan, tmanager.ErrNoPlan}}
	b.Jobs.LogsErr = errors.New("not allowed")
	if d := b.Cluster.Diagnose(t.Context(), words()); d.Look != "its logs cannot be read: not allowed" || !strings.Contains(d.String(), d.Look) {
		t.Errorf("%+v", d)
	}
	b.Settings.Nomad.WorkingDir = "/srv/heron"
	if d := b.Cluster.Diagnose(t.Context(), words()); d.Look != "the logs are not in Nomad's folders: look in /srv/heron/container-0/log-files on n1" {
		t.Errorf("%+v", d)
	}
}

// A TManager ends when the packing plan changes, which is as it should be.
func TestDiagnoseAnUpdate(t *testing.T) {
	const (
		change = "PackingPlan change detected on shard 0, relaunching effected processes."
		starts = "Running heron-tmanager process as ./heron-core/bin/heron-tmanager"
		ends   = "heron-tmanager (pid=17) exited with status 256. command=x"
		dies   = "heron-tmanager (pid=17) exited with status 6. command=x"
	)
	for what, c := range map[string]struct {
		executor []string
		want     []cluster.ProcessRestarts
	}{
		"it ends":                        {[]string{change, starts, change, ends, starts}, nil},
		"it ends before that is seen":    {[]string{change, starts, ends, change, starts}, nil},
		"several updates":                {[]string{change, starts, change, ends, starts, ends, change, starts}, nil},
		"it dies":                        {[]string{change, starts, change, dies, starts}, []cluster.ProcessRestarts{{Process: "heron-tmanager", Times: 1, Status: "signal 6"}}},
		"it ends without a change":       {[]string{change, starts, ends, starts}, []cluster.ProcessRestarts{{Process: "heron-tmanager", Times: 1, Status: "exit code 1"}}},
		"and once more than was to be":   {[]string{change, starts, change, ends, starts, ends}, []cluster.ProcessRestarts{{Process: "heron-tmanager", Times: 1, Status: "exit code 1"}}},
		"the log's begin is not at hand": {[]string{change, ends, starts}, nil},
	} {
		b := diagnosed(t)
		b.Cluster.TManager = &fakeTManager{answers: []error{tmanager.ErrNoPlan}}
		b.Jobs.Logs["0 heron-executor"] = c.executor
		b.Jobs.Logs["0 heron-tmanager"] = []string{
			"Starting tmanager for topology words",
			"I1129 08:00:00 Packing plan changed. Deleting physical plan and restarting TManager to reset internal state. Exiting.", "Exiting: the packing plan changed",
		}
		d := b.Cluster.Diagnose(t.Context(), words())
		if len(d.Output) > 0 || !slices.Equal(d.Restarts, c.want) {
			t.Errorf("%s: %+v", what, d)
		}
	}
}
