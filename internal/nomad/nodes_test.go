package nomad

import (
	"testing"

	"github.com/google/uuid"
	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/conf"
)

func TestNodes(t *testing.T) {
	c := realClient(t)
	pool := func(name string) conf.NomadPlace { return conf.NomadPlace{NodePool: name} }
	for label, s := range map[string]struct {
		settings conf.Nomad
		want     int
	}{
		"as it is":           {conf.Nomad{Datacenters: []string{"dc1"}, Driver: "raw_exec"}, 1},
		"wildcard":           {conf.Nomad{Datacenters: []string{"mars", "d*"}, Driver: "raw_exec"}, 1},
		"all pools":          {conf.Nomad{Datacenters: []string{"*"}, Driver: "raw_exec", Place: pool("all")}, 1},
		"the default pool":   {conf.Nomad{Datacenters: []string{"*"}, Driver: "raw_exec", Place: pool("default")}, 1},
		"another pool":       {conf.Nomad{Datacenters: []string{"*"}, Driver: "raw_exec", Place: pool("batch")}, 0},
		"another datacenter": {conf.Nomad{Datacenters: []string{"mars"}, Driver: "raw_exec"}, 0},
		"another driver":     {conf.Nomad{Datacenters: []string{"*"}, Driver: "qemu-of-mars"}, 0},
	} {
		nodes, err := c.Nodes(t.Context(), s.settings)
		if err != nil || len(nodes) != s.want {
			t.Errorf("%s: got %+v, %v; want %d", label, nodes, err, s.want)
		}
		for _, n := range nodes {
			if n.ID == "" || n.Name == "" || n.Address != "127.0.0.1" || !n.Eligible {
				t.Errorf("%s: got %+v", label, n)
			}
		}
	}
}

// The constraint is that of a package that lies on some nodes.
func TestJobStaysOnTheNodesOfItsPackage(t *testing.T) {
	c := realClient(t)
	nodes, err := c.Nodes(t.Context(), conf.Nomad{Datacenters: []string{"*"}, Driver: "raw_exec"})
	if err != nil || len(nodes) == 0 {
		t.Fatal(nodes, err)
	}
	other := uuid.NewString()
	for _, s := range []struct {
		ids      []string
		unplaced int
	}{{[]string{nodes[0].ID}, 0}, {[]string{other, nodes[0].ID}, 0}, {[]string{other}, 3}} {
		spec := someSpec()
		spec.PackageNodes = s.ids
		job := mustBuild(t, spec)
		f, err := c.Forecast(t.Context(), job)
		if err != nil || f.Unplaced != s.unplaced {
			t.Errorf("%q: got %+v, %v; want %d without a place", s.ids, f, err, s.unplaced)
		}
		if len(job.Constraints) != 1 || job.Constraints[0].Operand != api.ConstraintSetContainsAny {
			t.Errorf("%q: constraints are %+v", s.ids, job.Constraints)
		}
	}
}
