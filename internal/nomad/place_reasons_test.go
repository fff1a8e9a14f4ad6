package nomad

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/nomad/jobspec"
)

func TestPlaceReason(t *testing.T) {
	mars := wanted{datacenters: []string{"mars"}, driver: "docker"}
	for want, c := range map[string]struct {
		job wanted
		m   api.AllocationMetric
	}{
		`no place for 3 containers: constraint "${attr.kernel.name} = plan9" rules out 2 nodes`:                    {mars, api.AllocationMetric{CoalescedFailures: 2, NodesEvaluated: 2, ConstraintFiltered: map[string]int{"${attr.kernel.name} = plan9": 2}, ClassFiltered: map[string]int{"big": 2}}},
		`no place for 1 container: not enough cpu on 1 node, not enough memory on 2 nodes`:                         {mars, api.AllocationMetric{NodesEvaluated: 3, DimensionExhausted: map[string]int{"memory": 2, "cpu": 1}}},
		`no place for 1 container: class "big" rules out 1 node`:                                                   {mars, api.AllocationMetric{NodesEvaluated: 1, ClassFiltered: map[string]int{"big": 1}}},
		`no place for 1 container: no node is ready in datacenter mars`:                                            {mars, api.AllocationMetric{NodePool: "default"}},
		`no place for 1 container: no node is ready in datacenters mars, dc1, node pool batch`:                     {wanted{datacenters: []string{"mars", "dc1"}, pool: "batch"}, api.AllocationMetric{NodesAvailable: map[string]int{"dc1": 0}}},
		`no place for 1 container: no node is ready`:                                                               {wanted{datacenters: []string{"*"}, pool: "default"}, api.AllocationMetric{NodePool: "default"}},
		`no place for 1 container: 4 nodes looked at, none fits`:                                                   {mars, api.AllocationMetric{NodesEvaluated: 4}},
		`no place for 1 container: the quota is used up: memory exhausted (900 needed > 100 limit)`:                {mars, api.AllocationMetric{NodesEvaluated: 1, QuotaExhausted: []string{"memory exhausted (900 needed > 100 limit)"}}},
		`no place for 2 containers: driver "docker" is missing or not healthy on 1 node, not enough cpu on 1 node`: {mars, api.AllocationMetric{CoalescedFailures: 1, NodesEvaluated: 2, ConstraintFiltered: map[string]int{"missing drivers": 1}, DimensionExhausted: map[string]int{"cpu": 1}}},
	} {
		if got := c.job.placeReason(&c.m).text; got != want {
			t.Errorf("\ngot  %s\nwant %s", got, want)
		}
	}
}

func TestPlacementReasonsOnlyOfWhatIsStillOpen(t *testing.T) {
	failed := map[string]*api.AllocationMetric{"container": {NodesEvaluated: 1, DimensionExhausted: map[string]int{"cpu": 1}}}
	const why = "no place for 1 container: not enough cpu on 1 node"
	for name, c := range map[string]struct {
		evals []*api.Evaluation
		want  []string
	}{
		"placed":             {[]*api.Evaluation{{ID: "1", Status: "complete"}}, nil},
		"waits for a place":  {[]*api.Evaluation{{ID: "1", Status: "complete", BlockedEval: "2", FailedTGAllocs: failed}, {ID: "2", Status: api.EvalStatusBlocked}}, []string{why}},
		"placed later":       {[]*api.Evaluation{{ID: "1", Status: "complete", BlockedEval: "2", FailedTGAllocs: failed}, {ID: "2", Status: "complete"}}, nil},
		"blocked by itself":  {[]*api.Evaluation{{ID: "2", Status: api.EvalStatusBlocked, FailedTGAllocs: failed}}, []string{why}},
		"said twice":         {[]*api.Evaluation{{ID: "1", Status: "complete", BlockedEval: "2", FailedTGAllocs: failed}, {ID: "2", Status: api.EvalStatusBlocked, FailedTGAllocs: failed}}, []string{why}},
		"given up":           {[]*api.Evaluation{{ID: "1", Status: api.EvalStatusFailed, StatusDescription: "maximum attempts reached (5)"}}, []string{"Nomad could not evaluate the job: maximum attempts reached (5)"}},
		"retried by Nomad":   {[]*api.Evaluation{{ID: "1", Status: api.EvalStatusFailed, BlockedEval: "2"}, {ID: "2", Status: api.EvalStatusBlocked, TriggeredBy: "max-plan-attempts"}}, nil},
		"evaluated anew":     {[]*api.Evaluation{{ID: "1", Status: api.EvalStatusFailed, CreateIndex: 1}, {ID: "2", Status: "complete", CreateIndex: 2}}, nil},
		"still being placed": {[]*api.Evaluation{{ID: "1", Status: api.EvalStatusPending}}, nil},
	} {
		if diff := cmp.Diff(c.want, reasonTexts(placementReasons(wanted{}, c.evals))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestContainerIndex(t *testing.T) {
	for name, want := range map[string]int{"job.container[0]": 0, "heron.c.a[1].container[17]": 17, "job.container": -1, "job.container[x]": -1, "job.container[-1]": -1, "[2": -1, "": -1} {
		got, ok := ContainerIndex(name)
		if ok != (want >= 0) || ok && got != want {
			t.Errorf("%q: got %d, %v; want %d", name, got, ok, want)
		}
	}
}

func TestMessagesNameAFewAndCountTheRest(t *testing.T) {
	e := &StillRunningError{JobID: "j", Waited: 30 * time.Second}
	for i := range 7 {
		e.Running = append(e.Running, AllocationRef{Index: i, ID: "0123abcd-ef", Node: "n1", Status: "running"})
	}
	want := `job "j": 7 containers still run after 30s: container 0 on n1 (allocation 0123abcd, running), `
	if got := e.Error(); !strings.HasPrefix(got, want) || !strings.HasSuffix(got, "container 4 on n1 (allocation 0123abcd, running), and 2 more") {
		t.Errorf("got %s", got)
	}
	if len(e.Running) != 7 {
		t.Error("the list was changed")
	}
}

func TestOneLine(t *testing.T) {
	for message, want := range map[string]string{
		"plain": "plain",
		"2 errors occurred:\n\t* Job ID contains a space\n\t* Missing job task groups\n\n":                          "Job ID contains a space; Missing job task groups",
		"Task group c validation failed: 1 error occurred:\n\t* Task e validation failed: 1 error occurred:\n\t* x": "Task group c validation failed: Task e validation failed: x",
		"": "",
	} {
		if got := oneLine(message); got != want {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	}
}

// nodesDown stands before a real Nomad and says of all nodes that they are
// down.
func nodesDown(t *testing.T) string {
	t.Helper()
	to, err := url.Parse(realNomad(t))
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Header.Set("Accept-Encoding", "identity")
		},
		ModifyResponse: func(r *http.Response) error {
			if r.Request.URL.Path != "/v1/nodes" {
				return nil
			}
			body, err := io.ReadAll(r.Body)
			body = bytes.ReplaceAll(body, []byte(`"Status":"ready"`), []byte(`"Status":"down"`))
			r.Body = io.NopCloser(bytes.NewReader(body))
			r.ContentLength = int64(len(body))
			r.Header.Set("Content-Length", strconv.Itoa(len(body)))
			return err
		},
	}
	server := httptest.NewServer(proxy)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return server.URL
}

func TestContainersOnLostNodesAreReportedNotWaitedFor(t *testing.T) {
	ctx, c, job := context.Background(), realClient(t), shell(testJob(t, 2), "trap '' INT TERM; while :; do sleep 1; done")
	job.TaskGroups[0].Tasks[0].KillTimeout = new(20 * time.Second)
	stored := mustRegister(t, c, job)
	if err := c.WaitRunning(ctx, *job.ID, 2, patience, nil); err != nil {
		t.Fatal(err)
	}
	if err := c.Stop(ctx, stored); err != nil {
		t.Fatal(err)
	}
	down := newClient(t, nodesDown(t), 4*time.Second)
	lost, err := down.WaitStopped(ctx, *job.ID, patience, nil)
	if err != nil || len(lost) != 2 || lost[1].Index != 1 {
		t.Fatalf("got %v, %v; want two lost containers", lost, err)
	}
	var running *StillRunningError
	if err := c.PurgeOwned(ctx, *job.ID, job.Meta[jobspec.MetaTopologyID]); !errors.As(err, &running) {
		t.Errorf("purge while the nodes are up: got %v, want a *StillRunningError", err)
	}
	if err := down.PurgeOwned(ctx, *job.ID, job.Meta[jobspec.MetaTopologyID]); err != nil {
		t.Errorf("purge while the nodes are down: %v", err)
	}
}
