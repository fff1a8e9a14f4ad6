package submit

import (
	"fmt"
	"testing"

	"github.com/heron-nomad/heron/internal/progress"
)

// The engine starts Java with a heap of what is above 192 MiB.
func TestAJavaInstanceWithoutAHeapIsWarnedOf(t *testing.T) {
	for _, c := range []struct {
		kind string
		ram  int64
		want string
	}{
		{"jar", leastJVM, "[]"},
		{"jar", leastJVM - 1, "[the instances of spout get 193 MiB each, of which the engine takes 192 MiB before the heap, so Java cannot start; give them more than 193 MiB in topology.component.rammap or heron.resources.instance.ram]"},
		{"so", leastJVM - 1, "[]"},
	} {
		b := newBench(t)
		b.d.in.PackageType = c.kind
		for _, container := range b.d.Stored.Containers {
			for i := range container.Instances {
				container.Instances[i].Resource.RAM = leastJVM
				if container.Instances[i].Component == "spout" {
					container.Instances[i].Resource.RAM = c.ram
				}
			}
		}
		notes := []string{}
		b.Cluster.Progress = func(e progress.Event) {
			if e.State == progress.Warned {
				notes = append(notes, e.Note)
			}
		}
		if _, err := submitTo(t.Context(), b.Cluster, b.d); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(notes); got != c.want {
			t.Errorf("%s with %d: %s, want %s", c.kind, c.ram, got, c.want)
		}
	}
}
