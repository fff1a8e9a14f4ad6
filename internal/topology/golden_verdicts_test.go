package topology

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/heron-nomad/heron/internal/heronpb"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/testenv"
)

// stricterReason tells, from the original's own values and the definition
// itself, why we refuse what it accepts; "" if we must not. It holds every
// difference on purpose.
func stricterReason(def *Definition, d derived) string {
	if reason := unusable(def); reason != "" {
		return reason
	}
	for _, n := range d.Parallelism.value {
		if n < 1 {
			return "a parallelism below 1"
		}
	}
	for _, m := range []map[string]int64{d.RAM.value, d.Disk.value} {
		for _, n := range m {
			if n < 0 {
				return "a negative size"
			}
		}
	}
	for _, n := range d.CPU.value {
		if !(n >= 0) || math.IsInf(n, 1) {
			return "a number of cores that cannot be counted"
		}
	}
	switch {
	case d.CPU.fault != nil || d.Disk.fault != nil:
		return "a map that packing could not read"
	case d.Containers.fault != nil || d.Containers.value < 1:
		return "no container"
	case d.Stateful.fault != nil:
		return "an unknown reliability mode"
	case d.CheckpointRAM.fault != nil || d.CheckpointRAM.value < 0:
		return "no size for the checkpoint manager"
	}
	return ""
}

// unusable tells what of a definition's own parts no deployment can use.
func unusable(def *Definition) string {
	if id := def.ID(); id == "" || strings.Contains(id, "/") || strings.ContainsFunc(id, unicode.IsControl) {
		return "an id that is no file name"
	}
	if s := def.State(); s != heronpb.TopologyState_RUNNING && s != heronpb.TopologyState_PAUSED {
		return "a state that cannot be deployed"
	}
	if len(def.pb.GetSpouts()) == 0 {
		return "no spout"
	}
	var names []string
	for _, s := range def.pb.GetSpouts() {
		names = append(names, s.GetComp().GetName())
	}
	for _, b := range def.pb.GetBolts() {
		names = append(names, b.GetComp().GetName())
	}
	slices.Sort(names)
	for i, name := range names {
		switch {
		case name == "":
			return "a component without a name"
		case i > 0 && name == names[i-1]:
			return "two components of one name"
		case strings.ContainsAny(name, ",:/") || strings.ContainsFunc(name, unicode.IsControl):
			return "a component's name that executors cannot read"
		}
	}
	return ""
}

// The original refuses exactly what breaks an inherited rule. What required
// adds are deliberate differences.
func TestVerdicts(t *testing.T) {
	for _, dir := range goldenFolders(t) {
		for file, want := range readDerived(t, dir) {
			t.Run(file, func(t *testing.T) {
				d, _ := readDefinition(t, filepath.Join(dir, file))
				problems := inherited(d)
				accepted := want.Verify.fault == nil && want.Verify.value
				if accepted != (len(problems) == 0) {
					t.Fatalf("original accepts: %v; our reading of its rules: %q", accepted, problems)
				}
				if want.Verify.fault != nil && !strings.Contains(strings.Join(problems, "\n"), want.Verify.fault.subject()) {
					t.Errorf("problems %q do not name %q, as the original does", problems, want.Verify.fault.subject())
				}
				if !accepted || want.Parallelism.fault != nil {
					return
				}
				stricter := stricterReason(d, want)
				if err := Validate(d, Rules{}); (stricter != "") != (err != nil) {
					t.Errorf("Validate: %v; reason to be stricter than the original: %q", err, stricter)
				}
			})
		}
	}
}

func TestExpectedVerdictsOfInvalidFolder(t *testing.T) {
	dir := filepath.Join(testenv.Golden(t), "topologies", "invalid")
	data, err := os.ReadFile(filepath.Join(dir, "expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	var expected map[string]struct{ Valid bool }
	if err := json.Unmarshal(data, &expected); err != nil {
		t.Fatal(err)
	}
	values := readDerived(t, dir)
	for file, want := range expected {
		t.Run(file, func(t *testing.T) {
			found, err := ReadDefinitionFile(filepath.Join(dir, file))
			stricter := ""
			if err == nil {
				stricter = unusable(found.Definition)
				if v, ok := values[file]; ok {
					stricter = stricterReason(found.Definition, v)
				}
				err = Validate(found.Definition, Rules{})
			}
			if want := want.Valid && stricter == ""; want != (err == nil) {
				t.Errorf("should be valid: %v; reason to be stricter than the original: %q; ours: %v", want, stricter, err)
			}
			if err != nil && outcome.KindOf(err) != outcome.Usage {
				t.Errorf("%T %v does not lead to exit code 2", err, err)
			}
		})
	}
}
