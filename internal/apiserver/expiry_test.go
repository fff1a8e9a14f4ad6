package apiserver

import (
	"encoding/json"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/statemgr"
)

// longUnused makes a file one that was stored long ago.
func (b *bench) longUnused(ids ...string) {
	b.t.Helper()
	long := time.Now().Add(-60 * 24 * time.Hour)
	for _, id := range ids {
		b.Must(os.Chtimes(filepath.Join(b.store.Dir(), id), long, long))
	}
}

func (b *bench) uploaded(name string) (id, uri string) {
	b.t.Helper()
	a := b.upload(name, "content of "+name)
	b.want(a, 200)
	return path.Base(a.body), a.body
}

// What clients uploaded goes once it is old and nothing uses it.
func TestUploadsExpire(t *testing.T) {
	b := newBench(t, func(o *Options) { o.DownloadHost = "127.0.0.1" })
	b.want(b.submit("/api/v1/topologies", b.submission()), 201)
	forgotten, _ := b.uploaded("forgotten.tar.gz")
	young, _ := b.uploaded("young.tar.gz")
	fetched, _ := b.uploaded("fetched.tar.gz")
	recorded, recordedURI := b.uploaded("recorded.tar.gz")
	ofJob, ofJobURI := b.uploaded("of-a-job.tar.gz")
	b.longUnused(forgotten, fetched, recorded, ofJob)
	b.want(b.send("GET", "/api/v1/file/download/"+fetched, nil), 200)

	// A command line submitted one with another address of this server, and a job
	// that is not heron's names one somewhere.
	record := b.Cluster.State.Deployment("words")
	node, err := b.Cluster.State.Read(t.Context(), record)
	b.Must(err)
	var doc map[string]any
	b.Must(json.Unmarshal(node.Data, &doc))
	doc["package"].(map[string]any)["uri"] = strings.Replace(recordedURI, "127.0.0.1", "another-name", 1)
	data, err := json.Marshal(doc)
	b.Must(err)
	b.Must(b.Cluster.State.Apply(t.Context(), statemgr.Set(record, data)))
	id := "by-hand"
	b.Jobs.Jobs[id] = &api.Job{ID: &id, Meta: map[string]string{"get": "curl " + ofJobURI}}

	b.nomad.hidden = outcome.New(outcome.Denied, "the token does not see all namespaces")
	if err := b.server.expire(t.Context()); outcome.KindOf(err) != outcome.Denied {
		t.Errorf("jobs are hidden: %v", err)
	}
	b.nomad.hidden = nil
	if _, _, err := b.store.Get(forgotten); err != nil {
		t.Errorf("something was removed: %v", err)
	}
	b.Must(b.server.expire(t.Context()))
	left := b.stored()
	if slices.Contains(left, forgotten) {
		t.Error("it did not expire")
	}
	for _, id := range []string{young, fetched, recorded, ofJob} {
		if !slices.Contains(left, id) {
			t.Errorf("%s is gone", id)
		}
	}
	if !strings.Contains(b.log.String(), "an upload has expired") || b.store.Used() == 0 {
		t.Error("the log does not say so, or the rest is not counted")
	}
}

// A server that keeps uploads for ever does not look for unused ones.
func TestUploadsThatStay(t *testing.T) {
	b := newBench(t, func(o *Options) { o.DownloadHost, o.Limits.UploadExpiry = "127.0.0.1", 0 })
	id, _ := b.uploaded("a.tar.gz")
	b.longUnused(id)
	b.server.expireUploads(t.Context()) // it returns at once
	if _, _, err := b.store.Get(id); err != nil {
		t.Error(err)
	}
}
