package statemgrtest

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/heron-nomad/heron/internal/statemgr"
)

// testHistory: versions are added, read, noted as stable, removed, and go with
// the topology.
func testHistory(t *testing.T, f Fixture) {
	s, ctx := f.Tree(t), t.Context()
	first := submission("t")
	ops, err := first.Ops(s.Layout)
	Must(t, err)
	version, err := first.First(statemgr.OperationSubmit, []byte("job"), 3).Ops(s.Layout, "t")
	Must(t, err)
	Must(t, s.Apply(ctx, append(append(ops, s.CreateHistory("t")), version...)...))
	v := statemgr.Version{
		Operation: statemgr.OperationReplace, Previous: 1, By: "ann", At: time.Unix(1_700_000_000, 0), Containers: 4,
		PausedBefore: true, Checkpoints: []byte{0, 1}, ExecutionState: []byte("state"),
		VersionContent: statemgr.VersionContent{Definition: bytes.Repeat([]byte("definition "), 50_000), PackingPlan: []byte("plan"), Job: []byte("job")},
	}
	v.Deployment.TopologyID = "t-second"
	for _, c := range []struct {
		name string
		want int
	}{{"t", 2}, {"t", 3}, {"another", 1}} {
		ops, n, err := s.Append(ctx, c.name, v)
		Must(t, err)
		Must(t, s.Apply(ctx, ops...))
		if n != c.want {
			t.Errorf("version %d of %s, want %d", n, c.name, c.want)
		}
	}
	list, err := s.Versions(ctx, "t")
	Must(t, err)
	if len(list) != 3 || list[0].Number != 1 || list[0].Operation != "submit" || list[0].Containers != 3 || list[2].Number != 3 {
		t.Fatalf("versions: %+v", list)
	}
	got, err := s.Content(ctx, "t", list[1])
	Must(t, err)
	if !bytes.Equal(got.Definition, v.Definition) || string(got.Job) != "job" || got.Previous != 1 || !got.PausedBefore ||
		!got.At.Equal(v.At) || got.Deployment.TopologyID != "t-second" || string(got.Checkpoints) != "\x00\x01" {
		t.Errorf("version 2: %+v", got)
	}
	if node, err := s.Read(ctx, s.VersionDefinition("t", 2)); err != nil || len(node.Data) > 10_000 {
		t.Errorf("the definition takes %d bytes, %v", len(node.Data), err)
	}
	for range 2 {
		Must(t, s.MarkStable(ctx, "t", 2))
	}
	Must(t, s.MarkStable(ctx, "t", 77))
	WantErr(t, s.MarkStable(ctx, "t", 3, statemgr.Check(s.Operation("t"))), statemgr.ErrNotFound, "")
	for range 2 {
		Must(t, s.DeleteVersion(ctx, "t", list[0]))
	}
	WantErr(t, s.DeleteVersion(ctx, "t", list[2], statemgr.Check(s.Operation("t"))), statemgr.ErrNotFound, "")
	list, err = s.Versions(ctx, "t")
	Must(t, err)
	if len(list) != 2 || !list[0].Stable || len(list[0].Checkpoints) > 0 || list[1].Stable {
		t.Errorf("versions: %+v", list)
	}
	if _, err := s.Content(ctx, "t", statemgr.Version{Number: 1}); err == nil {
		t.Error("a version that is gone was read")
	}
	Must(t, s.DeleteTopology(ctx, "t", false))
	if list, err = s.Versions(ctx, "t"); err != nil || len(list) > 0 {
		t.Errorf("versions after the deletion: %v, %v", list, err)
	}
	if list, err = s.Versions(ctx, "another"); err != nil || len(list) != 1 {
		t.Errorf("versions of another topology: %v, %v", list, err)
	}
	names, err := s.Children(ctx, s.Histories())
	if err != nil || !slices.Equal(names, []string{"another"}) {
		t.Errorf("histories: %v, %v", names, err)
	}
	Must(t, s.Apply(ctx, statemgr.Set(s.Version("another", 1), []byte(`{"format":7}`))))
	if _, err = s.Versions(ctx, "another"); err == nil {
		t.Error("a record of a later format was read")
	}
	if _, err := s.Versions(ctx, ".."); err == nil {
		t.Error("a bad name was taken")
	}
}
