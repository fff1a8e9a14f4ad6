package standin

import (
	"encoding/base64"
	"encoding/json"
	"log"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/heron-nomad/heron/internal/heronpb"
	"github.com/heron-nomad/heron/internal/testenv"
)

// recordedCommandLines are the executors' arguments by container.
func recordedCommandLines(t *testing.T) map[int][]string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(testenv.GoldenRuntime(t), "running", "processes.txt"))
	if err != nil {
		t.Fatal(err)
	}
	lines := map[int][]string{}
	for _, process := range strings.Split(string(data), "--- pid ")[1:] {
		if !strings.Contains(process, "heron.executor.src.python.heron_executor") {
			continue
		}
		var args []string
		for _, line := range strings.Split(process, "\n") {
			if arg, ok := strings.CutPrefix(line, "  '--"); ok {
				args = append(args, "--"+strings.TrimSuffix(arg, "'"))
			}
		}
		lines[len(lines)] = args
	}
	if len(lines) != 3 {
		t.Fatalf("%d executors recorded, want 3", len(lines))
	}
	return lines
}

type recordedRequest struct {
	Label   string
	Request string
	Body    string
	// What the recorder sent as the body of a POST.
	RequestBody string `json:"request_body"`
	StatusLine  string `json:"status_line"`
	Headers     []string
	Changes     map[string]struct {
		After struct {
			Value string `json:"value_base64"`
		}
	} `json:"znode_changes"`
}

func recorded(t *testing.T, file string) (id string, requests []recordedRequest) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(testenv.GoldenRuntime(t), file))
	if err != nil {
		t.Fatal(err)
	}
	var all struct {
		ID       string `json:"topology_id"`
		Requests []recordedRequest
	}
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	return all.ID, all.Requests
}

func decodePlan(t *testing.T, text string) *heronpb.PhysicalPlan {
	t.Helper()
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	plan := &heronpb.PhysicalPlan{}
	if err := proto.Unmarshal(data, plan); err != nil {
		t.Fatal(err)
	}
	return plan
}

// discard is a logger for units that need one.
func discard(t *testing.T) *log.Logger { return log.New(t.Output(), "", 0) }

// assemblyOf is a TManager's assembly with plan in place and everybody
// there.
func assemblyOf(t *testing.T, plan *heronpb.PhysicalPlan) (*assembly, state) {
	t.Helper()
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "pplans"), 0o755); err != nil {
		t.Fatal(err)
	}
	s := newFileState(root)
	packing := &heronpb.PackingPlan{}
	members := map[string]*member{}
	for i, m := range plan.GetStmgrs() {
		packing.ContainerPlans = append(packing.ContainerPlans, &heronpb.ContainerPlan{Id: proto.Int32(int32(i + 1))})
		members[m.GetId()] = &member{stmgr: m, send: func(message) error { return nil }}
	}
	for _, i := range plan.GetInstances() {
		m := members[i.GetStmgrId()]
		m.instances = append(m.instances, i)
		n := slices.Index(plan.GetStmgrs(), m.stmgr)
		packing.ContainerPlans[n].InstancePlans = append(packing.ContainerPlans[n].InstancePlans, &heronpb.InstancePlan{})
	}
	a := newAssembly(s, packing, plan.GetTopology(), nil, discard(t))
	for _, m := range plan.GetStmgrs() {
		if refused, err := a.register(members[m.GetId()]); refused != "" || err != nil {
			t.Fatal(refused, err)
		}
	}
	return a, s
}

// TestControllerAnswersAsRecorded sends every recorded request, in order,
// and compares the whole answer and what it left in the state.
func TestControllerAnswersAsRecorded(t *testing.T) {
	id, requests := recorded(t, "tmanager_controller.json")
	i := slices.IndexFunc(requests, func(r recordedRequest) bool { return len(r.Changes) > 0 })
	var plan *heronpb.PhysicalPlan
	for _, change := range requests[i].Changes {
		plan = decodePlan(t, change.After.Value)
	}
	plan.GetTopology().State = heronpb.TopologyState_RUNNING.Enum()
	a, s := assemblyOf(t, plan)
	var died error
	c := &controller{topologyID: id, assembly: a, die: func(err error) { died = err }}
	for _, r := range requests {
		t.Run(r.Label, func(t *testing.T) {
			before, err := s.get("pplans/acking")
			if err != nil {
				t.Fatal(err)
			}
			answered := ask(t, c, r)
			if want := r.wire(); answered != want {
				t.Errorf("answer\n%s\nwant\n%s", answered, want)
			}
			after, err := s.get("pplans/acking")
			if err != nil {
				t.Fatal(err)
			}
			want := base64.StdEncoding.EncodeToString(before)
			for _, change := range r.Changes {
				want = change.After.Value
			}
			got := base64.StdEncoding.EncodeToString(after)
			if !proto.Equal(decodePlan(t, got), decodePlan(t, want)) {
				t.Errorf("stored plan\n%v\nwant\n%v", decodePlan(t, got), decodePlan(t, want))
			}
			if hungUp := r.StatusLine == ""; hungUp != (died != nil) {
				t.Errorf("died %v with answer %q recorded", died, r.StatusLine)
			}
		})
	}
}

// wire is the recorded answer with its date blanked.
func (r recordedRequest) wire() string {
	if r.StatusLine == "" {
		return ""
	}
	text := strings.Join(append([]string{r.StatusLine}, r.Headers...), "\r\n") + "\r\n\r\n" + r.Body
	return blankDate(text)
}

func blankDate(text string) string {
	return regexp.MustCompile(`Date: [^\r]*`).ReplaceAllString(text, "Date: -")
}

// ask sends one request to c over a pipe.
func ask(t *testing.T, c *controller, r recordedRequest) string {
	t.Helper()
	ours, theirs := net.Pipe()
	served := make(chan struct{})
	go func() { defer close(served); c.serve(theirs); _ = theirs.Close() }()
	text := r.Request + " HTTP/1.1\r\nHost: h\r\n"
	if r.RequestBody != "" {
		text += "Content-Type: application/x-www-form-urlencoded\r\n"
		text += "Content-Length: " + itoa(len(r.RequestBody)) + "\r\n"
	}
	go func() { _, _ = ours.Write([]byte(text + "\r\n" + r.RequestBody)) }()
	answered := readAll(t, ours)
	<-served
	return blankDate(answered)
}

func TestRecordedPlanIsComplete(t *testing.T) {
	_, requests := recorded(t, "tmanager_controller.json")
	i := slices.IndexFunc(requests, func(r recordedRequest) bool { return r.Label == "get_current_physical_plan" })
	a, _ := assemblyOf(t, decodePlan(t, requests[i].Body))
	c := &controller{assembly: a}
	if got, want := ask(t, c, requests[i]), requests[i].wire(); got != want {
		t.Errorf("answer\n%s\nwant\n%s", got, want)
	}
	a.leave(a.members["stmgr-1"])
	gone := requests[0] // a bare 400
	gone.Request = requests[i].Request
	if got, want := ask(t, c, gone), gone.wire(); got != want {
		t.Errorf("with a stream manager gone\n%s\nwant\n%s", got, want)
	}
}
