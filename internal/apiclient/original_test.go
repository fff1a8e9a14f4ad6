package apiclient

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/heron-nomad/heron/internal/lifecycle"
	"github.com/heron-nomad/heron/internal/outcome"
)

// recording is an answer of the original's server; see testdata/original.
type recording struct {
	Name    string            `json:"name"`
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
}

// recordings are all of them by name.
func recordings(t *testing.T) map[string]recording {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "original", "answers.json"))
	if err != nil {
		t.Fatal(err)
	}
	var list []recording
	if err := json.Unmarshal(data, &list); err != nil {
		t.Fatal(err)
	}
	byName := map[string]recording{}
	for _, r := range list {
		byName[r.Name] = r
	}
	return byName
}

// send answers as the original's server did.
func (r recording) send(w http.ResponseWriter) {
	for name, value := range r.Headers {
		w.Header().Set(name, value)
	}
	w.WriteHeader(r.Status)
	_, _ = io.WriteString(w, r.Body)
}

// TestRecordedFailures: each failure that was recorded has the kind, and so the
// exit code, that it has without a server, and shows what the server says.
func TestRecordedFailures(t *testing.T) {
	all := recordings(t)
	kinds := map[string]struct {
		kind outcome.Kind
		says string
	}{
		"unknown path":               {outcome.Failed, "404 Not Found; is the address right"},
		"wrong method":               {outcome.Failed, "405"},
		"list":                       {outcome.Failed, "405 Method Not Allowed"},
		"topology":                   {outcome.Failed, "405 Method Not Allowed"},
		"submit of another kind":     {outcome.Failed, "415"},
		"submit without anything":    {outcome.Usage, "[name, cluster, role, definition, topology]"},
		"submit without role":        {outcome.Usage, "[role]"},
		"submit to another cluster":  {outcome.Usage, "Unknown cluster aurora expecting 'nomad'"},
		"submit of no definition":    {outcome.Failed, "Failed to read/parse content"},
		"activate of no topology":    {outcome.NotFound, "Topology 'nothing' does not exist"},
		"deactivate of no topology":  {outcome.NotFound, "Topology 'nothing' does not exist"},
		"restart of no topology":     {outcome.NotFound, "Topology 'nothing' does not exist"},
		"update of no topology":      {outcome.NotFound, "Topology 'nothing' does not exist"},
		"submit again":               {outcome.Exists, "Topology 'words' already exists"},
		"activate by another role":   {outcome.Usage, "is running at nomad/ads/prod, not nomad/bob/prod"},
		"kill by another role":       {outcome.Usage, "is running at nomad/ads/prod, not nomad/bob/prod"},
		"kill in another cluster":    {outcome.Usage, "is running at nomad/ads/prod, not aurora/ads/prod"},
		"empty environment":          {outcome.Failed, "404 Not Found"},
		"update without a form":      {outcome.Usage, "no param"},
		"update without a parameter": {outcome.Usage, "missing component_parallelism or runtime_config param"},
		"update of no component":     {outcome.Usage, "Valid components include: [count, word]"},
		"update of a wrong form":     {outcome.Usage, "Expected: <component>:<parallelism>"},
		"update":                     {outcome.Failed, "the scheduler does not support scaling"},
		"restart of a container":     {outcome.Failed, "Failed to restart topology 'words'"},
		"restart of no number":       {outcome.Usage, "400 Bad Request"},
		"upload without a file":      {outcome.Usage, "input stream is null"},
		"download of no file":        {outcome.Failed, "404"},
	}
	for name, r := range all {
		c, ok := kinds[name]
		if ok != (r.Status >= 400) {
			t.Errorf("%s: status %d, and a failure: %v", name, r.Status, ok)
		}
		if !ok {
			continue
		}
		t.Run(name, func(t *testing.T) {
			s := server(t, false, func(w http.ResponseWriter, _ *http.Request) { r.send(w) })
			_, err := connect(t, Options{URL: s.URL}).Activate(t.Context(), "words", lifecycle.SwitchOptions{})
			want(t, err, c.kind, c.says)
		})
	}
}

// TestRecordedVersion: the server of the original is known by its answer.
func TestRecordedVersion(t *testing.T) {
	version := recordings(t)["version"]
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { version.send(w) }))
	defer s.Close()
	c, err := Connect(t.Context(), Options{URL: s.URL})
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Version(); !c.Original() || got["heron.build.version"] != "0.20.5" || got["heron.build.git.status"] != "Clean" || len(got) != 7 {
		t.Errorf("original %v, %v", c.Original(), got)
	}
}
