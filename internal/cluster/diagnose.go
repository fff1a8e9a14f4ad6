package cluster

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/heron-nomad/heron/internal/nomad"
	"github.com/heron-nomad/heron/internal/tmanager"
)

// Diagnosis is what can be found out about a topology that has no complete
// physical plan. Nomad sees nothing of a process that dies inside a container:
// the executor starts it again.
type Diagnosis struct {
	// TManager is "absent" (none is registered), "unreachable" (none answers
	// there), "incomplete" (it waits for stream managers), "complete", or
	// "unasked".
	TManager string `json:"tmanager"`
	// Missing are the containers of the packing plan whose stream managers have
	// not registered with the TManager, as far as its log tells.
	Missing []int `json:"missing_stream_managers"`
	// NotRunning are the containers of the packing plan that do not run.
	NotRunning []int `json:"containers_not_running"`
	// Failures are the containers whose program has ended by itself, be it that
	// they run again.
	Failures []ContainerFailure `json:"container_failures"`
	// Restarts are processes that executors have started again.
	Restarts []ProcessRestarts `json:"process_restarts"`
	// Output are the last lines of failed containers, and those that matter of the
	// TManager's log.
	Output []nomad.ContainerOutput `json:"output"`
	// Look says where the logs are, where they could not be read; "" where they
	// were.
	Look string `json:"look,omitempty"`

	// Why is what the first container that does not run last did, for String.
	Why string `json:"-"`
}

// ProcessRestarts is how often an executor has seen a process end, as far back
// as was read of its log.
type ProcessRestarts struct {
	Container int    `json:"container"`
	Process   string `json:"process"`
	Times     int    `json:"times"`
	// Status is how it ended last, as "exit code 1".
	Status string `json:"status"`
}

// String says what matters in one sentence.
func (d Diagnosis) String() string {
	var parts []string
	switch d.TManager {
	case "absent":
		parts = append(parts, "no TManager is registered")
	case "unreachable":
		parts = append(parts, "the registered TManager does not answer")
	}
	if found := d.Findings(); found != "" {
		parts = append(parts, found)
	}
	return strings.Join(parts, "; ")
}

// after is String behind a sentence that may say that no TManager has
// registered.
func (d Diagnosis) after(said string) string {
	if d.TManager == "absent" && said == noTManager {
		return d.Findings()
	}
	return d.String()
}

// Findings is String without what the TManager answers.
func (d Diagnosis) Findings() string {
	var parts []string
	if len(d.NotRunning) > 0 {
		parts = append(parts, "not running: "+named(d.NotRunning)+d.Why)
	}
	if len(d.Missing) > 0 {
		parts = append(parts, "the stream managers of these containers have not registered: "+Ranges(d.Missing))
	}
	for _, f := range d.Failures {
		parts = append(parts, f.String())
	}
	for _, r := range d.Restarts {
		parts = append(parts, fmt.Sprintf("in container %d the executor has seen %s end %s, the last time with %s", r.Container, r.Process, nomad.Times(r.Times), r.Status))
	}
	for _, o := range d.Output {
		parts = append(parts, says(o))
	}
	if d.Look != "" {
		parts = append(parts, d.Look)
	}
	return strings.Join(parts, "; ")
}

// named are containers for a person.
func named(indexes []int) string {
	if len(indexes) == 1 {
		return fmt.Sprintf("container %d", indexes[0])
	}
	return "containers " + Ranges(indexes)
}

// lastOf is what a container that does not run last did, in brackets, "" where
// that is not known.
func lastOf(x nomad.Container) string {
	what := x.Failure
	if what == "" {
		what = x.Event
	}
	if what == "" {
		return ""
	}
	return fmt.Sprintf(" (container %d: %s)", x.Index, what)
}

// diagnosedContainers is in how many containers, besides that of the TManager,
// logs are read.
const diagnosedContainers = 3

// Diagnose finds out why a topology has no complete physical plan. It changes
// nothing, and what cannot be read is left out.
func (c Cluster) Diagnose(ctx context.Context, r Running) Diagnosis {
	return c.DiagnoseAnswer(ctx, r, c.answerOf(ctx, r))
}

// DiagnoseAnswer is Diagnose where it is known how the TManager answers.
func (c Cluster) DiagnoseAnswer(ctx context.Context, r Running, answer string) Diagnosis {
	d := Diagnosis{TManager: answer, Missing: []int{}, NotRunning: []int{}, Failures: []ContainerFailure{}, Restarts: []ProcessRestarts{}, Output: []nomad.ContainerOutput{}}
	packed := c.packed(ctx, r.Name)
	list, err := c.Jobs.Containers(ctx, r.JobID)
	if err != nil {
		d.Look = fmt.Sprintf("its containers cannot be listed: %v", err)
		return d
	}
	running, last := map[int]nomad.Container{}, map[int]nomad.Container{}
	for _, x := range list {
		last[x.Index] = x
		if x.Running() {
			running[x.Index] = x
		}
	}
	for _, index := range append([]int{0}, packed...) {
		if _, ok := running[index]; !ok {
			d.NotRunning = append(d.NotRunning, index)
		}
	}
	d.Failures = failuresIn(slices.DeleteFunc(list, func(x nomad.Container) bool { return x.Index != 0 && !slices.Contains(packed, x.Index) }))
	d.Output = append(d.Output, c.lastLines(ctx, d.Failures)...)
	if len(d.NotRunning) > 0 && !slices.ContainsFunc(d.Failures, func(f ContainerFailure) bool { return f.Container == d.NotRunning[0] }) {
		d.Why = lastOf(last[d.NotRunning[0]])
	}
	if dir := c.Settings.Nomad.WorkingDir; dir != "" {
		d.Look = fmt.Sprintf("the logs are not in Nomad's folders: look in %s on %s", path.Join(dir, "container-0", "log-files"), running[0].Node)
		return d
	}
	manager, ok := running[0]
	if !ok {
		return d
	}
	log, err := c.Jobs.ProgramLog(ctx, ref(manager), nomad.TManager)
	if err != nil {
		d.Look = fmt.Sprintf("its logs cannot be read: %v", err)
		return d
	}
	if d.TManager == "incomplete" {
		d.Missing = unregistered(packed, log.Lines)
	}
	suspects := []nomad.Container{manager}
	for _, index := range d.Missing {
		if x, ok := running[index]; ok && len(suspects) <= diagnosedContainers {
			suspects = append(suspects, x)
		}
	}
	executors := c.executorLogs(ctx, suspects)
	for _, o := range executors {
		d.Restarts = append(d.Restarts, restartsIn(o)...)
	}
	if d.TManager == "complete" {
		return d
	}
	if log.Lines = lastThatMatter(lastRuns(log.Lines)); len(log.Lines) == 0 {
		log = executors[0]
		log.Lines = lastThatMatter(linesOf(log.Lines, nomad.TManager))
	}
	if len(log.Lines) > 0 {
		d.Output = append(d.Output, log)
	}
	return d
}

// answerOf says how the TManager answers.
func (c Cluster) answerOf(ctx context.Context, r Running) string {
	at, err := c.FindTManager(ctx, r.Name, r.ID)
	switch {
	case errors.Is(err, ErrNoTManager):
		return "absent"
	case err != nil || c.TManager == nil:
		return "unasked"
	}
	switch _, err = c.TManager.PhysicalPlan(ctx, at); {
	case err == nil:
		return "complete"
	case errors.Is(err, tmanager.ErrNoPlan):
		return "incomplete"
	}
	return "unreachable"
}

// packed are the containers of the packing plan, none where it is not known.
func (c Cluster) packed(ctx context.Context, name string) (indexes []int) {
	node, err := c.State.Read(ctx, c.State.PackingPlan(name))
	if err != nil {
		return nil
	}
	plan, err := packingPlan(node)
	if err != nil {
		return nil
	}
	for _, p := range plan.GetContainerPlans() {
		indexes = append(indexes, int(p.GetId()))
	}
	slices.Sort(indexes)
	return indexes
}

// executorLogs are the logs of the executors of containers, in their order;
// without lines where they cannot be read.
func (c Cluster) executorLogs(ctx context.Context, containers []nomad.Container) []nomad.ContainerOutput {
	logs := make([]nomad.ContainerOutput, len(containers))
	var group errgroup.Group
	var mu sync.Mutex
	for i, x := range containers {
		group.Go(func() error {
			log, err := c.Jobs.ProgramLog(ctx, ref(x), nomad.Executor)
			if err != nil {
				return nil //nolint:nilerr // what cannot be read is left out
			}
			mu.Lock()
			defer mu.Unlock()
			logs[i] = log
			return nil
		})
	}
	_ = group.Wait() // it has no errors
	return logs
}

func ref(x nomad.Container) nomad.AllocationRef {
	return nomad.AllocationRef{JobID: x.JobID, Index: x.Index, ID: x.ID, Node: x.Node, Status: x.Status}
}
