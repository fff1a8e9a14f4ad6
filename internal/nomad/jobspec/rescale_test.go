package jobspec

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/packing"
)

// Rescaling a stored job gives what a new one of the same plan would be, but for
// the count.
func TestRescaleIsTheJobOfThePlan(t *testing.T) {
	for what, s := range map[string]Spec{"raw_exec": someSpec(), "docker": dockerSpec()} {
		job, err := Build(s)
		if err != nil {
			t.Fatal(err)
		}
		bigger := s
		bigger.Plan = packing.FromProto(s.Plan.Proto())
		for i := range bigger.Plan.Containers {
			c := &bigger.Plan.Containers[i]
			c.Required.RAM += 3 << 30
			c.Required.CPU++
			c.Scheduled = nil
			for j := range c.Instances {
				c.Instances[j].Resource.RAM += 1 << 30
			}
		}
		want, err := Build(bigger)
		if err != nil {
			t.Fatal(err)
		}
		// As it is read back.
		stored := &api.Job{}
		data, err := json.Marshal(job)
		if err == nil {
			err = json.Unmarshal(data, stored)
		}
		if err != nil {
			t.Fatal(err)
		}
		same, changed, err := Rescale(stored, s.Settings, s.Plan, true)
		if err != nil || changed {
			t.Errorf("%s: the same plan changes the job: %v", what, err)
		}
		if !reflect.DeepEqual(Expand(same, 1), Expand(job, 1)) {
			t.Errorf("%s: the same plan gives another container", what)
		}
		now, changed, err := Rescale(stored, s.Settings, bigger.Plan, true)
		if err != nil || !changed {
			t.Fatalf("%s: changed %v, %v", what, changed, err)
		}
		if got, want := Expand(now, 1), Expand(want, 1); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, want %+v", what, got, want)
		}
		if reflect.DeepEqual(Expand(stored, 1), Expand(now, 1)) {
			t.Errorf("%s: the stored job itself was changed", what)
		}
		kept, _, err := Rescale(stored, s.Settings, bigger.Plan, false)
		if err != nil || *kept.TaskGroups[0].Tasks[0].Resources.MemoryMB != *job.TaskGroups[0].Tasks[0].Resources.MemoryMB {
			t.Errorf("%s: sizes were not kept: %v", what, err)
		}
		if args := strings.Join(texts(kept.TaskGroups[0].Tasks[0].Config["args"]), " "); !strings.Contains(args, ramMapFlag+bigger.Plan.ComponentRAM()) {
			t.Errorf("%s: %s", what, args)
		}
	}
	if _, _, err := Rescale(&api.Job{}, someSpec().Settings, someSpec().Plan, true); err == nil {
		t.Error("a job of no topology was rescaled")
	}
}
