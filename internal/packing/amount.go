package packing

import (
	"cmp"
	"math"

	"github.com/heron-nomad/heron/internal/packing/java"
)

// amount is what a container is divided by: cores or bytes.
type amount[T any] interface {
	~int64 | ~float64
	plus(T) (T, error)
	minus(T) (T, error)
	divide(int) T
	compare(T) int
	String() string
}

// cores is an amount of CPU. Its arithmetic never fails.
type cores float64

func (c cores) plus(o cores) (cores, error)  { return c + o, nil }
func (c cores) minus(o cores) (cores, error) { return c - o, nil }
func (c cores) divide(n int) cores           { return c / cores(n) }
func (c cores) compare(o cores) int          { return cmp.Compare(c, o) }
func (c cores) String() string               { return "CPUShare{" + java.Fixed(float64(c), 3) + "}" }

// bytes is an amount of RAM or disk. Sums that do not fit are errors, and a
// division rounds half up.
type bytes int64

func (b bytes) plus(o bytes) (bytes, error) {
	if math.MaxInt64-b < o {
		return 0, refuse(ErrExceeded, hintTooBig, "Adding %s to %s would exceed Long.MAX_LONG", o, b)
	}
	return b + o, nil
}

func (b bytes) minus(o bytes) (bytes, error) {
	if math.MinInt64+o > b {
		return 0, refuse(ErrExceeded, hintTooBig, "Subtracting %s from %s would overshoot Long.MIN_LONG", o, b)
	}
	return b - o, nil
}

// times multiplies by a number above 0.
func (b bytes) times(n int) (bytes, error) {
	if b > math.MaxInt64/bytes(n) {
		return 0, refuse(ErrExceeded, hintTooBig, "Multiplying %s by %d would exceed Long.MAX_LONG", b, n)
	}
	return b * bytes(n), nil
}

func (b bytes) divide(n int) bytes  { return bytes(java.Round(float64(b) / float64(n))) }
func (b bytes) compare(o bytes) int { return cmp.Compare(b, o) }
func (b bytes) String() string      { return FormatBytes(int64(b)) }

const hintTooBig = "RAM and disk are in bytes; lower what the topology or the configuration asks for"
