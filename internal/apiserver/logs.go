package apiserver

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/heron-nomad/heron/internal/logs"
)

// showLogs streams what a topology's containers log: {"line": …} a line.
func (s *Server) showLogs(w http.ResponseWriter, r *http.Request) error {
	return s.streamLogs(w, r, nil, func(out *stream) logs.Sink { return logSink{out} })
}

// maxBookmarks bounds the bookmarks of a request, in bytes: those of more than
// 40,000 logs.
const maxBookmarks = 16 << 20

// resumeLogs is showLogs with bookmarks: it tells behind the lines how far that
// is, and goes on from where the body says.
func (s *Server) resumeLogs(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		From []logs.Bookmark `json:"from"`
	}
	done := s.readBody(w, r, maxBookmarks)
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil && !errors.Is(err, io.EOF) {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return refuse(http.StatusRequestEntityTooLarge, "the bookmarks are larger than %d bytes", maxBookmarks)
		}
		return refuse(http.StatusBadRequest, "the body is not the JSON of bookmarks: %v", err)
	}
	done()
	var from logs.Bookmarks
	if body.From != nil {
		from = logs.Bookmarks{}
		from.Take(body.From)
	}
	return s.streamLogs(w, r, from, func(out *stream) logs.Sink { return &markingSink{logSink: logSink{out}} })
}

func (s *Server) streamLogs(w http.ResponseWriter, r *http.Request, from logs.Bookmarks, sink func(*stream) logs.Sink) error {
	at, name, err := s.target(r)
	if err != nil {
		return err
	}
	options, err := s.logOptions(r.URL.Query())
	if err != nil {
		return err
	}
	options.From = from
	cl, err := s.reads.cluster(r.Context(), at)
	if err != nil {
		return err
	}
	out := s.newStream(w)
	defer out.keepAlive(r.Context())()
	servers := logs.Servers{Cluster: cl.Cluster, Nomad: cl.Nomad, Shell: cl.Shell}
	servers.Cluster.Progress = out.note
	return out.finish(r.Context(), logs.Show(r.Context(), servers, name, options, sink(out)))
}

// logOptions reads what to show of the logs.
func (s *Server) logOptions(q url.Values) (logs.Options, error) {
	o := logs.Options{Tail: logs.Everything, Component: q.Get("component"), File: q.Get("file"), Stream: q.Get("stream"), Now: s.opts.Now}
	var err error
	if o.Follow, err = flag(q.Get("follow")); err != nil {
		return o, err
	}
	switch o.Stream {
	case "", "stdout", "stderr":
	default:
		return o, refuse(http.StatusBadRequest, "stream=%q: use stdout or stderr", o.Stream)
	}
	for name, into := range map[string]func(int){"container": func(n int) { o.Container = &n }, "tail": func(n int) { o.Tail = n }} {
		text := q.Get(name)
		if text == "" {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil {
			return o, refuse(http.StatusBadRequest, "%s=%q is not a number", name, text)
		}
		into(n)
	}
	if text := q.Get("since"); text != "" {
		if o.Since, err = time.Parse(time.RFC3339, text); err != nil {
			return o, refuse(http.StatusBadRequest, "since=%q is not a time such as 2026-01-31T08:00:00Z", text)
		}
	}
	return o, nil
}

// logLine is a line of a log, and the name of the log beside its container.
type logLine struct {
	Line  *logs.Line `json:"line"`
	Label string     `json:"label,omitempty"`
}

// logSink sends lines of logs.
type logSink struct{ out *stream }

// Begin implements logs.Sink.
func (l logSink) Begin(one bool) {
	_ = l.out.send(map[string]bool{"one": one}) // a client that has gone shows at the next line
}

// Lines implements logs.Sink.
func (l logSink) Lines(lines []logs.Line) error { return l.out.send(lineDocs(lines)...) }

func lineDocs(lines []logs.Line) []any {
	docs := make([]any, len(lines))
	for i := range lines {
		docs[i] = logLine{&lines[i], lines[i].Label}
	}
	return docs
}

// markingSink sends bookmarks behind the lines that they are about, in one piece.
type markingSink struct {
	logSink
	pending []any
}

// Lines implements logs.Sink.
func (m *markingSink) Lines(lines []logs.Line) error {
	m.pending = append(m.pending, lineDocs(lines)...)
	return nil
}

// Mark implements logs.Marker.
func (m *markingSink) Mark(marks []logs.Bookmark) error {
	docs := m.pending
	m.pending = nil
	return m.out.send(append(docs, map[string]any{"marks": marks})...)
}
