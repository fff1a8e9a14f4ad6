package e2e

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestSubmitRunsAndKillLeavesNothing(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	r := c.submit("--wait")
	c.want(r, 0, "topology "+c.topology+" runs at nomad/ann/default: job "+c.jobID()+", 3 containers")
	if live := c.liveContainers(); len(live) != 3 {
		t.Errorf("containers: %v", live)
	}
	want := []string{"deployments", "executionstate", "history", "packingplans", "pplans", "schedulers", "tmanagers", "topologies"}
	got := map[string]bool{}
	for _, node := range c.nodes() {
		dir, _, _ := strings.Cut(strings.TrimPrefix(node, c.root+"/"), "/")
		got[dir] = true
	}
	if dirs := slices.Sorted(maps.Keys(got)); !slices.Equal(dirs, want) {
		t.Errorf("state nodes in %v, want them in %v", dirs, want)
	}
	if files := c.files(c.tmp); len(files) > 0 {
		t.Errorf("temporary files: %v", files)
	}

	c.want(c.submit(), 5, "already exists", "heron: ")

	r = c.kill()
	c.want(r, 0, "topology "+c.topology+" killed")
	c.nothingLeft()

	c.want(c.kill(), 4, "no topology")
	c.want(c.kill("--ignore-missing"), 0, "does not exist")
}

func TestArgumentsReachTheProgram(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	program := filepath.Join(t.TempDir(), "program")
	script := "#!/bin/sh\nfor a; do echo \"<$a>\"; done\nexec " + bin.sample + " --name " + c.topology + "\n"
	if err := os.WriteFile(program, []byte(script), 0o755); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	r := c.heron("submit", "--dry-run", "nomad", program, "-", "--eco-config-file", "f", "-r", "http://x", "-1", "a b")
	c.want(r, 0, "<--eco-config-file>\n<f>\n<-r>\n<http://x>\n<-1>\n<a b>\n")
	c.nothingLeft()
}

func TestDryRunIsWhatARealRunWrites(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.env = append(c.env, "SOURCE_DATE_EPOCH=1700000000")
	id := c.topology + "-fixed-id"
	dry := func() string {
		r := c.submit("--dry-run", "--dry-run-format", "deployment", "--topology-id", id)
		c.want(r, 0)
		return r.out
	}
	text := dry()
	if text != dry() {
		t.Error("two dry runs of the same input differ")
	}
	c.nothingLeft()

	var doc struct {
		Package struct {
			SHA256, URI string
			Size        int64
		}
		State []struct {
			Path string
			Data []byte
		}
		Job struct{ ID string }
	}
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatal(err)
	}
	c.want(c.submit("--topology-id", id), 0)
	for _, n := range doc.State {
		if got := c.node(n.Path); string(got) != string(n.Data) {
			t.Errorf("%s: stored %q, the dry run said %q", n.Path, got, n.Data)
		}
	}
	if info, err := os.Stat(strings.TrimPrefix(doc.Package.URI, "file://")); err != nil || info.Size() != doc.Package.Size {
		t.Errorf("package %s of %d bytes: %v", doc.Package.URI, doc.Package.Size, err)
	}
	if job := c.job(); job == nil || *job.ID != doc.Job.ID {
		t.Errorf("job %v, the dry run said %s", job, doc.Job.ID)
	}
	c.want(c.kill(), 0)
	c.nothingLeft()
}

func TestDryRunNeedsNoServer(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.properties["heron.nomad.scheduler.uri"] = "http://127.0.0.1:1"
	c.properties["heron.statemgr.connection.string"] = "127.0.0.1:1"
	for _, format := range []string{"table", "raw", "json", "deployment"} {
		c.want(c.submit("--dry-run", "--dry-run-format", format), 0)
	}
	c.want(c.submit("--dry-run", "--dry-run-format", "xml"), 2, "unknown dry-run format")
	c.want(c.submit("--dry-run", "--output", "json", "--dry-run-format", "table"), 2, "--output json goes with")
	if r := c.submit("--dry-run", "--output", "json"); r.code != 0 || !json.Valid([]byte(r.out)) {
		t.Errorf("not one JSON document: %s", r)
	}
	c.nothingLeft()
}

func TestBadInputIsRefusedBeforeAnythingIsDone(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	for _, args := range [][]string{
		{"submit"},
		{"submit", "nomad", "no-such.jar", "Main"},
		{"submit", "nomad", "/etc/hostname", "Main"},
		{"submit", "--no-such-flag", "nomad", bin.sample, "-"},
		{"submit", "no-such-cluster", bin.sample, "-"},
		{"submit", "a/b/c/d", bin.sample, "-"},
		{"submit", "--output", "xml", "nomad", bin.sample, "-"},
		{"submit", "--service-url", "ftp://x", "nomad", bin.sample, "-"},
		{"submit", "--config-property", "heron.no.such.key=1", "nomad", bin.sample, "-"},
		{"submit", "--config-property", "heron.nomad.core.freq.mapping=fast", "nomad", bin.sample, "-"},
		{"submit", "--config-property", "heron.nomad.scheduler.uri=http://u:hidden@h:4646", "nomad", bin.sample, "-"},
		{"submit", "--config-property", "heron.package.core.uri=http://u:hidden@h/core.tar.gz", "nomad", bin.sample, "-"},
		{"submit", "--config-property", "nonsense", "nomad", bin.sample, "-"},
		{"submit", "nomad", bin.sample, "-", "--name", "a.b"},
		{"submit", "--topology-definition", "/etc/hostname", "nomad", bin.sample},
		{"kill", "nomad"},
		{"kill", "nomad", "x", "y"},
		{"kill", "--dry-run", "nomad", "x"},
		{"init", "surplus"},
		{"config"},
		{"config", "../x"},
		{"config", "nomad", "set", "no.such", "x"},
		{"no-such-command"},
		{"help", "no-such-command"},
		{"version", "a", "b"},
		{"version", "nomad"},
		{"plan", "--dry-run", "nomad", bin.sample, "-"},
	} {
		r := c.heron(args...)
		if r.code != 2 || !strings.HasPrefix(lastLine(r.errOut), "heron: ") {
			t.Errorf("heron %s: %s", strings.Join(args, " "), r)
		}
		if strings.Contains(r.out+r.errOut, "hidden") {
			t.Errorf("heron %s shows a secret: %s", strings.Join(args, " "), r)
		}
	}
	c.nothingLeft()
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

func TestFailuresPrintOneJSONDocument(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	for code, r := range map[int]result{
		2: c.heron("submit", "--output", "json", "nomad", "no-such.jar", "Main"),
		4: c.kill("--output", "json"),
	} {
		var doc struct {
			Error struct {
				Message string `json:"message"`
				Code    int    `json:"exit_code"`
			} `json:"error"`
		}
		if err := json.Unmarshal([]byte(r.out), &doc); err != nil || doc.Error.Code != code || r.code != code || doc.Error.Message == "" {
			t.Errorf("%v: %s", err, r)
		}
	}
	r := c.submit("--wait", "--output", "json")
	c.want(r, 0)
	var done struct {
		Submitted []struct {
			Topology, Job, Evaluation, Deployment string

			Package string
			SHA256  string `json:"package_sha256"`
		}
	}
	if err := json.Unmarshal([]byte(r.out), &done); err != nil || len(done.Submitted) != 1 || done.Submitted[0].Job != c.jobID() {
		t.Fatalf("%v: %s", err, r)
	}
	// The ids are those that Nomad and the package store know.
	ids := done.Submitted[0]
	evaluation, _, err := c.api().Evaluations().Info(ids.Evaluation, nil)
	if err != nil || evaluation.JobID != ids.Job {
		t.Errorf("evaluation %q: %v", ids.Evaluation, err)
	}
	deployment, _, err := c.api().Deployments().Info(ids.Deployment, nil)
	if err != nil || deployment.JobID != ids.Job {
		t.Errorf("deployment %q: %v", ids.Deployment, err)
	}
	content, err := os.ReadFile(strings.TrimPrefix(ids.Package, "file://"))
	if sum := fmt.Sprintf("%x", sha256.Sum256(content)); err != nil || sum != ids.SHA256 {
		t.Errorf("the package has digest %s, not %s: %v", sum, ids.SHA256, err)
	}
	c.want(c.kill("--output", "json"), 0, `"found": true`)
	c.nothingLeft()
}
