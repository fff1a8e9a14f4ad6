package topology

import (
	"fmt"
	"math"
	"sort"
	"strconv"
	"strings"
	"unicode"

	"github.com/heron-nomad/heron/internal/heronpb"
)

// MaxInstances is the largest number of instances, and of containers, that a
// topology may have. The plan of far fewer fills a node of ZooKeeper, and just
// to compute one of a thousand million would take all memory of an API server.
const MaxInstances = 100_000

// Rules say what beyond a topology's own rules a definition must keep. The
// zero value adds nothing.
type Rules struct {
	// Nomad asks for a name, an id and names of components that a Nomad job, its
	// state node and its files can have; Cluster is the other part of the job's
	// id.
	Nomad   bool
	Cluster string
	// ServiceNames asks for a name from which a metrics service can be named,
	// in Consul or in Nomad's own catalog, up to container index MaxIndex; 0
	// means the number of containers that the program asked for.
	ServiceNames bool
	MaxIndex     int
}

// Validate checks a definition against the rules of Heron's own client, what
// every deployment needs, and rules. The error is an *InvalidError with all
// that is wrong.
func Validate(d *Definition, rules Rules) error {
	problems := inherited(d)
	problems = append(problems, required(d)...)
	if rules.Nomad {
		problems = append(problems, nomadProblems(d, rules.Cluster)...)
	}
	if rules.ServiceNames {
		problems = append(problems, serviceName(d, rules.MaxIndex)...)
	}
	if len(problems) == 0 {
		return nil
	}
	return &InvalidError{Topology: d.Name(), Problems: problems}
}

// inherited holds the rules of Heron's own client: a definition that breaks
// none of them is one that it deploys.
func inherited(d *Definition) []string {
	var problems []string
	add := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	switch name := d.Name(); {
	case name == "":
		add("it has no name: give it one")
	case strings.ContainsAny(name, "./"):
		add(`its name has a "." or "/": leave these out`)
	}
	broken := false
	d.components(func(c *heronpb.Component, _ bool) {
		if _, err := parallelism(c); err != nil {
			broken = true
			add("%v: set it to a whole number from 1 up", err)
		}
	})
	// A map cannot be judged while the components cannot be read.
	if !broken {
		if _, err := d.ResourceMap(KeyComponentRAMMap); err != nil {
			add("%v: %s", err, mapHint)
		}
	}
	outputs := map[string]bool{}
	for _, s := range d.pb.GetSpouts() {
		addStreams(outputs, s.GetOutputs())
	}
	for _, b := range d.pb.GetBolts() {
		addStreams(outputs, b.GetOutputs())
	}
	for _, b := range d.pb.GetBolts() {
		for _, in := range b.GetInputs() {
			if !outputs[streamKey(in.GetStream())] {
				add("bolt %q reads stream %q of component %q, which declares no such output: declare it, or change the input",
					b.GetComp().GetName(), in.GetStream().GetId(), in.GetStream().GetComponentName())
			}
		}
	}
	return problems
}

const mapHint = "write component:value,component:value with names of the topology's components"

func addStreams(set map[string]bool, outputs []*heronpb.OutputStream) {
	for _, o := range outputs {
		set[streamKey(o.GetStream())] = true
	}
}

func streamKey(s *heronpb.StreamId) string { return s.GetComponentName() + "/" + s.GetId() }

// required holds what no deployment can do without and Heron's own client
// does not check, or only after it has written to the state store.
func required(d *Definition) []string {
	var problems []string
	add := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	if id := d.ID(); id == "" || strings.Contains(id, "/") || strings.ContainsFunc(id, unicode.IsControl) {
		add(`its id %q is empty or has a "/" or control characters: leave the id to Heron's API`, id)
	}
	if s := d.State(); s != heronpb.TopologyState_RUNNING && s != heronpb.TopologyState_PAUSED {
		add("its state is %s: deploy it as RUNNING or PAUSED", s)
	}
	if len(d.pb.GetSpouts()) == 0 {
		add("it has no spout: add at least one")
	}
	seen := map[string]int{}
	broken := false
	total := 0
	d.components(func(c *heronpb.Component, _ bool) {
		name := c.GetName()
		seen[name]++
		switch {
		case name == "" && seen[name] == 1:
			add("a component has no name: give it one")
		case name != "" && seen[name] == 2:
			add("two components are called %q: rename one", name)
		case seen[name] == 1 && (strings.ContainsAny(name, ",:/") || strings.ContainsFunc(name, unicode.IsControl)):
			add(`the name of component %q has a ",", ":", "/" or control character, which executors cannot read: rename it`, name)
		}
		n, err := parallelism(c)
		broken = broken || err != nil
		if err == nil && n < 1 {
			add("component %q has parallelism %d: set it to 1 or more", name, n)
		}
		total += max(n, 0)
	})
	if total > MaxInstances {
		add("it has %d instances: let its components have at most %d together", total, MaxInstances)
	}
	if n, err := d.Stmgrs(); err != nil {
		add("%v: set it to the number of containers", err)
	} else if n < 1 {
		add("%s is %d: set it to 1 or more", KeyStmgrs, n)
	} else if n > MaxInstances {
		add("%s is %d: set it to at most %d", KeyStmgrs, n, MaxInstances)
	}
	if _, err := d.Reliability(); err != nil {
		add("%v", err)
	}
	if n, err := d.CheckpointRAM(); err != nil {
		add("%v: set it to a whole number of bytes", err)
	} else if n < 0 {
		add("%s is %d: set it to 0 or more bytes", KeyCkptmgrRAM, n)
	}
	if !broken {
		problems = append(problems, resourceProblems(d)...)
	}
	return problems
}

// resourceProblems looks at what the maps hold; the form of the RAM map is a
// rule of inherited.
func resourceProblems(d *Definition) []string {
	var problems []string
	negative := func(key, component, value string) {
		problems = append(problems, fmt.Sprintf("%s gives component %q %s: give it 0 or more, or take it out", key, component, value))
	}
	cpu, err := d.CPUMap()
	if err != nil {
		problems = append(problems, fmt.Sprintf("%v: %s", err, mapHint))
	}
	for _, name := range sortedKeys(cpu) {
		if v := cpu[name]; !(v >= 0) || math.IsInf(v, 1) {
			negative(KeyComponentCPUMap, name, strconv.FormatFloat(v, 'g', -1, 64)+" cores")
		}
	}
	for _, key := range []string{KeyComponentRAMMap, KeyComponentDiskMap} {
		sizes, err := d.ResourceMap(key)
		if err != nil && key != KeyComponentRAMMap {
			problems = append(problems, fmt.Sprintf("%v: %s", err, mapHint))
		}
		for _, name := range sortedKeys(sizes) {
			if sizes[name] < 0 {
				negative(key, name, strconv.FormatInt(sizes[name], 10)+" bytes")
			}
		}
	}
	return problems
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
