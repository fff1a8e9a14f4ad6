package dryrun

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/heron-nomad/heron/internal/packing"
	"github.com/heron-nomad/heron/internal/testenv"
)

// updateStep is a recorded dry run of an update.
type updateStep struct{ file, what, format, text string }

// updateSteps are all of them, with what was asked for but the format.
func updateSteps(t *testing.T) []updateStep {
	t.Helper()
	var steps []updateStep
	for file, g := range testenv.ReadVectors[goldenFile](t, "dryrun/dryrun-update-*.json") {
		for i, step := range g.Steps {
			if g.Outputs[i].Result != "dry_run" {
				continue
			}
			format, args := "table", slices.Clone(step.Args)
			if at := slices.Index(args, "--dry_run_format"); at >= 0 {
				format = args[at+1]
				args = slices.Delete(args, at, at+2)
			}
			steps = append(steps, updateStep{file, strings.Join(args, " "), format, g.Outputs[i].Text})
		}
	}
	return steps
}

var updateJSON = regexp.MustCompile(`^New packing plan:\n(.*)\nOld packing plan:\n(.*)\n$`)

// inputOf reads the plans back from what the original printed as JSON.
func inputOf(t *testing.T, text string) UpdateInput {
	t.Helper()
	m := updateJSON.FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("not two documents: %q", text)
	}
	var in UpdateInput
	plan := func(text string) *packing.Plan {
		type amount struct {
			CPU       float64
			RAM, Disk int64
		}
		var doc struct {
			PackingClass, Topology string
			Containers             []struct {
				ID         int32
				Resources  amount
				Components []struct {
					Component string
					ID, Index int32
					Resources amount
				}
			}
		}
		if err := json.Unmarshal([]byte(text), &doc); err != nil {
			t.Fatal(err)
		}
		in.PackingClass, in.Topology = doc.PackingClass, doc.Topology
		p := &packing.Plan{}
		for _, c := range doc.Containers {
			container := packing.Container{ID: c.ID, Required: packing.Resource(c.Resources)}
			for _, i := range c.Components {
				container.Instances = append(container.Instances, packing.Instance{
					Component: i.Component, TaskID: i.ID, Index: i.Index, Resource: packing.Resource(i.Resources),
				})
			}
			p.Containers = append(p.Containers, container)
		}
		return p
	}
	in.New = plan(m[1])
	// What is stored is what the scheduler gives.
	in.Old = plan(m[2]).Homogeneous()
	return in
}

// settled puts into order what the original takes from hash sets: the rows of
// a table, and the instances and containers of a line.
func settled(text string) string {
	lines := strings.Split(text, "\n")
	for start := 0; start < len(lines); start++ {
		end := start
		for end < len(lines) && strings.HasPrefix(lines[end], "| ") {
			end++
		}
		slices.Sort(lines[start:end])
		start = max(start, end)
	}
	for i, line := range lines {
		if !strings.HasPrefix(line, "{") {
			continue
		}
		parts := planPart.FindAllString(line, -1)
		slices.Sort(parts)
		lines[i] = strings.Join(parts, "\n")
	}
	return strings.Join(lines, "\n")
}

// planPart is an instance, or what a plan or container says of itself.
var planPart = regexp.MustCompile(`\{component-name: .*?\}\}\}|\{"component":.*?\}\}|[a-zA-Z-]+: [^{,]+|"[a-zA-Z]+":("[^"]*"|[0-9.]+)|(required|scheduled)-resource: \{.*?\}\}`)

func TestUpdateIsTheOriginals(t *testing.T) {
	inputs, steps := map[string]UpdateInput{}, updateSteps(t)
	for _, s := range steps {
		if s.format == string(JSON) {
			inputs[s.file+s.what] = inputOf(t, s.text)
		}
	}
	seen := map[string]int{}
	for i, s := range steps {
		in, ok := inputs[s.file+s.what]
		if !ok {
			continue // its plans are not known
		}
		format, err := ParseFormat(s.format)
		if err != nil {
			t.Errorf("%s: %v", s.file, err)
			continue
		}
		seen[s.format]++
		t.Run(fmt.Sprintf("%s/%d-%s", s.file, i, s.format), func(t *testing.T) {
			in.RepackingClass = repackingClass(s.text)
			if format == Raw {
				id := regexp.MustCompile(`plan-id: ([^,]+),`).FindStringSubmatch(s.text)
				in.Old.ID, in.New.ID = id[1], id[1]
			}
			var got bytes.Buffer
			if err := Update(&got, format, in); err != nil {
				t.Fatal(err)
			}
			if settled(got.String()) != settled(s.text) {
				t.Errorf("printed\n%s, want\n%s", settled(got.String()), settled(s.text))
			}
		})
	}
	if len(seen) == 0 {
		t.Error("no vector was compared")
	}
}

func repackingClass(text string) string {
	_, rest, _ := strings.Cut(text, "Using repacking class: ")
	class, _, _ := strings.Cut(rest, "\n")
	return class
}

// A change counts where the printed numbers differ: sizes are whole MB.
func TestUpdateCountsChangesInWholeMegabytes(t *testing.T) {
	const mb = 1 << 20
	for what, c := range map[string]struct {
		old, now packing.Resource
		want     string
	}{
		"one byte":       {packing.Resource{CPU: 1, RAM: 64 * mb, Disk: mb}, packing.Resource{CPU: 1, RAM: 64*mb + 1, Disk: mb}, "CPU: 1.0, RAM: 64 MB, Disk: 1 MB\n"},
		"half an MB":     {packing.Resource{CPU: 1, RAM: 64 * mb, Disk: mb}, packing.Resource{CPU: 1, RAM: 64*mb + mb/2, Disk: mb}, "CPU: 1.0, RAM: 65 MB (+1.56%), Disk: 1 MB\n"},
		"bytes are lost": {packing.Resource{CPU: 1, RAM: 3*mb - 1, Disk: mb}, packing.Resource{CPU: 1, RAM: 2*mb + 1, Disk: mb}, "CPU: 1.0, RAM: 2 MB (-33.33%), Disk: 1 MB\n"},
		"from nothing":   {packing.Resource{CPU: 1, RAM: mb, Disk: 1}, packing.Resource{CPU: 1.001, RAM: mb, Disk: mb}, "CPU: 1.001 (+0.10%), RAM: 1 MB, Disk: 1 MB (+Infinity%)\n"},
		"still nothing":  {packing.Resource{CPU: 2, RAM: mb, Disk: 1}, packing.Resource{CPU: 1, RAM: mb, Disk: 2}, "CPU: 1.0 (-50.00%), RAM: 1 MB, Disk: 0 MB (NaN%)\n"},
	} {
		if got := usageChange(c.old, c.now, paint{title: plain, added: plain, removed: plain, gone: plain}); got != c.want {
			t.Errorf("%s: %q, want %q", what, got, c.want)
		}
	}
}

func TestUpdateTellsWhatIsUnaffected(t *testing.T) {
	plan := &packing.Plan{Containers: []packing.Container{{ID: 1, Required: packing.Resource{CPU: 1, RAM: 1 << 20, Disk: 1 << 20}}}}
	var got bytes.Buffer
	if err := Update(&got, Table, UpdateInput{RepackingClass: "c", Old: plan, New: plan}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(got.String(), "Container 1 UNAFFECTED\nCPU: 1.0, RAM: 1 MB, Disk: 1 MB\n") {
		t.Errorf("printed %s", got.String())
	}
}
