package standin

import (
	"context"
	"fmt"
	"log"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/heron-nomad/heron/internal/heronpb"
)

// reconnect is how long a stream manager waits before it tries the TManager
// again.
const reconnect = time.Second

// stmgr is the stream manager of a container together with its instances,
// of which nothing but log files exists.
type stmgr struct {
	self      *heronpb.StMgr
	topology  string
	id        string // of the topology
	instances []*heronpb.Instance
	state     state
	logDir    string
	log       *log.Logger
	// lineEvery and logLimit are the knob for numbered lines.
	lineEvery time.Duration
	logLimit  int64
	logs      map[string]*instanceLog
}

// newStmgr is the stream manager of the container in its part of the packing
// plan.
func newStmgr(f flags, host string, part *heronpb.ContainerPlan, s state, logDir string, logger *log.Logger) (*stmgr, error) {
	cwd, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	m := &stmgr{
		self: &heronpb.StMgr{
			Id: proto.String(stmgrID(f.shard())), HostName: proto.String(host),
			DataPort: portNumber(f["server-port"]), LocalEndpoint: proto.String("/unused"),
			Cwd: proto.String(cwd), Pid: proto.Int32(int32(os.Getpid())),
			ShellPort: portNumber(f["shell-port"]), LocalDataPort: portNumber(f["tmanager-controller-port"]),
		},
		topology: f["topology-name"], id: f["topology-id"], state: s, logDir: logDir, log: logger,
	}
	for _, i := range part.GetInstancePlans() {
		m.instances = append(m.instances, &heronpb.Instance{
			InstanceId: proto.String(fmt.Sprintf("container_%d_%s_%d", part.GetId(), i.GetComponentName(), i.GetTaskId())),
			StmgrId:    m.self.Id,
			Info: &heronpb.InstanceInfo{
				TaskId: proto.Int32(i.GetTaskId()), ComponentIndex: proto.Int32(i.GetComponentIndex()),
				ComponentName: proto.String(i.GetComponentName()),
			},
		})
	}
	return m, nil
}

// run listens, registers with the TManager and stays connected, again and
// again, until ctx ends.
func (m *stmgr) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for _, p := range []struct {
		name string
		port int32
	}{{"server", m.self.GetDataPort()}, {"tmanager-controller", m.self.GetLocalDataPort()}} {
		wait, err := listenAll(ctx, p.name, strconv.Itoa(int(p.port)), hold)
		if err != nil {
			return err
		}
		defer func() { cancel(); wait() }()
	}
	m.logs = map[string]*instanceLog{}
	for _, i := range m.instances {
		l := &instanceLog{path: filepath.Join(m.logDir, i.GetInstanceId()), limit: m.logLimit}
		m.logs[i.GetInstanceId()] = l
		if m.lineEvery > 0 {
			var counting sync.WaitGroup
			counting.Go(func() {
				if err := l.count(ctx, m.lineEvery); err != nil {
					m.log.Printf("log of %s: %v", i.GetInstanceId(), err)
				}
			})
			defer func() { cancel(); counting.Wait() }()
		}
	}
	locations := m.state.watch(ctx, tmanagerPath(m.topology))
	var at *heronpb.TManagerLocation
	for ctx.Err() == nil {
		if at == nil {
			at = m.location(<-locations)
			continue
		}
		attempt, stop := context.WithCancel(ctx)
		ended := make(chan error, 1)
		go func() { ended <- m.attend(attempt, at) }()
		select {
		case now := <-locations:
			stop()
			if err := <-ended; err != nil {
				m.log.Printf("left TManager at %s:%d: %v", at.GetHost(), at.GetServerPort(), err)
			}
			at = m.location(now)
		case err := <-ended:
			m.log.Printf("TManager at %s:%d: %v", at.GetHost(), at.GetServerPort(), err)
			select {
			case now := <-locations:
				at = m.location(now)
			case <-time.After(reconnect):
			case <-ctx.Done():
			}
		}
		stop()
	}
	return nil
}

// location is where to find the TManager of this topology; nil while it is
// nowhere.
func (m *stmgr) location(now snapshot) *heronpb.TManagerLocation {
	if !now.present {
		return nil
	}
	at := &heronpb.TManagerLocation{}
	if err := proto.Unmarshal(now.data, at); err != nil {
		m.log.Printf("The TManager's location: %v", err)
		return nil
	}
	if at.GetTopologyId() != m.id {
		m.log.Printf("The TManager is of %s, not ours", at.GetTopologyId())
		return nil
	}
	return at
}

// attend is one connection to a TManager, to its end.
func (m *stmgr) attend(ctx context.Context, at *heronpb.TManagerLocation) error {
	dialer := net.Dialer{Timeout: dialLimit}
	conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(at.GetHost(), strconv.Itoa(int(at.GetServerPort()))))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	l := newLink(conn)
	hello, err := m.hello()
	if err != nil {
		return err
	}
	if err := l.send(hello); err != nil {
		return err
	}
	m.log.Printf("Registering with the TManager at %s:%d", at.GetHost(), at.GetServerPort())
	beat, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		for pause(beat, heartbeatInterval) {
			if l.send(message{Heartbeat: true}) != nil {
				return
			}
		}
	}()
	for {
		got, err := l.receive(0)
		if err != nil {
			return err
		}
		if got.Refused != "" {
			return fmt.Errorf("refused: %s", got.Refused)
		}
		if err := m.take(got.Plan); err != nil {
			return err
		}
	}
}

func (m *stmgr) hello() (message, error) {
	self, err := proto.Marshal(m.self)
	if err != nil {
		return message{}, err
	}
	hello := message{StMgr: self}
	for _, i := range m.instances {
		data, err := proto.Marshal(i)
		if err != nil {
			return message{}, err
		}
		hello.Instances = append(hello.Instances, data)
	}
	return hello, nil
}

// take passes a physical plan on to the instances, which log the state.
func (m *stmgr) take(data []byte) error {
	plan := &heronpb.PhysicalPlan{}
	if err := proto.Unmarshal(data, plan); err != nil {
		return err
	}
	m.log.Printf("Got a physical plan of %d stream managers, %s", len(plan.GetStmgrs()), plan.GetTopology().GetState())
	for _, i := range m.instances {
		line := fmt.Sprintf("%s %s of %s: %s\n", time.Now().UTC().Format(time.RFC3339), i.GetInstanceId(), i.GetInfo().GetComponentName(), plan.GetTopology().GetState())
		if err := m.logs[i.GetInstanceId()].write(line); err != nil {
			return err
		}
	}
	return nil
}

func appendFile(name, text string) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if failed := f.Close(); err == nil {
		err = failed
	}
	return err
}
