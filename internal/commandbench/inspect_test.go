package commandbench

import (
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/hashicorp/nomad/api"
	"google.golang.org/protobuf/proto"

	"github.com/heron-nomad/heron/internal/heronpb"
	"github.com/heron-nomad/heron/internal/testenv"
)

// standing is a state folder with topologies that run, and a server that
// answers as their Nomad and as their TManagers. Nomad itself could not run
// 10,000 containers on one machine.
type standing struct {
	p         programs
	dir, root string
	env       []string
	server    *httptest.Server
	answers   map[string][]byte // by path
	files     []string
	jobs      []*api.JobListStub
	// state is ZooKeeper at an address, nil for the folder.
	state     *zk.Conn
	zookeeper string
	nodes     []node
}

// newStanding has its state in ZooKeeper if state is not nil, below root.
func newStanding(b *testing.B, p programs, zookeeper string, state *zk.Conn) *standing {
	b.Helper()
	dir := b.TempDir()
	s := &standing{p: p, dir: dir, root: folder(b, dir, "state"), answers: map[string][]byte{}, state: state, zookeeper: zookeeper}
	if state != nil {
		s.root = root
		s.directory(b, "")
	}
	s.env = []string{"HOME=" + dir, "USER=ann", "HERON_HOME=" + filepath.Join(dir, "home"), "PATH=" + os.Getenv("PATH")}
	for _, d := range []string{
		"topologies", "packingplans", "executionstate", "schedulers", "tmanagers", "metricscaches", "pplans",
		"statefulcheckpoints", "locks", "deployments", "operations", "owners",
	} {
		if state != nil {
			s.directory(b, "/"+d)
		} else {
			folder(b, s.root, d)
		}
	}
	s.server = httptest.NewServer(s)
	b.Cleanup(s.server.Close)
	s.p.run(b, s.env, p.heron, "init", "--prefix", filepath.Join(dir, "home"))
	return s
}

// ServeHTTP answers compressed where that is wanted, as Nomad does.
func (s *standing) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, ok := s.answers[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("X-Nomad-Index", "100")
	if !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		_, _ = w.Write(body)
		return
	}
	w.Header().Set("Content-Encoding", "gzip")
	z := gzip.NewWriter(w)
	_, _ = z.Write(body)
	_ = z.Close()
}

func (s *standing) answer(b *testing.B, path string, document any) {
	b.Helper()
	data, err := json.Marshal(document)
	if err != nil {
		b.Fatal(err)
	}
	s.answers[path] = data
}

func (s *standing) directory(b *testing.B, path string) {
	b.Helper()
	if _, err := s.state.Create(s.root+path, nil, 0, zk.WorldACL(zk.PermAll)); err != nil {
		b.Fatal(err)
	}
}

// node writes one node of the state.
func (s *standing) node(b *testing.B, dir, name string, m proto.Message) []byte {
	b.Helper()
	data, err := proto.Marshal(m)
	if err != nil {
		b.Fatal(err)
	}
	if s.state != nil {
		n := node{Path: s.root + "/" + dir + "/" + name, Data: data}
		if _, err := s.state.Create(n.Path, n.Data, 0, zk.WorldACL(zk.PermAll)); err != nil {
			b.Fatal(err)
		}
		s.nodes = append(s.nodes, n)
		return data
	}
	file := filepath.Join(s.root, dir, name)
	write(b, file, data)
	s.files = append(s.files, file)
	return data
}

// add makes a topology of so many containers beside the TManager's.
func (s *standing) add(b *testing.B, name string, size int) {
	b.Helper()
	id := name + "-id"
	defined := &heronpb.Topology{}
	if err := proto.Unmarshal(definition(b, name, size), defined); err != nil {
		b.Fatal(err)
	}
	s.node(b, "topologies", name, defined)
	amount := &heronpb.Resource{Cpu: proto.Float64(1), Ram: proto.Int64(1 << 30), Disk: proto.Int64(1 << 30)}
	packing, physical := &heronpb.PackingPlan{Id: &id}, &heronpb.PhysicalPlan{Topology: defined}
	for i := 1; i <= size; i++ {
		index, stmgr := proto.Int32(int32(i)), proto.String("stmgr-"+strconv.Itoa(i)) //nolint:gosec // a few thousand
		packing.ContainerPlans = append(packing.ContainerPlans, &heronpb.ContainerPlan{
			Id: index, RequiredResource: amount,
			InstancePlans: []*heronpb.InstancePlan{{ComponentName: proto.String("word"), TaskId: index, ComponentIndex: index, Resource: amount}},
		})
		physical.Stmgrs = append(physical.Stmgrs, &heronpb.StMgr{
			Id: stmgr, HostName: proto.String("node-7.example.org"), DataPort: proto.Int32(25001), LocalEndpoint: proto.String("/unused"),
			Cwd: proto.String("/var/lib/nomad/alloc/container"), Pid: proto.Int32(4711), ShellPort: proto.Int32(25002), LocalDataPort: proto.Int32(25003),
		})
		physical.Instances = append(physical.Instances, &heronpb.Instance{
			InstanceId: proto.String("container_1_word_1"), StmgrId: stmgr,
			Info: &heronpb.InstanceInfo{TaskId: index, ComponentIndex: index, ComponentName: proto.String("word")},
		})
	}
	s.node(b, "packingplans", name, packing)
	plan := s.node(b, "pplans", name, physical)
	s.answers["/get_current_physical_plan"] = []byte(base64.StdEncoding.EncodeToString(plan))
	s.node(b, "executionstate", name, &heronpb.ExecutionState{
		TopologyName: &name, TopologyId: &id, SubmissionTime: proto.Int64(1_700_000_000), SubmissionUser: proto.String("ann"),
		Cluster: proto.String("nomad"), Role: proto.String("ann"), Environ: proto.String("default"),
	})
	host, port, err := net.SplitHostPort(s.server.Listener.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	number, err := strconv.ParseInt(port, 10, 32)
	if err != nil {
		b.Fatal(err)
	}
	s.node(b, "tmanagers", name, &heronpb.TManagerLocation{
		TopologyName: &name, TopologyId: &id, Host: &host, ControllerPort: proto.Int32(int32(number)), ServerPort: proto.Int32(25004),
	})
	s.job(b, name, id, size+1)
}

// job answers as the Nomad of a topology's job.
func (s *standing) job(b *testing.B, name, id string, count int) {
	b.Helper()
	job, group := "heron.nomad."+name, "container"
	meta := map[string]string{
		"topology.name": name, "topology.id": id, "heron.client": "heron-nomad/1", "heron.cluster": "nomad", "heron.role": "ann",
		"heron.environ": "default", "heron.state.kind": "localfs", "heron.state.root": s.root,
	}
	if s.state != nil {
		meta["heron.state.kind"] = "zookeeper"
	}
	version, index := uint64(1), uint64(10)
	s.answer(b, "/v1/job/"+job, &api.Job{
		ID: &job, Name: &name, Meta: meta, Version: &version, JobModifyIndex: &index,
		TaskGroups: []*api.TaskGroup{{Name: &group, Count: &count, Tasks: []*api.Task{{
			Name: "executor", Driver: "raw_exec", Env: map[string]string{"HERON_NOMAD_WORKING_DIR": "${NOMAD_TASK_DIR}/container-${NOMAD_ALLOC_INDEX}"},
		}}}},
	})
	s.jobs = append(s.jobs, &api.JobListStub{
		ID: job, Name: name, Type: "service", Status: "running", Meta: meta,
		JobSummary: &api.JobSummary{JobID: job, Summary: map[string]api.TaskGroupSummary{group: {Running: count}}},
	})
}

// allocations answers with the running containers of one topology.
func (s *standing) allocations(b *testing.B, name string, count int) {
	b.Helper()
	now := time.Now()
	event := func(what, text string) *api.TaskEvent {
		return &api.TaskEvent{Type: what, Time: now.Add(-time.Hour).UnixNano(), DisplayMessage: text, Message: text, Details: map[string]string{"message": text}}
	}
	job, yes := "heron.nomad."+name, true
	list := make([]*api.AllocationListStub, count)
	for i := range list {
		list[i] = &api.AllocationListStub{
			ID: fmt.Sprintf("%08x-5f3e-4d0c-9b0a-%012x", i*7919, i), EvalID: "7a0c1f4e-0000-4000-8000-000000000001", JobID: job, JobType: "service", JobVersion: 1,
			Name: fmt.Sprintf("%s.container[%d]", job, i), Namespace: "default", NodeID: "3b1f6a52-0000-4000-8000-000000000007", NodeName: "node-7.example.org",
			TaskGroup: "container", DesiredStatus: "run", ClientStatus: "running", ClientDescription: "Tasks are running", CreateIndex: 20, ModifyIndex: 30,
			DeploymentStatus: &api.AllocDeploymentStatus{Healthy: &yes, Timestamp: now, ModifyIndex: 30},
			CreateTime:       now.UnixNano(), ModifyTime: now.UnixNano(),
			TaskStates: map[string]*api.TaskState{"executor": {State: "running", StartedAt: now, Events: []*api.TaskEvent{
				event("Received", "Task received by client"), event("Task Setup", "Building Task Directory"),
				event("Downloading Artifacts", "Client is downloading artifacts"), event("Started", "Task started by client"),
			}}},
		}
	}
	s.answer(b, "/v1/job/"+job+"/allocations", list)
}

// measure runs a command and, by turns, its bare requests.
func (s *standing) measure(b *testing.B, what string, args []string, o order) row {
	b.Helper()
	file := filepath.Join(s.dir, "order.json")
	text, err := json.Marshal(o)
	if err != nil {
		b.Fatal(err)
	}
	write(b, file, text)
	line := append([]string{s.p.heron}, s.line(args...)...)
	var ours, least []took
	for range rounds {
		ours = append(ours, s.p.run(b, s.env, line...))
		least = append(least, s.p.run(b, s.env, s.p.bare, "get", file))
	}
	return row{command: what, ours: median(ours), least: median(least)}
}

// line is a command line, without the program.
func (s *standing) line(args ...string) []string {
	line := []string{args[0]}
	properties := []string{"heron.nomad.scheduler.uri=" + s.server.URL, "heron.statemgr.root.path=" + s.root}
	if s.state != nil {
		properties = append(properties, "heron.statemgr.connection.string="+s.zookeeper)
	} else {
		properties = append(properties, "heron.class.state.manager=org.apache.heron.statemgr.localfs.LocalFileSystemStateManager",
			"heron.statemgr.connection.string=LOCALMODE")
	}
	for _, property := range properties {
		line = append(line, "--config-property", property)
	}
	return append(line, args[1:]...)
}

// inspections measures status and topologies.
func inspections(b *testing.B, p programs) (rows []row) {
	b.Helper()
	for _, size := range []int{1000, 10000} {
		s := newStanding(b, p, "", nil)
		s.add(b, "bench", size)
		s.allocations(b, "bench", size+1)
		o := order{Files: s.files}
		for path := range s.answers {
			o.Get = append(o.Get, s.server.URL+path)
		}
		rows = append(rows, s.measure(b, fmt.Sprintf("status %d", size), []string{"status", "nomad", "bench"}, o))
	}
	return append(rows, manyTopologies(b, p))
}

// manyTopologies measures topologies, on ZooKeeper: a folder is for tests and
// reads its whole index for each node.
func manyTopologies(b *testing.B, p programs) row {
	b.Helper()
	const topologies = 1000
	zookeeper, err := testenv.StartZooKeeper(b.Context(), b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer stop(b, zookeeper)
	state, _, err := zk.Connect([]string{zookeeper.Addr}, 10*time.Second, zk.WithLogInfo(false))
	if err != nil {
		b.Fatal(err)
	}
	defer state.Close()
	s := newStanding(b, p, zookeeper.Addr, state)
	for i := range topologies {
		s.add(b, fmt.Sprintf("bench-%d", i), 4)
	}
	s.answer(b, "/v1/jobs", s.jobs)
	o := order{ZooKeeper: zookeeper.Addr, Get: []string{s.server.URL + "/v1/jobs"}}
	for _, n := range s.nodes {
		if strings.HasPrefix(n.Path, root+"/pplans/") || strings.HasPrefix(n.Path, root+"/executionstate/") {
			o.Nodes = append(o.Nodes, node{Path: n.Path})
		}
	}
	return s.measure(b, fmt.Sprintf("topologies %d", topologies), []string{"topologies", "nomad"}, o)
}

// BenchmarkInspections prints the table of status and topologies alone.
func BenchmarkInspections(b *testing.B) {
	p := build(b)
	for b.Loop() {
		rows := inspections(b, p)
		b.StopTimer()
		print(rows)
		b.StartTimer()
	}
	b.ReportMetric(0, "ns/op")
}
