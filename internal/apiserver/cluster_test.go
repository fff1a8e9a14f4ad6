package apiserver

import (
	"context"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/apiclient"
	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/doctor"
	"github.com/heron-nomad/heron/internal/lifecycle"
	"github.com/heron-nomad/heron/internal/nomad"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/uploader"
)

func (f *fakeNomad) SeesAllJobs(context.Context) error { return f.hidden }

func (f *fakeNomad) EachJob(_ context.Context, do func(*api.Job) error) error {
	for _, job := range f.jobs.Jobs {
		if err := do(job); err != nil {
			return err
		}
	}
	return nil
}

func (f *fakeNomad) ClockAhead(context.Context) (time.Duration, bool, error) { return 0, true, nil }
func (f *fakeNomad) Rights(context.Context) []nomad.Right                    { return nil }
func (f *fakeNomad) Nodes(context.Context, conf.Nomad) ([]nomad.Node, error) {
	return []nomad.Node{{Name: "one", Eligible: true}}, nil
}

func (f *fakeNomad) NodeFacts(context.Context, []nomad.Node) ([]nomad.NodeFacts, error) {
	return nil, nil
}

func (f *fakeNomad) RunEverywhere(context.Context, *api.Job, string, time.Duration) ([]nomad.NodeRun, error) {
	f.ran++
	return []nomad.NodeRun{{Node: "one", Status: "complete", Output: "tar\tok\ttar 1.34\njava\tproblem\tno java\n"}}, nil
}

// content is that of a package.
type content struct{ *strings.Reader }

func (content) Close() error { return nil }

// old makes everything in the store one of long ago.
func (b *bench) old() {
	b.t.Helper()
	long := time.Now().Add(-60 * 24 * time.Hour)
	for _, name := range b.stored() {
		b.Must(os.Chtimes(filepath.Join(b.store.Dir(), name), long, long))
	}
}

// Packages that go to the server itself are collected as those anywhere are.
func TestGCOfTheServersOwnPackages(t *testing.T) {
	b := newBench(t, func(o *Options) {
		o.DownloadHost = "127.0.0.1"
		o.Base.Properties = append(o.Base.Properties, "heron.class.uploader=http")
	})
	b.owned = true
	b.want(b.submit("/api/v1/topologies", b.submission()), 201)
	b.want(b.upload("by-hand.tar.gz", "of a client"), 200)
	set, err := b.server.setup(t.Context(), place{"nomad", "ads", "prod", "ann"}, nil, false)
	b.Must(err)
	link, err := b.server.connect(t.Context(), set, nil)
	b.Must(err)
	name := "nomad/ads/prod/gone/gone-1/" + strings.Repeat("0", 64) + ".tar.gz"
	b.want(b.send("POST", "/api/v1/clusters/nomad/gc?older_than=1h", nil), 200, `"removed":[]`, `"young":1`)
	at, err := link.Uploader.Upload(t.Context(), uploader.Source{
		Name: name, Size: 1, SHA256: digest("x"),
		Open: func() (uploader.Content, error) { return content{strings.NewReader("x")}, nil },
	})
	b.Must(err)
	orphan := path.Base(at.URI)
	b.old()
	b.want(b.send("POST", "/api/v1/clusters/nomad/gc?dry_run=true", nil), 200, `"dry_run":true`, `"name":"`+name, `"kept":1`)
	if _, _, err := b.store.Get(orphan); err != nil {
		t.Errorf("a dry run removed it: %v", err)
	}
	done, err := b.client(apiclient.Options{}).GC(t.Context(), lifecycle.GCOptions{OlderThan: time.Hour})
	b.Must(err)
	if len(done.Removed) != 1 || done.Removed[0].Name != name || done.Bytes != 1 || done.Kept != 1 || done.DryRun {
		t.Errorf("%+v", done)
	}
	if _, _, err := b.store.Get(orphan); err == nil {
		t.Error("it is still there")
	}
	if left := b.stored(); len(left) != 2 {
		t.Errorf("left: %q", left)
	}
	b.nomad.hidden = outcome.New(outcome.Denied, "the token does not see all namespaces")
	_, err = b.client(apiclient.Options{}).GC(t.Context(), lifecycle.GCOptions{})
	b.fails(err, outcome.Denied, "nothing was removed")
}

func TestDoctorOverHTTP(t *testing.T) {
	b := newBench(t, nil)
	b.want(b.submit("/api/v1/topologies", b.submission()), 201)
	to := b.client(apiclient.Options{})
	checks, err := to.Doctor(t.Context(), apiclient.DoctorOptions{})
	b.Must(err)
	names := map[string]doctor.Status{}
	for _, c := range checks {
		names[c.Name] = c.Status
	}
	if names[doctor.State] != doctor.OK || names[doctor.Uploader] != doctor.OK || names[doctor.Containers] == "" {
		t.Errorf("%+v", names)
	}
	if _, ok := names[doctor.Java]; ok || b.nomad.ran > 0 {
		t.Errorf("the server looks for programs that run with the client: %+v", names)
	}
	checks, err = to.Doctor(t.Context(), apiclient.DoctorOptions{Topology: "nosuch", Role: "ads", Nodes: time.Minute})
	b.Must(err)
	report := doctor.NewReport(checks)
	b.fails(report.Err(), outcome.Differs, "2 problems")
	if b.nomad.ran != 1 {
		t.Errorf("%d jobs ran on nodes", b.nomad.ran)
	}
	// What cannot be reached is part of the report, with its kind.
	b.Store.Rights = func() error { return outcome.New(outcome.Unreachable, "no quorum") }
	checks, err = to.Doctor(t.Context(), apiclient.DoctorOptions{})
	b.Must(err)
	b.fails(doctor.NewReport(checks).Err(), outcome.Unreachable)
	// A remedy comes along.
	for _, job := range b.Jobs.Jobs {
		delete(b.Jobs.Jobs, *job.ID)
	}
	b.Store.Rights = nil
	checks, err = to.Doctor(t.Context(), apiclient.DoctorOptions{})
	b.Must(err)
	remedy := &outcome.Remedy{}
	for _, c := range checks {
		if c.Remedy != nil {
			remedy = c.Remedy
		}
	}
	if remedy.Action != outcome.Kill || remedy.Topology != "words" || remedy.Role != "ads" {
		t.Errorf("%+v", remedy)
	}
}

// What is about all roles needs the right to all, and a job on every node a right
// of its own.
func TestRightsToTheCluster(t *testing.T) {
	b := newBench(t, func(o *Options) {
		o.Auth = tokens(t, `tokens:
  - {name: ads, sha256: `+digest("ads")+`, verbs: ["*"], roles: [ads]}
  - {name: look, sha256: `+digest("look")+`, verbs: [doctor], roles: ["*"]}
`)
	})
	of := func(path, token string) answer {
		return b.send("POST", "/api/v1/clusters/nomad/"+path, nil, "Authorization", "Bearer "+token)
	}
	b.want(of("gc", "ads"), 403, "those of all")
	b.want(of("doctor", "ads"), 403, "those of all")
	b.want(of("doctor?of_role=other", "ads"), 403, "role other")
	b.want(of("doctor?of_role=ads&nodes=1m", "ads"), 200, `"check":"node"`)
	b.want(of("doctor?nodes=1m", "look"), 403, "may not nodes")
	b.want(of("doctor", "look"), 200)
	b.want(of("gc", "look"), 403, "may not gc")
}

// Nothing of a request about a cluster reaches a path or a command unchecked.
func TestAttacksOnTheCluster(t *testing.T) {
	b := newBench(t, nil)
	for path, status := range map[string]int{
		"other/gc":                             422,
		"nomad/gc?role=..%2F..":                422,
		"nomad/gc?environment=a%00b":           422,
		"nomad/gc?older_than=-1h":              400,
		"nomad/gc?older_than=soon":             400,
		"nomad/gc?dry_run=maybe":               400,
		"nomad/doctor?topology=..%2Fx":         422,
		"nomad/doctor?nodes=0s":                400,
		"nomad/doctor?nodes=9000h":             400,
		"nomad/doctor?role=%2Fetc&topology=ok": 422,
		"..%2F..%2Fetc/gc":                     404,
	} {
		if a := b.send("POST", "/api/v1/clusters/"+path, nil); a.status != status {
			t.Errorf("%s: status %d, want %d: %s", path, a.status, status, a.body)
		}
	}
	if list := b.server.operations.list(); len(list) > 0 || b.nomad.ran > 0 {
		t.Errorf("%d operations began, %d jobs ran", len(list), b.nomad.ran)
	}
	for _, what := range []string{"gc", "doctor"} {
		b.want(b.send("GET", "/api/v1/clusters/nomad/"+what, nil), 405, "there are POST")
	}
}
