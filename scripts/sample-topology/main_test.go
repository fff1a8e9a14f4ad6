package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/heron-nomad/heron/internal/heronpb"
)

func sample() shape { return shape{name: "sample", stmgrs: 3, words: 3, count: 3} }

func TestDefinition(t *testing.T) {
	dir := t.TempDir()
	folder := filepath.Join(dir, "with space")
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	options := strings.Join([]string{
		"cmdline.topologydefn.tmpdirectory=" + strings.ReplaceAll(folder, " ", "%%%%"),
		"cmdline.topology.initial.state=PAUSED", "cmdline.topology.role=crew", "cmdline.topology.environment=a=b",
	}, ",")
	ids := map[string]bool{}
	for range 2 {
		if err := run(sample(), options); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(filepath.Join(folder, "sample.defn"))
		if err != nil {
			t.Fatal(err)
		}
		topology := &heronpb.Topology{}
		if err := proto.Unmarshal(data, topology); err != nil {
			t.Fatal(err)
		}
		config := map[string]string{}
		for _, kv := range topology.GetTopologyConfig().GetKvs() {
			config[kv.GetKey()] = kv.GetValue()
		}
		for key, want := range map[string]string{
			"topology.stmgrs": "3", "topology.team.name": "crew", "topology.team.environment": "a=b",
			"topology.container.ram": "100663296", "topology.container.ram.padding": "33554432",
			"topology.component.rammap": "word:33554432,count:33554432",
		} {
			if config[key] != want {
				t.Errorf("%s is %q, want %q", key, config[key], want)
			}
		}
		if topology.GetState() != heronpb.TopologyState_PAUSED || topology.GetName() != "sample" {
			t.Errorf("topology %s is %s", topology.GetName(), topology.GetState())
		}
		ids[topology.GetId()] = true
	}
	if len(ids) != 2 {
		t.Errorf("two runs made the ids %v", ids)
	}
}

func TestRefusals(t *testing.T) {
	small := sample()
	small.stmgrs = 7
	folder := "cmdline.topologydefn.tmpdirectory=" + t.TempDir()
	for _, test := range []struct {
		name    string
		shape   shape
		options string
		want    string
	}{
		{"run by hand", sample(), "", "run by heron submit"},
		{"more containers than instances", small, folder, "no more containers than instances"},
		{"another initial state", sample(), folder + ",cmdline.topology.initial.state=KILLED", "want RUNNING or PAUSED"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if err := run(test.shape, test.options); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
		})
	}
}
