package java

import (
	"math"
	"unicode/utf16"
)

// StringHash is String.hashCode, which counts UTF-16 units and not runes.
func StringHash(s string) int32 {
	var h int32
	for _, r := range s {
		if r < 0x10000 {
			h = 31*h + r
			continue
		}
		high, low := utf16.EncodeRune(r)
		h = 31*(31*h+high) + low
	}
	return h
}

// LongHash is Long.hashCode.
func LongHash(v int64) int32 { return int32(v ^ int64(uint64(v)>>32)) }

// DoubleHash is Double.hashCode of anything but NaN.
func DoubleHash(v float64) int32 { return LongHash(int64(math.Float64bits(v))) }

// CompareStrings is String.compareTo up to the size of the result: the order
// is that of UTF-16 units, in which U+10000 comes before U+E000.
func CompareStrings(a, b string) int {
	x, y := utf16.Encode([]rune(a)), utf16.Encode([]rune(b))
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return int(x[i]) - int(y[i])
		}
	}
	return len(x) - len(y)
}
