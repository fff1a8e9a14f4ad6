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

// Version is that of the agent that answers, "" where the token may not read
// it.
func (c *Client) Version(ctx context.Context) (string, error) { return c.askVersion(ctx) }

// Defects are what is known to be wrong with a version of Nomad where it
// matters for topologies, in sentences for people; docs/nomad-versions.md has
// more.
func Defects(version string) []string {
	var list []string
	if before(version, 1, 8) {
		list = append(list, "a node that lost Nomad keeps its containers (before 1.8)")
	}
	if before(version, 1, 4) || patchedFrom(version, map[string]int{"1.4": 14, "1.5": 10, "1.6": 3}) {
		list = append(list, "two containers can get the same index (before 1.6.3, 1.5.10 and 1.4.14)")
	}
	return list
}

// patchedFrom says whether a version is of one of the lines, and before its
// patch.
func patchedFrom(version string, lines map[string]int) bool {
	for line, patch := range lines {
		rest, ok := strings.CutPrefix(version, line+".")
		end := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
		if end >= 0 {
			rest = rest[:end]
		}
		if n, err := strconv.Atoi(rest); ok && err == nil && n < patch {
			return true
		}
	}
	return false
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
