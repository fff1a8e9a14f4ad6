package logs

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestTail(t *testing.T) {
	both(t, func(t *testing.T, d *disk) {
		d.write(words+".log.2", numbered(1, 20_000)) // several blocks
		d.write(words+".log.1", numbered(20_001, 20_003))
		d.write(words+".log.0", numbered(20_004, 20_005))
		for _, n := range []int{0, 1, 2, 3, 5, 6, 7, 19_000, 20_005, 30_000} {
			d.bytes = 0
			o := all()
			o.Tail = n
			c, got := reading(d, o)
			c.mustRead(t, false)
			equal(t, fmt.Sprintf("the last %d", n), got.take(), numbers(20_006-min(n, 20_005), 20_005)[:min(n, 20_005)])
			if n < 10 && d.bytes > 2*blockSize {
				t.Errorf("%d bytes were read for %d lines", d.bytes, n)
			}
			d.write(words+".log.0", "")
		}
		o := all()
		o.Tail = 1
		d.write(words+".log.0", "no end")
		c, got := reading(d, o)
		c.mustRead(t, true)
		equal(t, "a line without an end", got.take(), []string{"no end"})
	})
}

func TestTailWhileFilesAreRotated(t *testing.T) {
	both(t, func(t *testing.T, d *disk) {
		for seed := range uint64(40) {
			random := rand.New(rand.NewPCG(seed, 2))
			at := newDisk(d.asText)
			at.write(words+".log.0", numbered(1, 20))
			written, rotations := 20, 0
			at.between = func(string) {
				if rotations < 4 && random.IntN(2) == 0 {
					rotations++
					at.rotate(words, 20)
					at.write(words+".log.0", numbered(written+1, written+7))
					written += 7
				}
			}
			o := all()
			o.Tail = 10
			c, got := reading(at, o)
			c.mustRead(t, false)
			rotations = 4
			c.mustRead(t, true)
			list := got.take()
			if len(list) < 10 {
				t.Fatalf("seed %d: %q", seed, list)
			}
			equal(t, fmt.Sprintf("seed %d: to the end", seed), list, numbers(written+1-len(list), written))
			equal(t, "lost", got.lost, nil)
			if len(list) > 10+4*7 {
				t.Errorf("seed %d: %d lines", seed, len(list))
			}
		}
	})
}

func TestTailOfWhatIsNotUTF8(t *testing.T) {
	both(t, func(t *testing.T, d *disk) {
		d.write(words+".log.0", strings.Repeat("\xff\xfe junk\n", 900)+"one\n\xfftwo\nthree\n")
		o := all()
		o.Tail = 3
		c, got := reading(d, o)
		c.mustRead(t, true)
		list := got.take()
		if len(list) != 3 || list[0] != "one" || list[2] != "three" {
			t.Errorf("%q", list)
		}
	})
}
