package packing

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/topology"
)

func TestParseTarget(t *testing.T) {
	type want = []Parallelism
	for text, want := range map[string]want{
		"":               nil,
		"a:1":            {{"a", 1}},
		"a:1,b:2":        {{"a", 1}, {"b", 2}},
		",a:1,,b.c-d:2,": {{"a", 1}, {"b.c-d", 2}},
		"a:0":            {{"a", 0}},
		"a:-1":           {{"a", -1}},
		"a:2147483647":   {{"a", 2147483647}},
		":1":             {{"", 1}},
	} {
		got, err := ParseTarget(text, "")
		if diff := cmp.Diff(want, got.Parallelism); err != nil || diff != "" || got.Containers != nil {
			t.Errorf("ParseTarget(%q): containers %v, error %v, parallelism:\n%s", text, got.Containers, err, diff)
		}
	}
	for _, text := range []string{"a", "a:", "a:x", "a:1:2", "a: 1", "a:1.5", "a:2147483648", "a:1,b", "a=1"} {
		_, err := ParseTarget(text, "")
		e, ok := errors.AsType[*Error](err)
		if !ok || !errors.Is(err, ErrParallelism) || e.Kind() != outcome.Usage || !strings.HasSuffix(e.Statement, "Found: "+text) {
			t.Errorf("ParseTarget(%q): %v (%T), want an error that names it", text, err, err)
		}
	}
	for text, want := range map[string]int{"3": 3, "0": 0, "-1": -1} {
		got, err := ParseTarget("", text)
		if err != nil || got.Containers == nil || *got.Containers != want {
			t.Errorf("ParseTarget of containers %q: %v, error %v", text, got, err)
		}
	}
	for _, text := range []string{"abc", "1.5", " 1", "2147483648"} {
		_, err := ParseTarget("a:1", text)
		if e, ok := errors.AsType[*Error](err); !ok || !errors.Is(err, ErrContainers) || e.Kind() != outcome.Usage ||
			!strings.Contains(err.Error(), text) {
			t.Errorf("ParseTarget of containers %q: %v (%T), want an error that names it", text, err, err)
		}
	}
}

func TestChanges(t *testing.T) {
	current, err := pack(define(t, "a:3 b:2 c:1", "stmgrs=2"), plain)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		rule, parallelism, containers string
		want                          string
	}{
		{"more and fewer", "a:5,b:1", "", "a:2 b:-1"},
		{"what is so already is left out", "a:3,b:1", "", "b:-1"},
		{"the last of a component counts", "b:9,a:4,b:1", "", "a:1 b:-1"},
		{"containers alone are a change", "", "3", ""},
		{"the same number of containers with another parallelism too", "c:2", "2", "c:1"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			target, err := ParseTarget(c.parallelism, c.containers)
			if err != nil {
				t.Fatal(err)
			}
			got, err := target.Changes(current)
			if err != nil || !slices.Equal(got, grow(t, c.want)) {
				t.Errorf("changes %v, error %v, want %v", got, err, c.want)
			}
		})
	}
	for _, c := range []struct {
		parallelism, containers string
		kind                    error
		want                    string
	}{
		{"", "", ErrUnchanged, "Missing arguments."},
		{"a:3", "", ErrUnchanged, "The component parallelism request (a:3) is the same"},
		{",", "", ErrUnchanged, "The component parallelism request (,) is the same"},
		{"", "2", ErrUnchanged, "Both component parallelism request and container number are the same"},
		{"a:3", "2", ErrUnchanged, "Both component parallelism request and container number are the same"},
		{"d:1", "", ErrComponent, "Invalid component name in update request: d. Valid components include: [a, b, c]"},
		{"d:1", "3", ErrComponent, "request: d."},
		{"a:0", "", ErrParallelism, `component "a" cannot have 0 instances (use 1 or more; it has 3)`},
		{"a:-1", "", ErrParallelism, `component "a" cannot have -1 instances`},
	} {
		t.Run(c.parallelism+" in "+c.containers, func(t *testing.T) {
			target, err := ParseTarget(c.parallelism, c.containers)
			if err != nil {
				t.Fatal(err)
			}
			got, err := target.Changes(current)
			e, ok := errors.AsType[*Error](err)
			if !ok || !errors.Is(err, c.kind) || e.Stage != StageRequest || e.Kind() != outcome.Usage ||
				!strings.Contains(err.Error(), c.want) {
				t.Errorf("changes %v, error %v (%T), want a *Error of the request stage: %v: %s", got, err, err, c.kind, c.want)
			}
		})
	}
}

// A target that was not written but made says in its error what it asks for.
func TestUnchangedTargetPrintsItself(t *testing.T) {
	current, err := pack(define(t, "a:300 b:2"), plain)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Target{Parallelism: []Parallelism{{"a", 300}, {"b", 2}}}.Changes(current)
	if !errors.Is(err, ErrUnchanged) || !strings.Contains(err.Error(), "request (a:300,b:2) is the same") {
		t.Errorf("error %v, want %v with the request", err, ErrUnchanged)
	}
}

// recorder is a Repacker that makes no plan.
type recorder struct{ calls []string }

func (r *recorder) Repack(_ *topology.Definition, _ *Plan, changes []Change) (*Plan, error) {
	r.calls = append(r.calls, fmt.Sprint("repack ", changes))
	return &Plan{}, nil
}

func (r *recorder) RepackContainers(_ *topology.Definition, _ *Plan, n int, changes []Change) (*Plan, error) {
	r.calls = append(r.calls, fmt.Sprint("repack to ", n, " ", changes))
	return &Plan{}, nil
}

func TestTargetChoosesTheOperation(t *testing.T) {
	def := define(t, "a:3 b:2", "stmgrs=2")
	current, err := pack(def, plain)
	if err != nil {
		t.Fatal(err)
	}
	r := &recorder{}
	for _, c := range []struct{ parallelism, containers string }{{"a:4", ""}, {"a:4", "2"}, {"", "3"}, {"a:3", ""}} {
		target, err := ParseTarget(c.parallelism, c.containers)
		if err != nil {
			t.Fatal(err)
		}
		p, err := target.Repack(r, def, current)
		if (p == nil) != (err != nil) {
			t.Errorf("%v: plan %v, error %v", c, p, err)
		}
	}
	want := []string{"repack [{a 1}]", "repack to 2 [{a 1}]", "repack to 3 []"}
	if diff := cmp.Diff(want, r.calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}
