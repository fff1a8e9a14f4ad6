package submit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/heron-nomad/heron/internal/heronpb"
	"github.com/heron-nomad/heron/internal/nomad/jobspec"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/packing"
	"github.com/heron-nomad/heron/internal/testenv"
)

var submitted = time.Unix(1_700_000_000, 0)

// The state that a submission writes is the original's, node by node.
func TestStateIsTheOriginals(t *testing.T) {
	for name, v := range testenv.ReadVectors[recording](t, "nomad/submit/*.json", "nomad/lifecycle/*.json") {
		at := slices.IndexFunc(v.Steps, func(s testenv.RecordedStep) bool { return s.Op == "submit" })
		if at < 0 {
			continue
		}
		t.Run(name, func(t *testing.T) {
			d, err := v.decide(t, v.Steps[at])
			checkOutcome(t, v, v.Steps[at], v.Outputs[at], err)
			if err == nil {
				checkState(t, d, v.Outputs[at])
				checkRuntime(t, d, v.Outputs[at])
				checkNames(t, d, v.Outputs[at])
			}
			// Unless a file is named, that of Heron's home counts.
			has := v.ConfFiles["release.yaml"] != ""
			if err == nil && v.Steps[at].Flag("--release_file") == "" && (d.executionState().ReleaseState.GetReleaseVersion() != "") != has {
				t.Errorf("the home has a release file: %v; the release is %v", has, d.executionState().ReleaseState)
			}
		})
	}
}

// checkOutcome compares whether there is a deployment at all. It holds every
// rule by which we refuse what the original took, or the other way round.
func checkOutcome(t *testing.T, v recording, step testenv.RecordedStep, out recordedOutput, err error) {
	t.Helper()
	failed := out.Error.Message
	binary := step.Flag("--topology_bin")
	switch {
	case strings.HasPrefix(failed, "No enum constant") && !strings.HasSuffix(binary, ".tar.gz"):
		// Nothing tells what kind of package it is.
		wantRefusal(t, err, binary)
	case strings.HasPrefix(failed, "More containers"):
		wantRefusal(t, err, failed)
	case !slices.Contains([]string{"docker", "raw_exec", ""}, v.Setting("heron.nomad.driver")):
		wantRefusal(t, err, "heron.nomad.driver")
	case v.ConfFiles["conf/heron_nomad.sh"] == "" && v.Setting("heron.scheduler.job.template") == "":
		if !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "heron_nomad.sh") {
			t.Errorf("error %v, want one that the start script is missing", err)
		}
	case failed != "" && largest(t, out.Plan.Proto) > 1<<31:
		// Nomad counts in MB, and the original's number overflows.
		wantRefusal(t, err, "topology.container.ram")
	case err != nil:
		t.Errorf("error %v, the original: %s %q", err, out.Result, failed)
	case out.Result != "ok" && v.works(step, failed) == "":
		t.Errorf("the original fails with %+v, ours does not, and no difference explains it", out.Error)
	}
}

// works says why there is a deployment where the original's submission fails.
func (v recording) works(step testenv.RecordedStep, failed string) string {
	switch {
	case strings.HasSuffix(step.Flag("--topology_bin"), ".tar.gz") && strings.HasSuffix(failed, ".GZ"):
		return "a topology may be a .tar.gz"
	case strings.HasSuffix(failed, "to URI") && strings.Contains(step.Flag("--role"), " "):
		return "a role may have a space"
	case v.Setting("heron.nomad.metrics.service.register") == "true":
		return "a boolean may be given as text"
	case step.Flag("--release_file") == "" || v.ConfFiles["release.yaml"] == "":
		return "the release file may be missing"
	case v.FailPut != nil:
		return "Nomad refused a job, which comes after deciding"
	}
	return ""
}

func wantRefusal(t *testing.T, err error, says string) {
	t.Helper()
	if outcome.KindOf(err) != outcome.Usage || !strings.Contains(err.Error(), says) {
		t.Errorf("kind %s, error %v; want kind %s and %q", outcome.KindOf(err), err, outcome.Usage, says)
	}
}

// largest is the memory of the largest container of a stored plan, in MB.
func largest(t *testing.T, plan []byte) int64 {
	t.Helper()
	p, err := packing.Decode(plan)
	if err != nil {
		t.Fatal(err)
	}
	return p.Max().RAM >> 20
}

// checkState compares the nodes. An original that failed has written a part
// of them, or taken all back.
func checkState(t *testing.T, d *Manifest, out recordedOutput) {
	t.Helper()
	root, name := d.in.Settings.State.Root, d.Definition.Name()
	theirs := map[string][]byte{}
	for path, data := range out.State {
		if len(data) > 0 {
			theirs[strings.TrimPrefix(path, root)] = data
		}
	}
	if out.Result == "ok" && len(theirs) != 4 {
		t.Errorf("the original wrote %d nodes, want 4", len(theirs))
	}
	ours := map[string][]byte{}
	for _, op := range d.State {
		ours[strings.TrimPrefix(op.Path, root)] = op.Data
	}
	for path, want := range theirs {
		got, ok := ours[path]
		if !ok {
			t.Errorf("%s is not written", path)
			continue
		}
		switch path {
		case "/topologies/" + name, "/schedulers/" + name:
			if !bytes.Equal(got, want) {
				t.Errorf("%s is\n%q, want\n%q", path, got, want)
			}
		case "/packingplans/" + name:
			if out.Result != "ok" {
				// The original first writes the plan as it was packed.
				got = serialize(t, d.Plan.Proto())
			}
			comparePlans(t, got, want)
		case "/executionstate/" + name:
			compareExecutionStates(t, got, want)
		default:
			t.Errorf("the original wrote %s, which no rule compares", path)
		}
		delete(ours, path)
	}
	for path := range ours {
		if path != "/deployments/"+name && out.Result == "ok" {
			t.Errorf("%s is written, by us alone", path)
		}
	}
	if last := d.State[len(d.State)-1].Path; last != root+"/topologies/"+name {
		t.Errorf("the last node is %s, want the definition: its being there means that the rest is", last)
	}
}

func serialize(t *testing.T, m proto.Message) []byte {
	t.Helper()
	data, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// comparePlans compares stored plans; the original has containers and
// instances in the order of hash sets.
func comparePlans(t *testing.T, got, want []byte) {
	t.Helper()
	ours, err := packing.Decode(got)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := packing.Decode(want)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(theirs, ours); diff != "" {
		t.Errorf("packing plan (-original +ours):\n%s", diff)
	}
	if len(got) != len(want) {
		t.Errorf("packing plan of %d bytes, want %d: it has other fields", len(got), len(want))
	}
}

func compareExecutionStates(t *testing.T, got, want []byte) {
	t.Helper()
	var ours, theirs heronpb.ExecutionState
	for msg, data := range map[proto.Message][]byte{&ours: got, &theirs: want} {
		if err := proto.Unmarshal(data, msg); err != nil {
			t.Fatal(err)
		}
	}
	if ours.GetSubmissionTime() != submitted.Unix() {
		t.Errorf("submission time %d, want %d", ours.GetSubmissionTime(), submitted.Unix())
	}
	ours.SubmissionTime = theirs.SubmissionTime
	if !proto.Equal(&ours, &theirs) {
		t.Errorf("execution state\n%v, want\n%v", &ours, &theirs)
	}
}

// checkRuntime compares what the original computed on its way.
func checkRuntime(t *testing.T, d *Manifest, out recordedOutput) {
	t.Helper()
	want := out.Runtime
	if want.Name == "" {
		return
	}
	got := want
	got.ID, got.Name = d.Definition.ID(), d.Definition.Name()
	got.Containers = *d.Job.TaskGroups[0].Count
	got.RAM = d.Stored.ComponentRAM()
	var err error
	if got.Stmgrs, err = d.Definition.Stmgrs(); err != nil {
		t.Fatal(err)
	}
	// The original's order is that of a hash map.
	ram := strings.Split(want.RAM, ",")
	slices.Sort(ram)
	want.RAM = strings.Join(ram, ",")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("numbers of the submission (-original +ours):\n%s", diff)
	}
}

// checkNames compares what executors are told of the topology and its package
// with what those of the original's first job are told.
func checkNames(t *testing.T, d *Manifest, out recordedOutput) {
	t.Helper()
	at := slices.IndexFunc(out.HTTP, func(h recordedRequest) bool { return h.Method == "PUT" })
	if at < 0 {
		return
	}
	var put struct {
		Job struct {
			TaskGroups []struct {
				// Env has the executor's command, with docker Config.
				Tasks []struct{ Env, Config map[string]any }
			}
		}
	}
	if err := json.Unmarshal(out.HTTP[at].Body, &put); err != nil {
		t.Fatal(err)
	}
	task := put.Job.TaskGroups[0].Tasks[0]
	theirs := strings.Fields(fmt.Sprint(task.Env["HERON_EXECUTOR_CMD"], " ", task.Config["args"]))
	ours := jobspec.Expand(d.Job, 0).Args
	for _, name := range []string{
		"pkg-type", "topology-binary-file", "topology-defn-file", "topology-id", "topology-name", "cluster", "role", "environment",
	} {
		got, want := argument(ours, name), argument(theirs, name)
		if got != want || got == "" {
			t.Errorf("executors get %q, the original's %q", got, want)
		}
	}
}

// argument finds a flag among arguments, "" if it is not there.
func argument(args []string, name string) string {
	i := slices.IndexFunc(args, func(arg string) bool { return strings.HasPrefix(arg, "--"+name+"=") })
	if i < 0 {
		return ""
	}
	return args[i]
}
