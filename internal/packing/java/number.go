package java

import (
	"errors"
	"math"
	"strconv"
	"strings"

	"github.com/heron-nomad/heron/internal/lazyregexp"
)

// Round is Math.round: halves go up, what does not fit becomes the nearest
// whole number that does, and no number becomes 0.
func Round(v float64) int64 {
	r := math.Floor(v)
	if v-r >= 0.5 {
		r++
	}
	switch {
	case math.IsNaN(v):
		return 0
	case r >= math.MaxInt64:
		return math.MaxInt64
	case r <= math.MinInt64:
		return math.MinInt64
	}
	return int64(r)
}

// Int is a cast of a double to an int: what is beyond the decimal point goes,
// what does not fit becomes the nearest that does, and no number becomes 0.
func Int(v float64) int {
	if math.IsNaN(v) {
		return 0
	}
	return int(math.Trunc(max(math.MinInt32, min(math.MaxInt32, v))))
}

// Double is String.valueOf of a double: "4.0", "1.0E7", "Infinity". Digits
// are the fewest that tell the number apart from its neighbours; from 1e16 on
// Java before 19 sometimes gave one more.
func Double(v float64) string {
	if text, ok := notFinite(v); ok {
		return text
	}
	if a := math.Abs(v); a == 0 || a >= 1e-3 && a < 1e7 {
		text := strconv.FormatFloat(v, 'f', -1, 64)
		if !strings.Contains(text, ".") {
			text += ".0"
		}
		return text
	}
	mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(v, 'e', -1, 64), "e")
	if !strings.Contains(mantissa, ".") {
		mantissa += ".0"
	}
	sign := ""
	if exponent[0] == '-' {
		sign = "-"
	}
	return mantissa + "E" + sign + strings.TrimLeft(exponent[1:], "0")
}

// Fixed is String.format with "%.<digits>f": the text of Double, rounded half
// up in decimal, so that 0.15 with one digit is 0.2.
func Fixed(v float64, digits int) string {
	if text, ok := notFinite(v); ok {
		return text
	}
	text := strconv.FormatFloat(math.Abs(v), 'f', -1, 64)
	whole, fraction, _ := strings.Cut(text, ".")
	fraction += strings.Repeat("0", digits+1)
	kept := []byte(whole + fraction[:digits])
	if fraction[digits] >= '5' {
		kept = increment(kept)
	}
	point := len(kept) - digits
	text = string(kept[:point])
	if digits > 0 {
		text += "." + string(kept[point:])
	}
	if math.Signbit(v) {
		text = "-" + text
	}
	return text
}

// increment adds one to a decimal number.
func increment(digits []byte) []byte {
	for i := len(digits) - 1; i >= 0; i-- {
		if digits[i] < '9' {
			digits[i]++
			return digits
		}
		digits[i] = '0'
	}
	return append([]byte{'1'}, digits...)
}

func notFinite(v float64) (string, bool) {
	switch {
	case math.IsNaN(v):
		return "NaN", true
	case math.IsInf(v, 1):
		return "Infinity", true
	case math.IsInf(v, -1):
		return "-Infinity", true
	}
	return "", false
}

// ErrSyntax says that a text is no number to Java.
var ErrSyntax = errors.New("not a number")

// doubleSyntax is that of Double.parseDouble, but for hexadecimal numbers.
var doubleSyntax = lazyregexp.New(`^[+-]?(NaN|Infinity|([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?[dDfF]?)$`)

// ParseDouble is Double.parseDouble: it takes "1.5", " 1.5 " and "1.5f", and
// what is too big becomes infinite.
func ParseDouble(s string) (float64, error) {
	s = strings.TrimFunc(s, func(r rune) bool { return r <= ' ' })
	if !doubleSyntax.MatchString(s) {
		return 0, ErrSyntax
	}
	if !strings.HasSuffix(s, "Infinity") {
		s = strings.TrimRight(s, "dDfF")
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0, ErrSyntax
	}
	return v, nil
}
