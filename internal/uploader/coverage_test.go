package uploader

import (
	"math/rand/v2"
	"testing"
)

func TestCoverageCountsEachByteOnce(t *testing.T) {
	const size = 64
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		var (
			c    coverage
			have [size]bool
		)
		for range 20 {
			off, n := random.Int64N(size+4)-2, random.Int64N(12)
			before, want := int64(0), int64(0)
			for i := range have {
				if have[i] {
					before++
				}
				have[i] = have[i] || int64(i) >= off && int64(i) < off+n
				if have[i] {
					want++
				}
			}
			if total, more := c.add(off, n, size); total != want || more != (want > before) {
				t.Fatalf("%d bytes from %d on: %d, %v; want %d; spans %v", n, off, total, more, want, c.spans)
			}
		}
		for i := 1; i < len(c.spans); i++ {
			if c.spans[i].from <= c.spans[i-1].to {
				t.Fatalf("spans %v touch", c.spans)
			}
		}
	}
}
