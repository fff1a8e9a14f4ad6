package e2e

import "testing"

// An update whose new container cannot run is undone: the topology works by the
// plan before, in the containers that it had.
func TestAnUpdateWhoseContainerCannotRunIsUndone(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		set  func(*cluster)
		says string
	}{
		"no place for it": {
			func(c *cluster) {
				c.properties["heron.nomad.constraints"] = `[{operator: distinct_property, attribute: "${node.unique.id}", value: "3"}]`
			},
			"no place for 1 container",
		},
		"its program fails": {
			func(c *cluster) {
				c.brokenCore("exit-at-start@3")
				c.properties["heron.nomad.restart.attempts"] = "1"
				c.properties["heron.nomad.restart.delay"] = "1s"
			},
			"container 3 failed: exit code 1, restarted once",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			test.set(c)
			c.want(c.submit("--wait"), 0)
			_, before := c.restarts()
			c.want(c.update("--component-parallelism", "count:5", "--wait"), 7, test.says)
			c.wantToldTo("RUNNING map[count:3 word:3] in 2")
			if _, after := c.restarts(); after != before {
				t.Errorf("the containers are in allocations %s, were in %s", after, before)
			}
			c.noClaim()
			c.want(c.kill(), 0)
			c.nothingLeft()
		})
	}
}
