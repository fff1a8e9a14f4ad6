package apiserver

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/heron-nomad/heron/internal/conf"
)

// Server is an API server.
type Server struct {
	opts       Options
	allowed    allowList
	publicPath string
	reach      *reach
	reads      *reads
	looks      *looks
	operations *operations
	metrics    *metrics
	rates      *rates
	uploads    chan struct{}
	handler    http.Handler

	// behind is what the server does besides answering, until rest is called.
	behind sync.WaitGroup
	rest   context.CancelFunc
}

// New makes a server that will listen on an address; it connects to nothing.
func New(opts Options, listen net.Addr) (*Server, error) {
	opts.Base.Files = &conf.FileCache{}
	s := &Server{
		opts: opts, allowed: allowList(opts.Overrides),
		metrics: newMetrics(opts.Store),
		rates:   &rates{limit: opts.Limits.Rate, seen: map[string]*visitor{}},
		uploads: make(chan struct{}, opts.Limits.Uploads),
	}
	s.reach = newReach(opts, listen)
	s.reads, s.looks = newReads(s), s.newLooks()
	s.operations = newOperations(opts, s.metrics, s.looks.changed)
	if opts.PublicURL != "" {
		u, err := url.Parse(opts.PublicURL)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			return nil, refuse(http.StatusInternalServerError, "--public-url %q is not an address such as https://heron.example.com/api-server", opts.PublicURL)
		}
		s.publicPath = strings.TrimRight(u.Path, "/")
	}
	s.operations.openJournal(opts.Store.Dir())
	s.handler = s.router()
	return s, nil
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// headerLimits bound what comes before a body.
const (
	headerTime  = 10 * time.Second
	headerBytes = 64 << 10
	idleTime    = 2 * time.Minute
)

// Serve answers requests until ctx ends, then takes no more and waits for those
// under way: for the time that the limits give, after which operations are
// cancelled and undone.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	server := &http.Server{
		Handler: s, ReadHeaderTimeout: headerTime, IdleTimeout: idleTime, MaxHeaderBytes: headerBytes,
		TLSConfig: s.opts.TLS,
		ErrorLog:  log.New(logWriter{s.opts.Log}, "", 0),
		// A request's context is its own: the end of the server cancels none.
		BaseContext: func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	l = limitListener(l, s.opts.Limits.Requests)
	failed := make(chan error, 1)
	background, rest := context.WithCancel(ctx)
	s.rest = rest
	s.behind.Go(func() { s.expireUploads(background) })
	go func() {
		if s.opts.TLS != nil {
			failed <- server.ServeTLS(l, "", "")
			return
		}
		failed <- server.Serve(l)
	}()
	select {
	case err := <-failed:
		return errors.Join(fmt.Errorf("serve: %w", err), s.close())
	case <-ctx.Done():
	}
	s.opts.Log.Info("ending", "waits_for_operations", s.opts.Limits.Drain.String())
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.opts.Limits.Drain)
	defer cancel()
	s.operations.drain(drain)
	// The answers of operations that have ended are on their way.
	last, stop := context.WithTimeout(context.WithoutCancel(ctx), lastAnswers)
	defer stop()
	err := server.Shutdown(last)
	if errors.Is(err, context.DeadlineExceeded) {
		err = server.Close() // a client that reads slowly is cut off
	}
	return errors.Join(err, s.close())
}

// lastAnswers is how long answers may take once all operations have ended.
const lastAnswers = 5 * time.Second

func (s *Server) close() error {
	s.rest()
	s.behind.Wait()
	return errors.Join(s.reads.close(), s.operations.closeJournal(), s.opts.Store.Close())
}

// logWriter takes what net/http wants to tell.
type logWriter struct{ log *slog.Logger }

func (l logWriter) Write(p []byte) (int, error) {
	l.log.Debug("http", "message", strings.TrimSpace(string(p)))
	return len(p), nil
}
