package nomad

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/hashicorp/nomad/api"
)

// cachedVersion is the version of the agent that answers, asked for once.
type cachedVersion struct {
	mu    sync.Mutex
	known bool
	text  string
}

// askVersion is the version of the agent that answers, "" where the token may
// not read it.
func (c *Client) askVersion(ctx context.Context) (string, error) {
	var self api.AgentSelf
	err := c.read(ctx, "ask for the version", agentRead, func(q *api.QueryOptions) error {
		_, err := c.api.Raw().Query("/v1/agent/self", &self, q)
		return err
	})
	if rejected(err) {
		return "", nil
	}
	return self.Member.Tags["build"], err
}

// fitting is the job without what the server does not know. A server whose
// version is not known gets everything: an older one leaves out what it does
// not understand.
func (c *Client) fitting(ctx context.Context, job *api.Job) (*api.Job, error) {
	if !slices.ContainsFunc(job.TaskGroups, func(g *api.TaskGroup) bool { return g.Disconnect != nil }) {
		return job, nil
	}
	c.version.mu.Lock()
	defer c.version.mu.Unlock()
	if !c.version.known {
		text, err := c.askVersion(ctx)
		if err != nil {
			return nil, err
		}
		c.version.text, c.version.known = text, true
	}
	if !before(c.version.text, 1, 8) {
		return job, nil
	}
	out := *job
	out.TaskGroups = slices.Clone(job.TaskGroups)
	for i, group := range out.TaskGroups {
		g := *group
		g.Disconnect = nil
		out.TaskGroups[i] = &g
	}
	return &out, nil
}

// before says whether a version, as in "1.6.1" or "1.10.0-beta.1+ent", is
// before another. One that is not understood is not.
func before(version string, major, minor int) bool {
	first, rest, _ := strings.Cut(version, ".")
	second, _, _ := strings.Cut(rest, ".")
	a, err1 := strconv.Atoi(first)
	b, err2 := strconv.Atoi(second)
	return err1 == nil && err2 == nil && (a < major || a == major && b < minor)
}
