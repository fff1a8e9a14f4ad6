package packing

import (
	"fmt"
	"strings"
	"testing"

	"github.com/heron-nomad/heron/internal/topology"
)

// The limits of algorithms that fill containers are such that 50 instances
// fit: 56 cores and GiB, less a tenth of it.
const (
	benchPerContainer = 50
	benchLimit        = "container.max.instances=56"
)

// Each algorithm, at a tenth of the size and in full: time per instance grows
// by no more than a logarithm.
func BenchmarkPack(b *testing.B) {
	eachBenchmark(b, func(b *testing.B, c benchCase) {
		for b.Loop() {
			p, err := c.by.Pack(c.def)
			c.check(b, p, err, 0)
		}
	})
}

// A repack lets half of the components grow and half shrink by a tenth.
func BenchmarkRepack(b *testing.B) {
	eachBenchmark(b, func(b *testing.B, c benchCase) {
		current, err := c.by.Pack(c.def)
		c.check(b, current, err, 0)
		var changes []Change
		total := 0
		for i, name := range c.components {
			delta := c.each / 10
			if i%2 == 1 {
				delta = -delta
			}
			total += delta
			changes = append(changes, Change{name, delta})
		}
		for b.Loop() {
			p, err := c.by.Repack(c.def, current, changes)
			c.check(b, p, err, total)
		}
	})
}

type benchCase struct {
	by         Algorithm
	def        *topology.Definition
	components []string
	// each is the number of instances of a component.
	each, instances int
}

func eachBenchmark(b *testing.B, f func(b *testing.B, c benchCase)) {
	for _, a := range algorithms() {
		for _, instances := range []int{10_000, 100_000} {
			c := benchCase{by: a.make(plain), each: instances / 100, instances: instances}
			var parts []string
			for i := range 100 {
				c.components = append(c.components, fmt.Sprintf("component-%d", i))
				parts = append(parts, fmt.Sprintf("%s:%d", c.components[i], c.each))
			}
			stmgrs := fmt.Sprintf("stmgrs=%d", instances/benchPerContainer)
			c.def = define(b, strings.Join(parts, " "), stmgrs, benchLimit)
			b.Run(fmt.Sprintf("%s/%d", a.name, instances), func(b *testing.B) {
				b.ReportAllocs()
				f(b, c)
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(instances), "ns/instance")
			})
		}
	}
}

// check wants so many more instances than the definition has, in containers of
// which few are less than full.
func (c benchCase) check(b *testing.B, p *Plan, err error, more int) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
	got := 0
	for _, container := range p.Containers {
		got += len(container.Instances)
	}
	want := c.instances + more
	if n := len(p.Containers); got != want || n < want/benchPerContainer || n > want/benchPerContainer*5/4 {
		b.Fatalf("%d instances in %d containers, want %d in about %d", got, n, want, want/benchPerContainer)
	}
}
