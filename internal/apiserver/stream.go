package apiserver

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/heron-nomad/heron/internal/progress"
)

// beat is how long a stream may be without a line: proxies end connections that
// are silent.
const beat = 15 * time.Second

// stream is an answer of JSON documents, one a line, that is written as things
// happen. Its methods may be called from several goroutines.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	stall   time.Duration

	mu    sync.Mutex
	begun bool
	last  time.Time
	err   error
}

func (s *Server) newStream(w http.ResponseWriter) *stream {
	return &stream{w: w, control: http.NewResponseController(w), stall: s.opts.Limits.Stall}
}

// begin sends the head of the answer; from here on no other status can be given.
func (l *stream) begin() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.begun {
		return
	}
	l.begun, l.last = true, time.Now()
	head := l.w.Header()
	head.Set("Content-Type", "application/x-ndjson")
	head.Set("Cache-Control", "no-store")
	head.Set("X-Accel-Buffering", "no") // nginx would keep lines back
	l.w.WriteHeader(http.StatusOK)
	l.err = l.control.Flush()
}

// send writes one document. The first error stays: the client has gone.
func (l *stream) send(docs ...any) error {
	l.begin()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return l.err
	}
	_ = l.control.SetWriteDeadline(time.Now().Add(l.stall))
	for _, doc := range docs {
		if _, l.err = l.w.Write(append(encode(doc), '\n')); l.err != nil {
			return l.err
		}
	}
	l.last = time.Now()
	l.err = l.control.Flush()
	return l.err
}

// note writes what goes on beside what is asked for. Before the head of the answer
// it is dropped, so that a failure can still have a status.
func (l *stream) note(e progress.Event) {
	l.mu.Lock()
	begun := l.begun
	l.mu.Unlock()
	if begun {
		_ = l.send(map[string]any{"event": newEvent(e)}) // a client that has gone shows at the next line
	}
}

// keepAlive writes empty documents where nothing else is written, until the
// returned function is called. Nothing is written after that.
func (l *stream) keepAlive(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	over := make(chan struct{})
	go func() {
		defer close(over)
		tick := time.NewTicker(beat / 3)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				if l.silent() {
					_ = l.send(struct{}{}) // the next one notices
				}
			}
		}
	}()
	return func() {
		cancel()
		<-over
	}
}

// silent says that it is time for a sign of life. Before the head of the answer
// it is not.
func (l *stream) silent() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.begun && time.Since(l.last) > beat*2/3
}

// finish is the end of an answer: with a failure, if there is one. Before the
// head was sent the failure gets a status of its own.
func (l *stream) finish(ctx context.Context, err error) error {
	l.mu.Lock()
	begun := l.begun
	l.mu.Unlock()
	switch {
	case err == nil:
		_ = l.send(map[string]any{"end": true})
		return nil
	case !begun:
		return err
	case ctx.Err() == nil:
		_ = l.send(map[string]any{"error": newProblem(err, requestID(ctx))})
	}
	return err
}
