package tmanager

import (
	"context"
	"errors"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/heron-nomad/heron/internal/heronpb"
	"github.com/heron-nomad/heron/internal/outcome"
)

// changes are Activate and Deactivate by the names that they have on the wire.
func changes(c *Client) map[string]func(context.Context, *heronpb.TManagerLocation) error {
	return map[string]func(context.Context, *heronpb.TManagerLocation) error{"activate": c.Activate, "deactivate": c.Deactivate}
}

func TestRecordedAnswersToChanges(t *testing.T) {
	id, answers := recorded(t)
	for _, c := range []struct {
		action, label string
		want          error // nil for success
		status        int
		says          string
	}{
		{"activate", "activate", nil, 0, ""},
		{"deactivate", "deactivate", nil, 0, ""},
		{"activate", "activate while running", nil, 400, "not in the state for that"},
		{"deactivate", "deactivate again", nil, 400, "not in the state for that"},
		{"activate", "activate without id", nil, 400, "Missing 'topologyid' argument in the request"},
		{"activate", "activate wrong id", ErrOther, 0, "another topology's, not " + id},
		{"deactivate", "deactivate wrong id", ErrOther, 0, "another topology's"},
		{"activate", "unknown path", ErrUnreachable, 0, "it answers 404 Not Supported"},
	} {
		at, asked := answering(t, id, answers[c.label])
		err := changes(New(Options{}))[c.action](t.Context(), at)
		if got, want := <-asked, "GET /"+c.action+"?topologyid="+id; got != want {
			t.Errorf("%s: asked %s, want %s", c.label, got, want)
		}
		var refused *RefusedError
		switch {
		case c.status != 0:
			if !errors.As(err, &refused) || refused.Status != c.status || outcome.KindOf(err) != outcome.Differs {
				t.Errorf("%s: kind %s, %v", c.label, outcome.KindOf(err), err)
			}
		case c.want == nil && err != nil, c.want != nil && !errors.Is(err, c.want):
			t.Errorf("%s: %v, want %v", c.label, err, c.want)
		}
		if err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v does not say %q", c.label, err, c.says)
		}
	}
}

// An id can hold what has a meaning in an address.
func TestTheIDOfAChangeIsEscaped(t *testing.T) {
	at, asked := answering(t, "a&b c", "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n")
	if err := New(Options{}).Activate(t.Context(), at); err != nil {
		t.Error(err)
	}
	if got, want := <-asked, "GET /activate?topologyid=a%26b%20c"; got != want {
		t.Errorf("asked %s, want %s", got, want)
	}
}

func TestRefusalsOfChanges(t *testing.T) {
	for line, c := range map[string]struct {
		want error
		kind outcome.Kind
	}{
		"500 Tmanager still not initialized (physical plan is not available)": {ErrNoPlan, outcome.Failed},
		"500 ":                    {nil, outcome.Failed},
		"302 Found":               {ErrUnreachable, outcome.Unreachable},
		"503 Service Unavailable": {ErrUnreachable, outcome.Unreachable},
	} {
		at, _ := answering(t, "x", "HTTP/1.1 "+line+"\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n")
		for action, do := range changes(New(Options{})) {
			err := do(t.Context(), at)
			var refused *RefusedError
			if outcome.KindOf(err) != c.kind || c.want != nil && !errors.Is(err, c.want) || c.want == nil && !errors.As(err, &refused) {
				t.Errorf("%s, %s: kind %s, %v", line, action, outcome.KindOf(err), err)
			}
		}
	}
}

// A change is asked for once: sent again, it could undo what somebody else did
// in between.
func TestAChangeIsNotRepeated(t *testing.T) {
	for _, answer := range []string{"", "noise", "HTTP/1.1 200 \r\nContent-Length: 9\r\n\r\nx"} {
		at, asked := answering(t, "x", answer)
		err := New(Options{}).Deactivate(t.Context(), at)
		where := net.JoinHostPort(at.GetHost(), strconv.Itoa(int(at.GetControllerPort())))
		if !errors.Is(err, ErrUnreachable) || errors.Is(err, ErrOther) || !strings.Contains(err.Error(), where) || len(asked) != 1 {
			t.Errorf("%q: %v, asked %d times", answer, err, len(asked))
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	err = New(Options{Timeout: 50 * time.Millisecond}).Activate(t.Context(), location(t, "x", l.Addr().String()))
	if !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), "no answer within 50ms") {
		t.Error(err)
	}
}

func TestRuntimeConfiguration(t *testing.T) {
	at, asked := answering(t, "x", "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n")
	if err := New(Options{}).Configure(t.Context(), at, []string{"a:1", "word:b:2 3&c"}); err != nil {
		t.Error(err)
	}
	if got, want := <-asked, "GET /runtime_config/update?runtime-config=a%3A1&runtime-config=word%3Ab%3A2%203%26c&topologyid=x"; got != want {
		t.Errorf("asked %s, want %s", got, want)
	}
	at, _ = answering(t, "x", "HTTP/1.1 400 Failed to validate runtime configs\r\nContent-Length: 0\r\n\r\n")
	err := New(Options{}).Configure(t.Context(), at, []string{"none:b:2"})
	var refused *RefusedError
	if !errors.As(err, &refused) || !strings.Contains(err.Error(), "refuses: 400 Failed to validate runtime configs") {
		t.Error(err)
	}
}
