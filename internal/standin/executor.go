package standin

import (
	"context"
	"fmt"
	"log"
	"os"
	"sync"
	"sync/atomic"

	"google.golang.org/protobuf/proto"

	"github.com/heron-nomad/heron/internal/heronpb"
)

// executor runs what its container is to run, by the packing plan: the
// TManager in container 0, a stream manager in the others, nothing but the
// shell port in a container that the plan does not know.
type executor struct {
	flags flags
	setup setup
	knobs knobs
	host  string
	state state
	log   *log.Logger

	// fail ends the executor.
	fail context.CancelCauseFunc
	// support is what starts once, with the container's first part in a
	// plan, and ends when the container leaves the plan.
	support *task
	// stream is the stream manager, which starts anew with every plan.
	stream *task
	// part is the container's part in the packing plan, nil in container 0.
	part atomic.Pointer[heronpb.ContainerPlan]
}

// task is something that runs beside the executor's loop.
type task struct {
	cancel context.CancelFunc
	done   sync.WaitGroup
}

func (t *task) stop() {
	if t != nil {
		t.cancel()
		t.done.Wait()
	}
}

// run follows the packing plan until ctx ends or something fails.
func (e *executor) run(ctx context.Context) error {
	ctx, e.fail = context.WithCancelCause(ctx)
	defer e.fail(nil)
	wait, err := listenAll(ctx, "shell", e.flags["shell-port"], shell(e.fail))
	if err != nil {
		return err
	}
	defer wait()
	defer e.fail(nil)
	defer func() { e.stream.stop(); e.support.stop() }()
	plans := e.state.watch(ctx, packingPlanPath(e.flags["topology-name"]))
	var current *heronpb.PackingPlan
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case now, ok := <-plans:
			if !ok || !now.present {
				if ok {
					e.log.Print("There is no packing plan; waiting for one")
				}
				continue
			}
			plan := &heronpb.PackingPlan{}
			if err := proto.Unmarshal(now.data, plan); err != nil {
				return fmt.Errorf("decode the stored packing plan: %w", err)
			}
			if proto.Equal(plan, current) {
				e.log.Print("State watch triggered for PackingPlan update but plan not changed so not relaunching.")
				continue
			}
			e.log.Printf("PackingPlan change detected on shard %d, relaunching effected processes.", e.flags.shard())
			current = plan
			if err := e.launch(ctx, plan); err != nil {
				return err
			}
		}
	}
}

// launch makes what runs what the plan says.
func (e *executor) launch(ctx context.Context, plan *heronpb.PackingPlan) error {
	shard := e.flags.shard()
	var part *heronpb.ContainerPlan
	for _, c := range plan.GetContainerPlans() {
		if int(c.GetId()) == shard {
			part = c
		}
	}
	if shard != 0 {
		e.stream.stop()
		e.stream = nil
	}
	if shard != 0 && part == nil || len(plan.GetContainerPlans()) == 0 {
		e.support.stop()
		e.support = nil
		e.log.Printf("Container %d is not in the packing plan of %d containers: idle", shard, len(plan.GetContainerPlans()))
		return nil
	}
	e.part.Store(part)
	if e.support == nil {
		if err := e.startSupport(ctx); err != nil {
			return err
		}
	}
	if shard == 0 {
		return nil
	}
	if e.knobs.fails(failNeverRegister, shard) {
		e.log.Print("The stream manager does not register: HERON_STANDIN_FAIL asks for it")
		return nil
	}
	if err := writePID(stmgrID(shard), os.Getpid()); err != nil {
		return err
	}
	e.log.Printf("Running %s process", stmgrID(shard))
	e.stream = e.start(ctx, func(ctx context.Context) error { return e.runStmgr(ctx, part) })
	return nil
}

// runStmgr is one life of the stream manager, with its log.
func (e *executor) runStmgr(ctx context.Context, part *heronpb.ContainerPlan) error {
	file, err := openGlog(e.setup.logDir, "heron-stmgr-"+stmgrID(e.flags.shard()))
	if err != nil {
		return err
	}
	defer file.Close()
	m, err := newStmgr(e.flags, e.host, part, e.state, e.setup.logDir, newLogger(file))
	if err != nil {
		return err
	}
	m.lineEvery, m.logLimit = e.knobs.lineEvery, e.knobs.logLimit
	return m.run(ctx)
}

// startSupport opens the ports that do not depend on the plan, and in
// container 0 starts the TManager.
func (e *executor) startSupport(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	e.support = &task{cancel: cancel}
	ports := map[string]string{"metrics-manager": e.flags["metrics-manager-port"]}
	if e.flags.stateful() {
		ports["checkpoint-manager"] = e.flags["checkpoint-manager-port"]
	}
	for name, port := range ports {
		wait, err := listenAll(ctx, name, port, hold)
		if err != nil {
			return err
		}
		e.support.done.Go(wait)
	}
	if e.setup.sink != nil {
		wait, err := serveMetrics(ctx, e.setup.sink, e.flags, e.part.Load)
		if err != nil {
			return err
		}
		e.support.done.Go(wait)
	}
	if e.flags.shard() == 0 {
		if e.knobs.fails(failPortTaken, 0) {
			wait, err := listenAll(ctx, "tmanager-controller", e.flags["tmanager-controller-port"], hold)
			if err != nil {
				return err
			}
			e.support.done.Go(wait)
		}
		e.support.done.Go(func() { e.report(ctx, e.superviseTManager(ctx)) })
	}
	return nil
}

// start runs f beside the loop; its error ends the executor.
func (e *executor) start(ctx context.Context, f func(context.Context) error) *task {
	ctx, cancel := context.WithCancel(ctx)
	t := &task{cancel: cancel}
	t.done.Go(func() { e.report(ctx, f(ctx)) })
	return t
}

func (e *executor) report(ctx context.Context, err error) {
	if err != nil && ctx.Err() == nil {
		e.fail(err)
	}
}

// tmanagerArgs is the TManager's command line, by the real one's flag names.
func (e *executor) tmanagerArgs() []string {
	f := e.flags
	connection := e.setup.state.connection
	if !e.setup.state.zooKeeper {
		connection = localMode
	}
	return []string{
		"--topology_name=" + f["topology-name"],
		"--topology_id=" + f["topology-id"],
		"--zkhostportlist=" + connection,
		// Not the root of statemgr.yaml: the real executor passes its flag on.
		"--zkroot=" + f["state-manager-root"],
		"--myhost=" + e.host,
		"--server_port=" + f["server-port"],
		"--controller_port=" + f["tmanager-controller-port"],
		"--stats_port=" + f["tmanager-stats-port"],
		"--config_file=" + f["heron-internals-config-file"],
		"--override_config_file=" + f["override-config-file"],
		"--metrics_sinks_yaml=" + f["metrics-sinks-config-file"],
		"--metricsmgr_port=" + f["metrics-manager-port"],
		"--ckptmgr_port=" + f["checkpoint-manager-port"],
	}
}
