package packing

import (
	"fmt"
	"strings"
	"testing"

	"github.com/heron-nomad/heron/internal/topology"
)

// scale is a topology of 100,000 instances for 2,000 containers of 50.
func scale(b *testing.B) *topology.Definition {
	b.Helper()
	var components, ram []string
	for i := range 100 {
		components = append(components, fmt.Sprintf("component-%d:1000", i))
		if i%3 == 0 {
			ram = append(ram, fmt.Sprintf("component-%d:%d", i, 1<<30-i<<20))
		}
	}
	return define(b, strings.Join(components, " "), "stmgrs=2000", "container.max.instances=50",
		"container.cpu=51", "container.ram=64424509440", "container.disk=107374182400", "container.padding.percentage=0",
		"component.rammap="+strings.Join(ram, ","))
}

func fillers(b *testing.B, f func(b *testing.B, alg Algorithm, def *topology.Definition)) {
	b.Helper()
	def := scale(b)
	for _, name := range []string{"resourcecompliant", "firstfit"} {
		alg, err := New(name, plain)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			f(b, alg, def)
		})
	}
}

func BenchmarkFilling(b *testing.B) {
	fillers(b, func(b *testing.B, alg Algorithm, def *topology.Definition) {
		for b.Loop() {
			p, err := alg.Pack(def)
			if err != nil {
				b.Fatal(err)
			}
			if len(p.Containers) != 2000 {
				b.Fatalf("%d containers", len(p.Containers))
			}
		}
	})
}

// BenchmarkFillingFromOne lets the number of containers grow from 1.
func BenchmarkFillingFromOne(b *testing.B) {
	fillers(b, func(b *testing.B, alg Algorithm, def *topology.Definition) {
		def = def.WithStmgrs(1)
		for b.Loop() {
			if _, err := alg.Pack(def); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkRefilling changes each plan of 2,000 containers.
func BenchmarkRefilling(b *testing.B) {
	change := func(shrink, grow int) []Change {
		var changes []Change
		for i := range 100 {
			delta := shrink
			if i%2 == 0 {
				delta = grow
			}
			changes = append(changes, Change{Component: fmt.Sprintf("component-%d", i), Delta: delta})
		}
		return changes
	}
	for _, c := range []struct {
		name    string
		changes []Change
	}{
		{"shrink", change(-500, -500)},
		{"mixed", change(-400, 400)},
		{"grow", change(100, 100)},
		{"double", change(1000, 1000)},
	} {
		b.Run(c.name, func(b *testing.B) {
			fillers(b, func(b *testing.B, alg Algorithm, def *topology.Definition) {
				current, err := alg.Pack(def)
				if err != nil {
					b.Fatal(err)
				}
				for b.Loop() {
					if _, err := alg.Repack(def, current, c.changes); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}
