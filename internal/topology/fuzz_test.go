package topology_test

import (
	"testing"

	"github.com/heron-nomad/heron/internal/cluster/clustertest"
	"github.com/heron-nomad/heron/internal/topology"
)

// FuzzDefinition reads definitions of any bytes, as an API server gets them, and
// asks for all that is looked at.
func FuzzDefinition(f *testing.F) {
	data, err := clustertest.Words("words-1").Bytes()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add(data[:len(data)/2])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := topology.Decode(data)
		if err != nil {
			return
		}
		err = topology.Validate(d, topology.Rules{Nomad: true, Cluster: "nomad", ServiceNames: true})
		_ = d.Filename()
		if _, wrong := d.Trimmed().Bytes(); wrong != nil && err == nil {
			t.Errorf("it is valid, and cannot be written: %v", wrong)
		}
		if back, wrong := topology.Decode(must(t, d)); wrong != nil || back.Name() != d.Name() {
			t.Errorf("read back: %v", wrong)
		}
	})
}

func must(t *testing.T, d *topology.Definition) []byte {
	t.Helper()
	data, err := d.Bytes()
	if err != nil {
		t.Skip("it cannot be written") // only what cannot be a definition
	}
	return data
}
