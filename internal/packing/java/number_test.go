package java

import (
	"math"
	"testing"
)

// What a Java 17 printed for each number.
func TestNumbers(t *testing.T) {
	for _, c := range []struct {
		v                float64
		text, one, three string
		rounded          int64
		hash             int32
	}{
		{0.0, "0.0", "0.0", "0.000", 0, 0},
		{4.0, "4.0", "4.0", "4.000", 4, 1074790400},
		{1.25, "1.25", "1.3", "1.250", 1, 1072955392},
		{0.15, "0.15", "0.2", "0.150", 0, 217055232},
		{0.25, "0.25", "0.3", "0.250", 0, 1070596096},
		{-2.5, "-2.5", "-2.5", "-2.500", -2, -1073479680},
		{2.5, "2.5", "2.5", "2.500", 3, 1074003968},
		{1.3333333333333333, "1.3333333333333333", "1.3", "1.333", 1, 1788870656},
		{9.95, "9.95", "10.0", "9.950", 10, 642088960},
		{1023.95, "1023.95", "1024.0", "1023.950", 1024, -652843517},
		{9999999.0, "9999999.0", "9999999.0", "9999999.000", 9999999, -1587342641},
		{1.0e7, "1.0E7", "10000000.0", "10000000.000", 10000000, 1097011920},
		{0.001, "0.001", "0.0", "0.001", 0, -308163663},
		{9.99e-4, "9.99E-4", "0.0", "0.001", 0, 710484637},
		{1.23456789125e8, "1.23456789125E8", "123456789.1", "123456789.125", 123456789, 354250548},
		{0.49999999999999994, "0.49999999999999994", "0.5", "0.500", 0, -1071644672},
		{math.Inf(1), "Infinity", "Infinity", "Infinity", 9223372036854775807, 2146435072},
		{math.Copysign(0, -1), "-0.0", "-0.0", "-0.000", 0, -2147483648},
	} {
		if got := Double(c.v); got != c.text {
			t.Errorf("Double(%v) = %s, want %s", c.v, got, c.text)
		}
		if got := Fixed(c.v, 1); got != c.one {
			t.Errorf("Fixed(%v, 1) = %s, want %s", c.v, got, c.one)
		}
		if got := Fixed(c.v, 3); got != c.three {
			t.Errorf("Fixed(%v, 3) = %s, want %s", c.v, got, c.three)
		}
		if got := Round(c.v); got != c.rounded {
			t.Errorf("Round(%v) = %d, want %d", c.v, got, c.rounded)
		}
		if got := DoubleHash(c.v); got != c.hash {
			t.Errorf("DoubleHash(%v) = %d, want %d", c.v, got, c.hash)
		}
	}
}

func TestStrings(t *testing.T) {
	for s, want := range map[string]int32{
		"": 0, "word": 3655434, "é": 233, "日本": 835047, "😀": 1772899,
		"Aa": 2112, "BB": 2112, "spout-\ue000": -1998627580,
	} {
		if got := StringHash(s); got != want {
			t.Errorf("StringHash(%q) = %d, want %d", s, got, want)
		}
	}
	for _, c := range []struct {
		a, b string
		want int
	}{{"a\ue000", "a😀", 1987}, {"ab", "abc", -1}, {"b", "a", 1}, {"é", "é", 0}} {
		if got := CompareStrings(c.a, c.b); got != c.want {
			t.Errorf("CompareStrings(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

func TestParseDouble(t *testing.T) {
	for s, want := range map[string]float64{
		"1.5": 1.5, " 2 ": 2, "3.": 3, ".5": 0.5, "1.5f": 1.5, "2D": 2, "-1e2": -100,
		"1e999": math.Inf(1), "-Infinity": math.Inf(-1),
	} {
		if got, err := ParseDouble(s); err != nil || got != want {
			t.Errorf("ParseDouble(%q) = %v, %v, want %v", s, got, err, want)
		}
	}
	for _, s := range []string{"", "x", "inf", "1_000", "1.5ff", "1,5", "nan"} {
		if got, err := ParseDouble(s); err == nil {
			t.Errorf("ParseDouble(%q) = %v, want an error", s, got)
		}
	}
	if got, err := ParseDouble("NaN"); err != nil || !math.IsNaN(got) {
		t.Errorf("ParseDouble(NaN) = %v, %v", got, err)
	}
}
