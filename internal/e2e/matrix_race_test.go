package e2e

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/heron-nomad/heron/internal/testenv"
)

// model is a topology as the sequential model knows it. The claim is not part
// of it: in the model one command happens after the other, and a command that
// finds the claim taken has no effect.
type model struct {
	exists bool
	// counts is the number of instances of the bolt; paused the state.
	counts int
	paused bool
}

func (m model) String() string {
	if !m.exists {
		return "no topology"
	}
	return fmt.Sprintf("%d instances, paused %v", m.counts, m.paused)
}

// Exit codes that the model knows.
const (
	codeDone     = 0
	codeDiffers  = 3
	codeNotFound = 4
	codeBusy     = 5
	codeNoAnswer = 6
)

// A raced command is one of a race, with what the model says of it.
type raced struct {
	name string
	args func(c *cluster) []string
	// does is the topology after the command, and its exit code.
	does func(m model) (model, int)
	// starting are other exit codes, without any effect, that a command may end
	// with where containers are just being started.
	starting []int
	// calls is about how many it makes.
	calls int
}

// racedCommands are those of the race matrix.
func racedCommands() []raced {
	missing := func(effect func(*model)) func(model) (model, int) {
		return func(m model) (model, int) {
			if !m.exists {
				return m, codeNotFound
			}
			effect(&m)
			return m, codeDone
		}
	}
	named := func(words ...string) func(c *cluster) []string {
		return func(c *cluster) []string { return append(append([]string{}, words...), "nomad", c.topology) }
	}
	return []raced{
		{
			name: "submit", calls: 70,
			args: func(c *cluster) []string {
				return append([]string{"submit", "--deploy-deactivated"}, sampleArgs(c, 3)...)
			},
			does: func(m model) (model, int) {
				if m.exists {
					return m, codeBusy // "exists" has the same code
				}
				return model{exists: true, counts: 3, paused: true}, codeDone
			},
		},
		{name: "kill", calls: 110, args: named("kill"), does: missing(func(m *model) { *m = model{} })},
		{name: "restart", calls: 70, args: named("restart", "--batch", "2"), does: missing(func(*model) {})},
		{
			name: "update", calls: 150, args: named("update", "--component-parallelism", "count:5"),
			does: missing(func(m *model) { m.counts = 5 }), starting: []int{codeDiffers, codeNoAnswer},
		},
		{
			name: "activate", calls: 50, args: named("activate"),
			does: missing(func(m *model) { m.paused = false }), starting: []int{codeDiffers, codeNoAnswer},
		},
		{
			name: "replace", calls: 140, args: replaceArgs,
			does: func(m model) (model, int) {
				return model{exists: true, counts: 4, paused: m.exists && m.paused}, codeDone
			},
		},
	}
}

// outcomes are all ways in which the model explains two commands at the same
// time: one after the other, in either order, each as it is, or refused without
// effect.
func outcomes(from model, a, b raced) map[string]bool {
	all := map[string]bool{}
	add := func(codeA, codeB int, m model) { all[fmt.Sprintf("%d %d: %s", codeA, codeB, m)] = true }
	type end struct {
		m    model
		code int
	}
	ends := func(m model, r raced) []end {
		after, code := r.does(m)
		list := []end{{after, code}, {m, codeBusy}}
		if m.exists {
			for _, code := range r.starting {
				list = append(list, end{m, code})
			}
		}
		return list
	}
	for _, first := range ends(from, a) {
		for _, then := range ends(first.m, b) {
			add(first.code, then.code, then.m)
		}
	}
	for _, first := range ends(from, b) {
		for _, then := range ends(first.m, a) {
			add(then.code, first.code, then.m)
		}
	}
	// That both refuse each other is no outcome: the claim is somebody's.
	delete(all, fmt.Sprintf("%d %d: %s", codeBusy, codeBusy, from))
	return all
}

// seen is the topology as it is.
func (c *cluster) seen() model {
	c.t.Helper()
	if c.job() == nil {
		return model{}
	}
	shape := c.shape()
	m := model{exists: true, paused: strings.HasPrefix(shape, "PAUSED")}
	if path := c.root + "/pplans/" + c.topology; slices.Contains(c.nodes(), path) {
		m.paused = planState(c.t, c.node(path)) == "PAUSED"
	}
	_, counts, _ := strings.Cut(shape, "count:")
	if _, err := fmt.Sscanf(counts, "%d", &m.counts); err != nil {
		c.t.Fatalf("%s: %v", shape, err)
	}
	return m
}

// Two commands at the same time, each pair of them: the second one begins when
// the first one has made a number of its calls, a different one each time. What
// they end with, and what there is then, must be what the model says of the two
// one after the other, where one that finds the claim taken does nothing. After
// that a kill leaves nothing.
func TestRaceMatrix(t *testing.T) {
	t.Parallel()
	seed := testenv.Seed(t, "HERON_RACE_SEED")
	list := racedCommands()
	type pair struct{ a, b raced }
	var pairs []pair
	for i := range list {
		for j := i; j < len(list); j++ {
			pairs = append(pairs, pair{list[i], list[j]})
		}
	}
	random := rand.New(rand.NewPCG(seed, 20))
	random.Shuffle(len(pairs), func(i, j int) { pairs[i], pairs[j] = pairs[j], pairs[i] })
	for _, p := range pairs[:testenv.Times(3, len(pairs))] {
		// Each run has its own numbers, whatever runs beside it.
		random := rand.New(rand.NewPCG(seed, uint64(len(p.a.name)*100+len(p.b.name))))
		t.Run(p.a.name+"-"+p.b.name, func(t *testing.T) {
			t.Parallel()
			w := watchedCluster(t)
			for range testenv.Times(1, 20) {
				w.race(p.a, p.b, random.Float64(), random.IntN(2) == 0)
			}
		})
	}
}

// race runs two commands on a topology that gives both something to do, the
// second one from the part of the first one's calls that share says.
func (w *watched) race(a, b raced, share float64, swap bool) {
	w.t.Helper()
	if swap {
		a, b = b, a
	}
	from := model{}
	switch {
	case a.name == "submit" && b.name == "submit":
	case a.name == "activate" || b.name == "activate":
		w.want(w.submit("--wait", "--deploy-deactivated"), 0)
		from = model{exists: true, counts: 3, paused: true}
	default:
		submitted(w.cluster)
		from = model{exists: true, counts: 3}
	}
	call := 1 + int(share*float64(a.calls))
	var second *running
	first, calls := w.counted(func() *running { return w.start(a.args(w.cluster)...) }, call, func(*running) {
		second = w.start(b.args(w.cluster)...)
	})
	if second == nil { // the first one made fewer calls
		second = w.start(b.args(w.cluster)...)
	}
	other := second.wait(w.t)
	allowed := outcomes(from, a, b)
	got := ""
	ok := within(w.t, func() bool {
		got = fmt.Sprintf("%d %d: %s", first.code, other.code, w.seen())
		return allowed[got]
	})
	w.t.Logf("%s, and %s from call %d of %d on: %s", a.name, b.name, call, calls, got)
	if !ok {
		w.t.Errorf("from %s, %s and %s from its call %d on ended with %s; the model knows %v\n%s\n%s", from, a.name, b.name, call, got, allowed, first, other)
	}
	w.want(w.kill("--ignore-missing", "--lock-timeout", "30s"), 0)
	w.nothingLeft()
}
