package tmanager

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/heron-nomad/heron/internal/heronpb"
	"github.com/heron-nomad/heron/internal/testenv"
)

// answering is the location of a server that sends the same bytes to everybody
// and tells what it was asked.
func answering(t *testing.T, id, answer string) (*heronpb.TManagerLocation, <-chan string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	asked := make(chan string, 10)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if r, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
				asked <- r.Method + " " + r.URL.String()
			}
			_, _ = io.WriteString(conn, answer)
			conn.Close()
		}
	}()
	return location(t, id, l.Addr().String()), asked
}

func location(t *testing.T, id, addr string) *heronpb.TManagerLocation {
	t.Helper()
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	return &heronpb.TManagerLocation{
		TopologyName: proto.String("t"), TopologyId: &id, Host: &host,
		ControllerPort: proto.Int32(int32(n)), ServerPort: proto.Int32(1), //nolint:gosec // a port
	}
}

// recorded are answers of a real TManager, as they were on the wire, by what
// was asked.
func recorded(t *testing.T) (id string, answers map[string]string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(testenv.GoldenRuntime(t), "tmanager_controller.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all struct {
		ID       string `json:"topology_id"`
		Requests []struct {
			Label, Body string
			Status      string `json:"status_line"`
			Headers     []string
		}
	}
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	answers = map[string]string{}
	for _, r := range all.Requests {
		answers[r.Label] = r.Status + "\r\n" + strings.Join(r.Headers, "\r\n") + "\r\n\r\n" + r.Body
	}
	return all.ID, answers
}

func TestRecordedAnswers(t *testing.T) {
	id, answers := recorded(t)
	at, asked := answering(t, id, answers["get_current_physical_plan"])
	plan, err := New(Options{}).PhysicalPlan(t.Context(), at)
	if err != nil || plan.GetTopology().GetName() != "acking" || len(plan.GetStmgrs()) == 0 {
		t.Errorf("%v, %v", plan, err)
	}
	if got, want := <-asked, "GET /get_current_physical_plan?topologyid="+id; got != want {
		t.Errorf("asked %s, want %s", got, want)
	}
	for _, label := range []string{"activate while running", "unknown path"} {
		at, _ := answering(t, id, answers[label])
		if _, err := New(Options{}).PhysicalPlan(t.Context(), at); !errors.Is(err, ErrNoPlan) || errors.Is(err, ErrUnreachable) {
			t.Errorf("%s: %v", label, err)
		}
	}
	at, _ = answering(t, "another-id", answers["get_current_physical_plan"])
	if _, err := New(Options{}).PhysicalPlan(t.Context(), at); !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), id) {
		t.Errorf("of another topology: %v", err)
	}
}

func TestWhoeverAnswersOtherwiseIsNoTManager(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
	for what, answer := range map[string]string{
		"nothing":            "",
		"noise":              "SSH-2.0-x\r\n",
		"an empty page":      ok,
		"a page":             ok + "<html>",
		"no plan in base 64": ok + "AAAA",
		"a broken server":    "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n",
		"somewhere else":     "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
		"half an answer":     "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nAA",
	} {
		at, _ := answering(t, "x", answer)
		where := net.JoinHostPort(at.GetHost(), strconv.Itoa(int(at.GetControllerPort())))
		_, err := New(Options{}).PhysicalPlan(t.Context(), at)
		if !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), where) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestSilenceEnds(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	at := location(t, "x", l.Addr().String())
	_, err = New(Options{Timeout: 50 * time.Millisecond}).PhysicalPlan(t.Context(), at)
	if !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), "no answer within 50ms") {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := New(Options{}).PhysicalPlan(ctx, at); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// Addresses of a cluster are no business of a proxy for the web.
func TestTheWayIsTheCallers(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	id, answers := recorded(t)
	at, _ := answering(t, id, answers["get_current_physical_plan"])
	real := net.JoinHostPort(at.GetHost(), strconv.Itoa(int(at.GetControllerPort())))
	at.Host, at.ControllerPort = proto.String("tmanager.inside"), proto.Int32(6001)
	var asked string
	_, err := New(Options{Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
		asked = addr
		return (&net.Dialer{}).DialContext(ctx, network, real)
	}}).PhysicalPlan(t.Context(), at)
	if err != nil || asked != "tmanager.inside:6001" {
		t.Errorf("asked %s: %v", asked, err)
	}
}
