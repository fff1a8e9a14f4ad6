package cluster_test

import (
	"testing"

	"github.com/heron-nomad/heron/internal/cluster"
)

func TestCheckIndexes(t *testing.T) {
	of := func(id string, indexes ...int) (list []cluster.Placed) {
		for i, index := range indexes {
			list = append(list, cluster.Placed{Index: index, Allocation: id + "-" + string(rune('a'+i)), TopologyID: id})
		}
		return list
	}
	for what, c := range map[string]struct {
		wanted int
		placed []cluster.Placed
		says   string
		wrong  bool
	}{
		"all":                     {4, of("wc1", 3, 0, 2, 1), "", false},
		"nothing wanted":          {0, nil, "", false},
		"nothing there":           {3, nil, "missing 0-2", false},
		"a hole":                  {4, of("wc1", 0, 1, 3), "missing 2", false},
		"a hole and one too high": {3, of("wc1", 0, 2, 3), "missing 1; not in the plan 3", true},
		"a double":                {3, of("wc1", 0, 1, 1), "missing 2; more than once 1", true},
		"a double besides all":    {2, of("wc1", 0, 1, 1), "more than once 1", true},
		"several too high":        {1, of("wc1", 0, 5, 3, 4, 5), "more than once 5; not in the plan 3-5", true},
		"without an index":        {1, of("wc1", 0, -1), "not in the plan -1", true},
		"of another topology":     {2, append(of("wc1", 0), of("wc0", 1)...), "of another topology id: allocation wc0-a", true},
		"of a forgotten version":  {2, append(of("wc1", 0), of("", 1)...), "", false},
	} {
		x := cluster.CheckIndexes(c.wanted, "wc1", c.placed)
		if x.String() != c.says || x.Wrong() != c.wrong || x.Exact() != (c.says == "") {
			t.Errorf("%s: %q, wrong %v, exact %v; want %q, %v", what, x, x.Wrong(), x.Exact(), c.says, c.wrong)
		}
	}
}
