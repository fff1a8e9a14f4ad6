package apiclient

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/heron-nomad/heron/internal/logs"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/progress"
)

// shown are lines that were shown.
type shown struct{ lines []string }

func (s *shown) Begin(bool) {}

func (s *shown) Lines(lines []logs.Line) error {
	for _, l := range lines {
		s.lines = append(s.lines, fmt.Sprintf("%d %s %s", l.Container, l.Label, l.Line))
	}
	return nil
}

// logServer answers requests for logs one after the other, each with a text after
// which the connection breaks, and keeps their bodies.
func logServer(t *testing.T, answers ...string) (to *Topologies, bodies *[]string, warned *[]string) {
	t.Helper()
	bodies, warned = new([]string), new([]string)
	s := server(t, true, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		*bodies = append(*bodies, r.Method+" "+r.URL.RawQuery+" "+string(body))
		answer := answers[min(len(*bodies), len(answers))-1]
		if status := 0; len(answer) > 3 {
			if _, err := fmt.Sscanf(answer, "status %d", &status); err == nil {
				w.WriteHeader(status)
				return
			}
		}
		_, _ = io.WriteString(w, answer)
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	to = connect(t, Options{URL: s.URL, Progress: func(e progress.Event) {
		if e.State == progress.Warned {
			*warned = append(*warned, e.Note)
		}
	}})
	return to, bodies, warned
}

func line(n int) string {
	return fmt.Sprintf(`{"line":{"container":1,"line":"line %d"},"label":"word_1"}`+"\n", n)
}

// mark is a bookmark behind line n.
func mark(n int) string {
	return fmt.Sprintf(`{"marks":[{"allocation":"a","begun":true,"logs":{"w":{"path":"p","at":%d,"from":0}}}]}`+"\n", n)
}

const firstMarks = `{"one":false}` + "\n" + `{"marks":[{"allocation":"a","fresh":true},{"allocation":"b","done":true}]}` + "\n"

// Lines whose bookmark did not come are asked for again; a line that is cut off is
// none.
func TestLogsGoOn(t *testing.T) {
	to, bodies, warned := logServer(t,
		firstMarks+line(1)+line(2)+mark(2)+line(3),
		"{}\n"+line(3)+mark(3)+line(4)+mark(4)[:20],
		"status 502",
		line(4)+mark(4)+`{"event":{"seq":0,"state":"warned","note":"lines may be missing"}}`+"\n"+`{"end":true}`+"\n",
	)
	got := &shown{}
	if err := to.Logs(t.Context(), "words", logs.Options{Follow: true, Tail: 5}, got); err != nil {
		t.Fatal(err)
	}
	if want := []string{"1 word_1 line 1", "1 word_1 line 2", "1 word_1 line 3", "1 word_1 line 4"}; !slices.Equal(got.lines, want) {
		t.Errorf("%q", got.lines)
	}
	if !slices.Equal(*warned, []string{"lines may be missing"}) {
		t.Errorf("warned: %q", *warned)
	}
	if len(*bodies) != 4 || (*bodies)[0] != "POST follow=true&tail=5 " {
		t.Fatalf("%q", *bodies)
	}
	for i, at := range []int64{2, 3, 3} {
		_, text, _ := strings.Cut((*bodies)[i+1], "tail=5 ")
		var body struct{ From []logs.Bookmark }
		if err := json.Unmarshal([]byte(text), &body); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		if f := body.From; len(f) != 2 || f[0].Logs["w"].At != at || !f[0].Fresh || f[0].Done || !f[1].Done {
			t.Errorf("request %d: %+v", i+2, f)
		}
	}
}

// What a server says is no broken connection.
func TestLogsOfNoTopology(t *testing.T) {
	s := server(t, true, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"message":"no topology","kind":"not_found"}`)
	})
	err := connect(t, Options{URL: s.URL}).Logs(t.Context(), "words", logs.Options{}, &shown{})
	want(t, err, outcome.NotFound, "no topology")
	to, bodies, _ := logServer(t, "status 502")
	want(t, to.Logs(t.Context(), "words", logs.Options{}, &shown{}), outcome.Unreachable, "502")
	if len(*bodies) != 1 {
		t.Errorf("%d requests", len(*bodies))
	}
	to, _, _ = logServer(t, firstMarks+`{"error":{"message":"denied","kind":"denied"}}`+"\n")
	want(t, to.Logs(t.Context(), "words", logs.Options{}, &shown{}), outcome.Denied, "denied")
}
