package submit

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/heron-nomad/heron/internal/cluster/clustertest"
	"github.com/heron-nomad/heron/internal/dryrun"
	"github.com/heron-nomad/heron/internal/nomad/jobspec"
	"github.com/heron-nomad/heron/internal/packing"
	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/testenv"
	"github.com/heron-nomad/heron/internal/topology"
)

// A dry run prints the original's text, by id where the original prints in
// the order of hash sets.
func TestDryRunIsTheOriginals(t *testing.T) {
	for name, v := range testenv.ReadVectors[recording](t, "dryrun/dryrun-submit-*.json") {
		for i, step := range v.Steps {
			format := step.Flag("--dry_run_format")
			if format == "" {
				format = string(dryrun.Table)
			}
			t.Run(fmt.Sprintf("%s/%d-%s", name, i, format), func(t *testing.T) {
				checkDryRun(t, v, step, v.Outputs[i], format)
			})
		}
	}
}

func checkDryRun(t *testing.T, v recording, step testenv.RecordedStep, out recordedOutput, format string) {
	t.Helper()
	if strings.HasPrefix(out.Error.Message, "No enum constant") {
		wantRefusal(t, CheckFormat(format), format)
		return
	}
	if err := CheckFormat(format); err != nil {
		t.Fatal(err)
	}
	d, err := v.decide(t, step)
	if out.Result != "dry_run" {
		wantRefusal(t, err, out.Error.Message)
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := d.Show(&text, format); err != nil {
		t.Fatal(err)
	}
	got, want := text.String(), out.Text
	if format == string(dryrun.JSON) {
		want = byID(t, want)
	} else {
		got, want = parts(got), parts(want)
	}
	if got != want {
		t.Errorf("printed\n%s\nwant\n%s", got, want)
	}
}

// parts are the lines, and parts of lines between braces, without their
// order: that of the original is that of its hash sets.
func parts(text string) string {
	list := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune("\n{}", r) })
	slices.Sort(list)
	return strings.Join(list, "\n")
}

// byID is a plan in JSON with containers and instances in the order of their
// ids, and else the same text.
func byID(t *testing.T, text string) string {
	t.Helper()
	type item struct {
		ID         int             `json:"id"`
		Resources  json.RawMessage `json:"resources"`
		Components []json.RawMessage
	}
	read := func(data []byte) (i item) {
		if err := json.Unmarshal(data, &i); err != nil {
			t.Fatal(err)
		}
		return i
	}
	joined := func(list []json.RawMessage) string {
		slices.SortFunc(list, func(a, b json.RawMessage) int { return read(a).ID - read(b).ID })
		var texts []string
		for _, m := range list {
			texts = append(texts, string(m))
		}
		return strings.Join(texts, ",")
	}
	var doc struct{ Containers []json.RawMessage }
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatal(err)
	}
	head, _, _ := strings.Cut(text, `"containers":[`)
	for i, c := range doc.Containers {
		of := read(c)
		doc.Containers[i] = fmt.Appendf(nil, `{"id":%d,"resources":%s,"components":[%s]}`, of.ID, of.Resources, joined(of.Components))
	}
	return head + `"containers":[` + joined(doc.Containers) + `]}`
}

// What is stored of a definition is the original's to the byte.
func TestStoredDefinitionsAreTheOriginals(t *testing.T) {
	dir := testenv.Golden(t)
	var derived map[string]struct {
		Digest string `json:"trimmed_topology_sha256"`
	}
	data, err := os.ReadFile(filepath.Join(dir, "topologies", "derived_values.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &derived); err != nil {
		t.Fatal(err)
	}
	settings := clustertest.Settings(t, t.TempDir())
	decided := 0
	for name, want := range derived {
		t.Run(name, func(t *testing.T) {
			def, err := topology.Decode(testenv.Recording{Topology: name}.Definition(t))
			if err != nil {
				t.Fatal(err)
			}
			d, err := NewManifest(plainInput(settings, def))
			var unpacked *packing.Error
			var impossible *jobspec.InputError
			switch {
			case errors.As(err, &unpacked):
				wantUnpacked(t, name, unpacked)
				return
			case errors.As(err, &impossible):
				wantRefusal(t, err, "topology.container.ram")
				return
			case err != nil:
				t.Fatal(err)
			}
			decided++
			stored := d.State[len(d.State)-1]
			if stored.Path != (statemgr.Layout{Root: settings.State.Root}).Topology(def.Name()) {
				t.Fatalf("the last node is %s", stored.Path)
			}
			if got := fmt.Sprintf("%x", sha256.Sum256(stored.Data)); got != want.Digest {
				t.Errorf("stored definition has digest %s, want %s", got, want.Digest)
			}
		})
	}
	if decided < len(derived)/2 {
		t.Errorf("%d of %d definitions were compared", decided, len(derived))
	}
}

// wantUnpacked checks that the original cannot pack a definition either.
func wantUnpacked(t *testing.T, name string, err *packing.Error) {
	t.Helper()
	for _, v := range testenv.ReadVectors[struct {
		Cases []struct {
			Op, Algorithm string
			Error         struct{ Message string }
		}
	}](t, "packing/"+strings.TrimSuffix(name, ".defn")+".json") {
		for _, c := range v.Cases {
			if c.Op == "pack" && strings.HasSuffix(c.Algorithm, ".RoundRobinPacking") && c.Error.Message != "" && strings.Contains(err.Error(), c.Error.Message) {
				return
			}
		}
	}
	t.Errorf("the original packs it, ours does not: %v", err)
}
