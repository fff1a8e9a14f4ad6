package update

import (
	"strings"
	"testing"
)

// A request of a client cannot make a plan that takes all memory.
func TestRequestsAreBounded(t *testing.T) {
	for _, c := range []struct {
		parallelism []string
		containers  string
		want        string
	}{
		{[]string{"count:100001"}, "", `"count" cannot have 100001 instances; use 1 to 100000`},
		{[]string{"word:1", "count:0"}, "", `"count" cannot have 0 instances`},
		{nil, "100001", "cannot be 100001 containers; use 1 to 100000"},
		{nil, "0", "cannot be 0 containers"},
	} {
		if _, err := ParseRequest(c.parallelism, c.containers, nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, containers %q: %v, want %q", c.parallelism, c.containers, err, c.want)
		}
	}
	if _, err := ParseRequest([]string{"count:100000"}, "100000", nil); err != nil {
		t.Error(err)
	}
}
