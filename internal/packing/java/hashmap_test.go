package java

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// The file was written by a Java runtime with testdata/Orders.java; it holds
// ordinary names, names of equal hash codes, and bins that became trees. To try
// other sets, let HERON_JAVA_ORDERS name a file made with another seed.
func TestOrderIsThatOfJava(t *testing.T) {
	file := os.Getenv("HERON_JAVA_ORDERS")
	if file == "" {
		file = "testdata/orders.txt"
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimRight(string(data), "\n"), "\n")
	if len(lines)%3 != 0 || len(lines) < 30 {
		t.Fatalf("%s has %d lines, want sets of 3", file, len(lines))
	}
	for i := 0; i < len(lines); i += 3 {
		put, want := strings.Split(lines[i+1], "\t"), strings.Split(lines[i+2], "\t")
		var got []string
		switch lines[i] {
		case "copy":
			got = Order(put, CopyCapacity(len(put)), StringHash, CompareStrings)
		case "cut":
			got = changed(t, put)
		default:
			got = StringOrder(put)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s line %d: %d names\n got %q\nwant %q", file, i+2, len(put), got, want)
		}
	}
}

// changed is the order of a set to which names were added and from which some
// were removed, as the sign before each says.
func changed(t *testing.T, steps []string) []string {
	t.Helper()
	set := NewSet(StringHash, CompareStrings)
	for _, step := range steps {
		name := step[1:]
		if step[0] == '+' {
			set.Add(name)
			continue
		}
		if _, _, ok := set.Cut(0, func(k string) bool { return k == name }); !ok {
			t.Fatalf("%q was to be removed and is not there", name)
		}
	}
	order := slices.Collect(set.All())
	if len(order) != set.Len() {
		t.Errorf("a set of %d gives %d", set.Len(), len(order))
	}
	return order
}

func TestCutGoesOnAtABin(t *testing.T) {
	set := NewSet(func(n int) int32 { return int32(n) }, func(a, b int) int { return a - b })
	set.Add(1, 17, 2, 3, 33)
	var got []int
	odd := func(n int) bool { return n%2 == 1 }
	for bin := 0; ; {
		n, at, ok := set.Cut(bin, odd)
		if !ok {
			break
		}
		got, bin = append(got, n), at
	}
	if want := []int{1, 17, 33, 3}; !slices.Equal(got, want) || set.Len() != 1 {
		t.Errorf("removed %v and left %d, want %v and one left", got, set.Len(), want)
	}
}
