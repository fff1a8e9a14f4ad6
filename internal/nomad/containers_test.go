package nomad

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"
)

// stub is a container that runs, as Nomad lists it.
func stub(index int) *api.AllocationListStub {
	event := func(kind, text string) *api.TaskEvent {
		return &api.TaskEvent{Type: kind, Time: 1_700_000_000_000_000_000, DisplayMessage: text, Details: map[string]string{"message": text}}
	}
	return &api.AllocationListStub{
		ID: fmt.Sprintf("%08x-5f3e-4d0c-9b0a-%012x", index, index), JobID: "heron.nomad.wc", JobVersion: 3, Name: fmt.Sprintf("heron.nomad.wc.container[%d]", index),
		NodeID: "3b1f6a52-0000-4000-8000-000000000007", NodeName: "node-7", DesiredStatus: "run", ClientStatus: "running", ClientDescription: "Tasks are running",
		CreateIndex: 20, DeploymentStatus: &api.AllocDeploymentStatus{},
		TaskStates: map[string]*api.TaskState{"executor": {State: "running", Restarts: 2, Events: []*api.TaskEvent{
			event("Received", "Task received by client"), event("Task Setup", "Building Task Directory"), event("Downloading Artifacts", "Client is downloading artifacts"),
			{Type: "Terminated", ExitCode: 1, Details: map[string]string{"exit_code": "7"}}, event("Started", "Task started by client"),
		}}},
	}
}

func document(t testing.TB, stubs ...*api.AllocationListStub) []byte {
	t.Helper()
	data, err := json.Marshal(stubs)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestDecodeContainers(t *testing.T) {
	failed, twice, nameless, fresh := stub(1), stub(2), stub(3), stub(0)
	failed.ClientStatus = "failed"
	twice.ClientStatus, twice.TaskStates["executor"].Restarts = "pending", 3
	nameless.Name, nameless.ClientStatus, nameless.ClientDescription, nameless.TaskStates = "odd", "failed", "no such driver", nil
	fresh.TaskStates, fresh.ClientStatus = nil, "pending"
	got, err := decodeContainers(bytes.NewReader(document(t, twice, failed, fresh, nameless)))
	if err != nil || len(got) != 4 {
		t.Fatalf("%v, %v", got, err)
	}
	if c := got[0]; c.Index != -1 || c.Failure != "failed: no such driver" || c.Event != "" {
		t.Errorf("without a name: %+v", c)
	}
	if c := got[1]; c.Index != 0 || c.Failure != "" || !c.EventAt.IsZero() || !c.Live() || c.Running() {
		t.Errorf("not begun: %+v", c)
	}
	want := Container{
		Index: 1, ID: failed.ID, JobID: failed.JobID, JobVersion: 3, Node: "node-7", NodeID: failed.NodeID, Desired: "run", Status: "failed", Restarts: 2,
		Event: "Task started by client", EventAt: time.Unix(1_700_000_000, 0), Ended: "exit code 7", Failure: "failed: exit code 7", Created: 20,
	}
	if !reflect.DeepEqual(got[2], want) {
		t.Errorf("failed: %+v, want %+v", got[2], want)
	}
	if c := got[3]; c.Index != 2 || c.Failure != "failed: exit code 7" {
		t.Errorf("restarted again and again: %+v", c)
	}
}

func TestDecodeContainersReadsEvents(t *testing.T) {
	text := `[{"Name":"j.g[0]","Unknown":{"a":[1,{"b":null}]},"DesiredTransition":{"Migrate":true},"ClientStatus":"running","TaskStates":{"executor":
		{"Restarts":1,"StartedAt":"2026-01-02T03:04:05Z","Events":[{"Type":"Restart Signaled","Time":5,"DisplayMessage":"asked \"for\""},
		{"Type":"Terminated","Details":{"exit_code":"143"}},{"Type":"Started","Time":7000000000,"DisplayMessage":"Task st\u0061rted","Details":{"x":"y"}}]}}},
		{"Name":"j.g[1]","DesiredTransition":null,"TaskStates":{"executor":{"Events":null,"StartedAt":null}}},{"Name":"j.g[2]","TaskStates":null}]`
	got, err := decodeContainers(strings.NewReader(text))
	if err != nil || len(got) != 3 {
		t.Fatalf("%+v, %v", got, err)
	}
	c := got[0]
	if c.Event != "Task started" || !c.EventAt.Equal(time.Unix(7, 0)) || !c.Signaled.Equal(time.Unix(0, 5)) || !c.Migrate || c.Restarts != 1 || c.Ended != "" ||
		!c.Started.Equal(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)) {
		t.Errorf("%+v", c)
	}
	if c := got[1]; c.Event != "" || c.Migrate || !c.Started.IsZero() {
		t.Errorf("%+v", c)
	}
	if got, err := decodeContainers(strings.NewReader(`[{"TaskStates":{"x":{"Events":[{"Time":"soon"}]}}}]`)); err == nil {
		t.Errorf("an event that is none: %+v", got)
	}
}

func TestDecodeContainersRefusesOtherAnswers(t *testing.T) {
	for text, fine := range map[string]bool{"[]": true, "null": true, "": false, "{}": false, "[{]": false, `[{"Name":"x"}`: false, "[1]": false, "<html>": false} {
		if got, err := decodeContainers(strings.NewReader(text)); (err == nil) != fine || len(got) > 0 {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
}

func BenchmarkDecodeContainers(b *testing.B) {
	stubs := make([]*api.AllocationListStub, 10_000)
	for i := range stubs {
		stubs[i] = stub(i)
	}
	data := document(b, stubs...)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		list, err := decodeContainers(bytes.NewReader(data))
		if err != nil || len(list) != len(stubs) {
			b.Fatal(len(list), err)
		}
	}
}
