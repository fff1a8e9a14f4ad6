package apiclient

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/heron-nomad/heron/internal/cluster/clustertest"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/progress"
)

// submission is one of a small topology.
func submission(t *testing.T) Submission {
	t.Helper()
	file := filepath.Join(t.TempDir(), "words.jar")
	if err := os.WriteFile(file, []byte("a jar"), 0o600); err != nil {
		t.Fatal(err)
	}
	return Submission{Definition: clustertest.Words("words-1"), File: file, Properties: []string{"heron.a=b=c"}}
}

// A package larger than what fits in the buffers goes in pieces, and may be sent
// again.
func TestUploadIsStreamedAndRepeated(t *testing.T) {
	const size = 3 << 20
	var tries atomic.Int32
	s := server(t, true, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			doc, _ := json.Marshal(map[string]any{"operation": map[string]any{"id": "7", "result": map[string]any{"submitted": []any{map[string]any{"topology": "words"}}}}})
			_, _ = w.Write(append(doc, '\n'))
			return
		}
		if r.ContentLength < size {
			t.Errorf("length %d", r.ContentLength)
		}
		if err := r.ParseMultipartForm(1 << 20); err != nil || r.MultipartForm.File["topology"][0].Size != size {
			t.Errorf("%v %v", err, r.MultipartForm)
		}
		if tries.Add(1) == 1 {
			_ = r.MultipartForm.RemoveAll() // which the server does otherwise
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, `{"id":"7"}`)
	})
	var ended, sent int64
	to := connect(t, Options{URL: s.URL, Progress: func(e progress.Event) {
		if e.State == progress.Ended {
			ended++
		}
		sent = max(sent, e.Done)
	}})
	one := submission(t)
	if err := os.Truncate(one.File, size); err != nil {
		t.Fatal(err)
	}
	done, err := to.Submit(t.Context(), one)
	if err != nil || len(done) != 1 || tries.Load() != 2 || ended != 2 || sent < size {
		t.Errorf("%v, %v after %d tries, %d ended, %d bytes", done, err, tries.Load(), ended, sent)
	}
	one.Properties = []string{"role=root"}
	_, err = to.Submit(t.Context(), one)
	want(t, err, outcome.Usage, "role")
}
