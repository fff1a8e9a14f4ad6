package standin

import (
	"errors"
	"fmt"
	"log"
	"maps"
	"slices"
	"strconv"
	"sync"

	"google.golang.org/protobuf/proto"

	"github.com/heron-nomad/heron/internal/heronpb"
)

// fatal is why a TManager exits by itself.
type fatal struct{ err error }

func (f fatal) Error() string { return f.err.Error() }
func (f fatal) Unwrap() error { return f.err }

// member is a stream manager that is connected.
type member struct {
	stmgr     *heronpb.StMgr
	instances []*heronpb.Instance
	send      func(message) error
}

// assembly makes the physical plan of the stream managers that have
// registered, stores it, and keeps who is there. Only what it stored counts
// as the plan.
type assembly struct {
	state    state
	path     string
	topology *heronpb.Topology
	log      *log.Logger
	// tasks is how many instances the packing plan has.
	tasks int

	mu      sync.Mutex
	plan    *heronpb.PhysicalPlan // nil until there is one
	members map[string]*member
	absent  map[string]bool
}

// newAssembly expects the stream managers of the packing plan. An existing
// physical plan, nil if there is none, is taken on with its topology: state
// and runtime configuration in it count.
func newAssembly(s state, packing *heronpb.PackingPlan, topology *heronpb.Topology, existing *heronpb.PhysicalPlan, logger *log.Logger) *assembly {
	a := &assembly{
		state: s, path: physicalPlanPath(topology.GetName()), topology: topology, log: logger,
		plan: existing, members: map[string]*member{}, absent: map[string]bool{},
	}
	for _, c := range packing.GetContainerPlans() {
		a.absent[stmgrID(int(c.GetId()))] = true
		a.tasks += len(c.GetInstancePlans())
	}
	return a
}

func stmgrID(shard int) string { return "stmgr-" + strconv.Itoa(shard) }

// register takes a stream manager in. refused is for the stream manager, a
// fatal error for the TManager.
func (a *assembly) register(m *member) (refused string, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	id := m.stmgr.GetId()
	a.log.Printf("Got a register stream manager request from %s", id)
	switch {
	case a.members[id] != nil:
		a.log.Printf("Another stream manager %s exists and it hasn't timed out", id)
		return "Duplicate StreamManager", nil
	case !a.absent[id]:
		a.log.Printf("We were not expecting stream manager %s", id)
		return "Invalid StreamManager", nil
	}
	a.members[id] = m
	delete(a.absent, id)
	if len(a.absent) > 0 {
		return "", nil
	}
	a.log.Print("All stream managers have connected with us")
	plan, err := a.make()
	if err != nil {
		return "", fatal{err}
	}
	return "", a.store(plan)
}

// leave notes that a stream manager's connection has ended. It changes
// nothing in the state.
func (a *assembly) leave(m *member) {
	a.mu.Lock()
	defer a.mu.Unlock()
	id := m.stmgr.GetId()
	if a.members[id] != m {
		return
	}
	a.log.Printf("StMgr %s disconnected from us", id)
	delete(a.members, id)
	a.absent[id] = true
}

// make joins the members' parts. With a plan already there only the stream
// managers change, for they may have moved.
func (a *assembly) make() (*heronpb.PhysicalPlan, error) {
	plan := &heronpb.PhysicalPlan{Topology: proto.CloneOf(a.topology)}
	here := map[string]string{}
	for _, id := range slices.Sorted(maps.Keys(a.members)) {
		m := a.members[id]
		plan.Stmgrs = append(plan.Stmgrs, m.stmgr)
		plan.Instances = append(plan.Instances, m.instances...)
		for _, i := range m.instances {
			here[i.GetInstanceId()] = id
		}
	}
	if len(plan.GetInstances()) != a.tasks {
		return nil, fmt.Errorf("packing plan and stream managers mismatch: %d instances, %d registered", a.tasks, len(plan.GetInstances()))
	}
	if a.plan == nil {
		return plan, nil
	}
	for _, i := range a.plan.GetInstances() {
		if here[i.GetInstanceId()] != i.GetStmgrId() {
			return nil, fmt.Errorf("physical plan and stream managers mismatch at instance %s", i.GetInstanceId())
		}
	}
	plan.Topology = proto.CloneOf(a.plan.GetTopology())
	plan.Instances = a.plan.GetInstances()
	return plan, nil
}

// store writes plan, and on success makes it the plan and tells everybody.
// What cannot be written is fatal.
func (a *assembly) store(plan *heronpb.PhysicalPlan) error {
	data, err := proto.Marshal(plan)
	if err != nil {
		return fatal{err}
	}
	if a.plan == nil {
		err = a.state.create(a.path, data, false)
	} else {
		err = a.state.set(a.path, data)
	}
	if err != nil {
		return fatal{fmt.Errorf("error writing assignment to statemgr: %w", err)}
	}
	a.log.Print("Successfully wrote new assignment to state")
	a.plan = plan
	for id, m := range a.members {
		if err := m.send(message{Plan: data}); err != nil {
			a.log.Printf("Sending the physical plan to %s: %v", id, err)
		}
	}
	return nil
}

// complete is the stored plan while all of its stream managers are there.
func (a *assembly) complete() ([]byte, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.absent) > 0 || a.plan == nil {
		return nil, false
	}
	data, err := proto.Marshal(a.plan)
	return data, err == nil
}

// ready says whether there is a plan at all.
func (a *assembly) ready() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.plan != nil
}

// What a change of the plan's topology is refused for.
var (
	errState   = errors.New("the topology is not in the state to change from")
	errUnknown = errors.New("unknown component")
)

// setState moves the topology from one state to another, in the physical
// plan only.
func (a *assembly) setState(from, to heronpb.TopologyState) error {
	return a.change(func(t *heronpb.Topology) error {
		if t.GetState() != from {
			return errState
		}
		t.State = to.Enum()
		return nil
	})
}

// configure sets runtime configuration, in the physical plan only.
func (a *assembly) configure(c runtimeConfig) error {
	return a.change(func(t *heronpb.Topology) error {
		if !c.known(t) {
			return errUnknown
		}
		c.apply(t)
		return nil
	})
}

func (a *assembly) change(f func(*heronpb.Topology) error) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	plan := proto.CloneOf(a.plan)
	if err := f(plan.GetTopology()); err != nil {
		return err
	}
	return a.store(plan)
}
