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
		if lines[i] == "copy" {
			got = Order(put, CopyCapacity(len(put)), StringHash, CompareStrings)
		} else {
			got = StringOrder(put)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s line %d: %d names\n got %q\nwant %q", file, i+2, len(put), got, want)
		}
	}
}
