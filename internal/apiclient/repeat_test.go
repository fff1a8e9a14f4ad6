package apiclient

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/heron-nomad/heron/internal/lifecycle"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/wire"
)

const (
	lostOperation = `{"operation":{"id":"7","state":"interrupted","error":{"message":"the server ended","kind":"interrupted"}}}` + "\n"
	doneOperation = `{"operation":{"id":"7","state":"succeeded","result":{"topology":"words","found":true}}}` + "\n"
)

// restarted is a server that answers about its operation in turn, the last
// answer from then on. It counts the requests that begin one.
func restarted(t *testing.T, answers ...func(http.ResponseWriter)) (to *Topologies, begun *atomic.Int32) {
	begun = &atomic.Int32{}
	var key atomic.Value
	s := server(t, true, func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/operations/") {
			answers[min(int(begun.Load()), len(answers))-1](w)
			return
		}
		n := begun.Add(1)
		got := r.Header.Get(headerIdempotency)
		if before := key.Swap(got); before != nil && before != got {
			t.Errorf("key %q, it was %q", got, before)
		}
		if again := r.Header.Get(wire.HeaderAgain) == "true"; again != (n > 1) {
			t.Errorf("request %d says again: %v", n, again)
		}
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, `{"id":"7","state":"running"}`)
	})
	to = connect(t, Options{URL: s.URL})
	to.client.pause = time.Millisecond
	return to, begun
}

func says(text string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) { _, _ = io.WriteString(w, text) }
}

func unknownOperation(w http.ResponseWriter) {
	w.WriteHeader(http.StatusNotFound)
	_, _ = io.WriteString(w, `{"message":"no operation","kind":"not_found"}`)
}

// An operation that its server did not end, or that the next one does not know,
// is asked for again with the same key.
func TestARestartedServer(t *testing.T) {
	to, begun := restarted(t, says(lostOperation), unknownOperation, says(doneOperation))
	done, err := to.Kill(t.Context(), "words", lifecycle.KillOptions{})
	if err != nil || !done.Found || begun.Load() != 3 {
		t.Errorf("%+v, %v after %d requests", done, err, begun.Load())
	}
}

// It is not asked for for ever.
func TestAServerThatRestartsAgainAndAgain(t *testing.T) {
	to, begun := restarted(t, says(lostOperation))
	_, err := to.Kill(t.Context(), "words", lifecycle.KillOptions{})
	want(t, err, outcome.LeftBehind, "the server ended", "may be half done")
	if begun.Load() != repeats+1 {
		t.Errorf("%d requests", begun.Load())
	}
	if r, ok := outcome.RemedyOf(err); !ok || r.Action != outcome.Repeat || r.Topology != "words" {
		t.Errorf("remedy %+v", r)
	}
}

// What the operation itself found is an answer.
func TestAnAnswerIsNotRepeated(t *testing.T) {
	to, begun := restarted(t, says(`{"operation":{"id":"7","state":"failed","error":{"message":"no such topology","kind":"not_found"}}}`+"\n"))
	_, err := to.Kill(t.Context(), "words", lifecycle.KillOptions{})
	want(t, err, outcome.NotFound, "no such topology")
	if begun.Load() != 1 {
		t.Errorf("%d requests", begun.Load())
	}
}
