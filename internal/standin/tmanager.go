package standin

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/heron-nomad/heron/internal/heronpb"
)

// tmanager is one life of a topology's TManager, a process of its own: on
// whatever goes wrong it exits and the executor starts another.
type tmanager struct {
	topology, topologyID             string
	connection, root                 string
	host                             string
	server, controller, stats        string
	establishTimes, establishSeconds int
	knobs                            knobs
	log                              *log.Logger
}

// parseTManagerFlags reads the real TManager's --name=value flags, as far as
// the stand-in needs them.
func parseTManagerFlags(args []string) (*tmanager, error) {
	f := map[string]string{}
	for _, arg := range args {
		name, value, ok := strings.Cut(strings.TrimPrefix(arg, "--"), "=")
		if !ok || !strings.HasPrefix(arg, "--") {
			return nil, fmt.Errorf("unexpected argument %q", arg)
		}
		f[name] = value
	}
	for _, name := range []string{
		"topology_name", "topology_id", "zkhostportlist", "zkroot", "myhost",
		"server_port", "controller_port", "stats_port", "config_file", "override_config_file",
	} {
		if f[name] == "" {
			return nil, fmt.Errorf("missing option --%s", name)
		}
	}
	t := &tmanager{
		topology: f["topology_name"], topologyID: f["topology_id"],
		connection: f["zkhostportlist"], root: f["zkroot"], host: f["myhost"],
		server: f["server_port"], controller: f["controller_port"], stats: f["stats_port"],
	}
	config, err := readOverridden(f["config_file"], f["override_config_file"])
	if err != nil {
		return nil, err
	}
	if t.establishTimes, err = number32(config, "heron.tmanager.establish.retry.times"); err != nil {
		return nil, err
	}
	t.establishSeconds, err = number32(config, "heron.tmanager.establish.retry.interval.sec")
	return t, err
}

func number32(config map[string]any, key string) (int, error) {
	n, err := strconv.Atoi(fmt.Sprint(config[key]))
	if err != nil {
		return 0, fmt.Errorf("%s: %v is not a whole number", key, config[key])
	}
	return n, nil
}

// run lives until ctx ends, which is nil, or until something is fatal. The
// session is closed only in the first case, unless the knobs say otherwise.
func (t *tmanager) run(parent context.Context) (err error) {
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	s, err := openState(ctx, t.connection, t.root, t.knobs.sessionTimeout, t.log)
	if err != nil {
		return err
	}
	defer func() {
		if parent.Err() != nil || t.knobs.closeSession {
			s.close()
		}
	}()
	plans := s.watch(ctx, packingPlanPath(t.topology))
	packing, err := t.firstPlan(ctx, plans)
	if err != nil {
		return err
	}
	if err := t.establish(ctx, s, cancel); err != nil {
		return err
	}
	t.log.Print("Successfully set ourselves as server")
	a, err := t.assemble(s, packing)
	if err != nil {
		return err
	}
	wait, err := t.listen(ctx, a, cancel)
	if err != nil {
		return err
	}
	if err = t.nextPlan(ctx, plans); err == nil {
		t.log.Print("Packing plan changed. Deleting physical plan and restarting TManager to reset internal state. Exiting.")
		err = fatal{errors.New("the packing plan changed")}
		if failed := s.delete(physicalPlanPath(t.topology)); failed != nil && !errors.Is(failed, errAbsent) {
			err = errors.Join(err, failed)
		}
	}
	if parent.Err() != nil {
		err = nil
	}
	cancel(err)
	wait()
	return err
}

// firstPlan waits until there is a packing plan.
func (t *tmanager) firstPlan(ctx context.Context, plans <-chan snapshot) (*heronpb.PackingPlan, error) {
	for {
		select {
		case now, ok := <-plans:
			if !ok {
				return nil, ctx.Err()
			}
			if !now.present {
				t.log.Print("PackingPlan Fetch failed: there is none; waiting")
				continue
			}
			packing := &heronpb.PackingPlan{}
			if err := proto.Unmarshal(now.data, packing); err != nil {
				return nil, fatal{fmt.Errorf("decode the stored packing plan: %w", err)}
			}
			t.log.Printf("Fetched PackingPlan of %d containers.", len(packing.GetContainerPlans()))
			return packing, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// nextPlan waits for a packing plan written after the first, be it equal to
// it. One that goes away is waited for.
func (t *tmanager) nextPlan(ctx context.Context, plans <-chan snapshot) error {
	for {
		select {
		case now, ok := <-plans:
			if ok && now.present {
				return nil
			}
			if !ok {
				return context.Cause(ctx)
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// establish makes the location node. While one of an earlier life is there
// it tries again; when that goes, it exits, as it does whenever the location
// changes later.
func (t *tmanager) establish(ctx context.Context, s state, cancel context.CancelCauseFunc) error {
	data, err := proto.Marshal(&heronpb.TManagerLocation{
		TopologyName: &t.topology, TopologyId: &t.topologyID, Host: &t.host,
		ControllerPort: portNumber(t.controller), ServerPort: portNumber(t.server), StatsPort: portNumber(t.stats),
	})
	if err != nil {
		return fatal{err}
	}
	watching := false
	for attempt := 1; ; attempt++ {
		err := s.create(tmanagerPath(t.topology), data, true)
		if err == nil || errors.Is(err, errExists) {
			if !watching {
				watching = true
				changes := s.watch(ctx, tmanagerPath(t.topology))
				if now := <-changes; !now.present && ctx.Err() == nil {
					return fatal{errors.New("lost tmanager location in zk state manager")}
				}
				go func() {
					if _, ok := <-changes; ok {
						cancel(fatal{errors.New("lost tmanager location in zk state manager")})
					}
				}()
			}
			if err == nil {
				return nil
			}
		}
		if !errors.Is(err, errExists) || attempt >= t.establishTimes {
			return fatal{fmt.Errorf("setting ourselves as TManager: %w", err)}
		}
		t.log.Print("Topology Manager node already exists. Maybe its because of our restart. Will try again")
		if !pause(ctx, time.Duration(t.establishSeconds)*time.Second) {
			return context.Cause(ctx)
		}
	}
}

// portNumber takes ports that the executor's flag parser has checked.
func portNumber(port string) *int32 {
	n, _ := strconv.ParseInt(port, 10, 32)
	return proto.Int32(int32(n))
}

// assemble reads the stored topology and a physical plan that may be left.
func (t *tmanager) assemble(s state, packing *heronpb.PackingPlan) (*assembly, error) {
	data, err := s.get(topologyPath(t.topology))
	if err != nil {
		return nil, fatal{fmt.Errorf("getting the topology: %w", err)}
	}
	topology := &heronpb.Topology{}
	if err := proto.Unmarshal(data, topology); err != nil {
		return nil, fatal{fmt.Errorf("decode the stored topology: %w", err)}
	}
	if topology.GetName() != t.topology || topology.GetId() != t.topologyID {
		return nil, fatal{fmt.Errorf("expected topology %s with id %s, the state has %s with id %s",
			t.topology, t.topologyID, topology.GetName(), topology.GetId())}
	}
	t.log.Print("Topology read and validated")
	var existing *heronpb.PhysicalPlan
	switch data, err := s.get(physicalPlanPath(t.topology)); {
	case err == nil:
		t.log.Print("There was an existing physical plan")
		existing = &heronpb.PhysicalPlan{}
		if err := proto.Unmarshal(data, existing); err != nil {
			return nil, fatal{fmt.Errorf("decode the stored physical plan: %w", err)}
		}
	case errors.Is(err, errAbsent):
		t.log.Print("There was no existing physical plan")
	default:
		return nil, fatal{fmt.Errorf("getting the physical plan: %w", err)}
	}
	return newAssembly(s, packing, topology, existing, t.log), nil
}

// listen opens the ports.
func (t *tmanager) listen(ctx context.Context, a *assembly, cancel context.CancelCauseFunc) (wait func(), err error) {
	c := &controller{topologyID: t.topologyID, stateful: effectivelyOnce(a.topology), assembly: a, die: cancel}
	var waits []func()
	for _, p := range []struct {
		name, port string
		serve      func(net.Conn)
	}{
		{"server", t.server, func(conn net.Conn) { t.member(newLink(conn), a, cancel) }},
		{"tmanager-controller", t.controller, c.serve},
		{"tmanager-stats", t.stats, hold},
	} {
		w, err := listenAll(ctx, p.name, p.port, p.serve)
		if err != nil && p.port == t.controller {
			err = fmt.Errorf("Check failed: http_server_->Start(): %w", err) //nolint:staticcheck // the engine's own words
		}
		if err != nil {
			return nil, fatal{err}
		}
		waits = append(waits, w)
	}
	t.log.Printf("Listening on ports %s (server), %s (controller), %s (stats)", t.server, t.controller, t.stats)
	return func() {
		for _, w := range waits {
			w()
		}
	}, nil
}

func effectivelyOnce(t *heronpb.Topology) bool {
	for _, kv := range t.GetTopologyConfig().GetKvs() {
		if kv.GetKey() == "topology.reliability.mode" {
			return kv.GetValue() == "EFFECTIVELY_ONCE"
		}
	}
	return false
}

// member serves one stream manager for as long as it is connected and sends
// heartbeats.
func (t *tmanager) member(l *link, a *assembly, cancel context.CancelCauseFunc) {
	first, err := l.receive(dialLimit)
	if err != nil {
		return
	}
	m := &member{stmgr: &heronpb.StMgr{}, send: l.send}
	if err := proto.Unmarshal(first.StMgr, m.stmgr); err != nil {
		t.log.Printf("Invalid registration: %v", err)
		return
	}
	for _, data := range first.Instances {
		i := &heronpb.Instance{}
		if err := proto.Unmarshal(data, i); err != nil {
			t.log.Printf("Invalid registration of %s: %v", m.stmgr.GetId(), err)
			return
		}
		m.instances = append(m.instances, i)
	}
	refused, err := a.register(m)
	if err != nil {
		cancel(err)
		return
	}
	if refused != "" {
		if err := l.send(message{Refused: refused}); err != nil {
			t.log.Printf("Refusing %s: %v", m.stmgr.GetId(), err)
		}
		return
	}
	defer a.leave(m)
	for {
		if _, err := l.receive(heartbeatLimit); err != nil {
			return
		}
	}
}
