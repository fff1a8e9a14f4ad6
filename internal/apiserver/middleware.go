package apiserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"github.com/google/uuid"
	"golang.org/x/time/rate"

	"github.com/heron-nomad/heron/internal/apiserver/auth"
	"github.com/heron-nomad/heron/internal/lazyregexp"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/wire"
)

type contextKey int

const (
	keyRequestID contextKey = iota
	keyIdentity
	keyAgain
	keyClient
)

// headerRequestID names a request, in answers and in the log.
const headerRequestID = "X-Request-Id"

func requestID(ctx context.Context) string {
	id, _ := ctx.Value(keyRequestID).(string)
	return id
}

func identity(ctx context.Context) *auth.Identity {
	if i, ok := ctx.Value(keyIdentity).(*auth.Identity); ok {
		return i
	}
	return &auth.Identity{}
}

// idForm is a request id that a client or a proxy may choose.
var idForm = lazyregexp.New(`^[A-Za-z0-9._-]{1,64}$`)

// wrap is what all requests share: an id, a log line, limits, and who may.
func (s *Server) wrap(at string, verb auth.Verb, handle func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		began := s.opts.Now()
		id := r.Header.Get(headerRequestID)
		if !idForm.MatchString(id) {
			id = uuid.NewString()
		}
		ctx := context.WithValue(r.Context(), keyRequestID, id)
		ctx = context.WithValue(ctx, keyClient, clientOf(r))
		out := &recorder{ResponseWriter: w, stall: s.opts.Limits.Stall}
		out.Header().Set(headerRequestID, id)
		out.Header().Set(wire.HeaderAPI, "1")
		if r.ContentLength != 0 {
			// A body that no handler reads is thrown away, in this time.
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(s.opts.Limits.Stall))
		}
		s.metrics.inFlight.Inc()
		defer s.metrics.inFlight.Dec()
		who, err := s.admit(r, verb)
		if err == nil {
			ctx = context.WithValue(ctx, keyIdentity, who)
			err = s.guarded(out, r.WithContext(ctx), handle)
		}
		if err != nil && out.status == 0 {
			writeError(out, r.WithContext(ctx), err)
		}
		took := s.opts.Now().Sub(began)
		s.metrics.request(r.Method, at, out.code(), took)
		s.metrics.sent.Add(float64(out.size))
		s.logRequest(r, id, who, out, took, err)
	}
}

// guarded calls a handler; a panic in it is a failure of this request alone.
func (s *Server) guarded(w http.ResponseWriter, r *http.Request, handle func(http.ResponseWriter, *http.Request) error) error {
	return s.safely(r.Context(), func() error { return handle(w, r) })
}

// safely calls a function that is part of a request.
func (s *Server) safely(ctx context.Context, do func() error) error {
	return safely(s.opts.Log, requestID(ctx), do)
}

// safely calls a function; a panic in it becomes an error, and a line in the log.
func safely(to *slog.Logger, requestID string, do func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			to.Error("panic", "request_id", requestID, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = errInternal
		}
	}()
	return do()
}

// admit says who sends a request, and refuses it where that one may not.
func (s *Server) admit(r *http.Request, verb auth.Verb) (*auth.Identity, error) {
	if !s.rates.allow(address(r), s.opts.Now()) {
		return nil, &httpError{
			status: http.StatusTooManyRequests, kind: outcome.Unreachable,
			msg: "too many requests from this address; try again later", header: http.Header{"Retry-After": {"1"}},
		}
	}
	if verb == "" {
		return &auth.Identity{Name: "-"}, nil
	}
	who, err := s.opts.Auth.Identify(r)
	switch {
	case errors.Is(err, auth.ErrMissing), errors.Is(err, auth.ErrUnknown):
		return nil, &httpError{
			status: http.StatusUnauthorized, kind: outcome.Denied, msg: err.Error() + "; send Authorization: Bearer TOKEN",
			header: http.Header{"Www-Authenticate": {`Bearer realm="heron"`}},
		}
	case err != nil:
		s.opts.Log.Error("cannot tell who sends requests", "error", err.Error())
		return nil, &httpError{status: http.StatusInternalServerError, kind: outcome.Failed, msg: "the server cannot read who may do what; its log says why"}
	case !who.May(verb):
		return who, forbidden("%s may not %s", who.Name, verb)
	}
	if role := r.PathValue("role"); role != "" && !who.Serves(role) {
		return who, forbidden("%s may not act on topologies of role %s", who.Name, role)
	}
	return who, nil
}

func forbidden(format string, args ...any) error {
	return &httpError{status: http.StatusForbidden, kind: outcome.Denied, msg: fmt.Sprintf(format, args...)}
}

// logRequest writes the line of one request. It holds no header, no query and no
// name of a package, where secrets may be or which are some.
func (s *Server) logRequest(r *http.Request, id string, who *auth.Identity, out *recorder, took time.Duration, err error) {
	level := slog.LevelInfo
	attrs := []slog.Attr{
		slog.String("request_id", id), slog.String("method", r.Method), loggedPath(r),
		slog.Int("status", out.code()), slog.Int64("bytes", out.size), slog.Duration("took", took.Round(time.Microsecond)),
		slog.String("from", address(r)),
	}
	if who != nil {
		attrs = append(attrs, slog.String("by", who.Name))
	}
	if err != nil {
		attrs = append(attrs, slog.String("error", redacted(err.Error())))
		if out.code() >= http.StatusInternalServerError {
			level = slog.LevelError
		}
	}
	if quiet(r) && err == nil {
		level = slog.LevelDebug
	}
	s.opts.Log.LogAttrs(r.Context(), level, "request", attrs...)
}

// quiet says whether a request comes all the time from a machine.
func quiet(r *http.Request) bool {
	return r.URL.Path == "/healthz" || r.URL.Path == "/readyz" || r.URL.Path == "/metrics"
}

// address is that of the client, without its port.
func address(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// recorder remembers what was answered.
type recorder struct {
	http.ResponseWriter
	status int
	size   int64
	// stall is how long a client may take to read a piece.
	stall time.Duration
}

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 && status >= http.StatusOK {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(p []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	n, err := r.ResponseWriter.Write(p)
	r.size += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController find the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func (r *recorder) code() int {
	if r.status == 0 {
		return http.StatusOK
	}
	return r.status
}

// rates bounds how many requests each address sends.
type rates struct {
	limit int

	mu   sync.Mutex
	seen map[string]*visitor
}

type visitor struct {
	limiter *rate.Limiter
	last    time.Time
}

// maxVisitors bounds how many addresses are remembered.
const maxVisitors = 10_000

func (r *rates) allow(from string, now time.Time) bool {
	if r.limit <= 0 {
		return true
	}
	r.mu.Lock()
	v := r.seen[from]
	if v == nil {
		if len(r.seen) >= maxVisitors {
			r.forget(now)
		}
		v = &visitor{limiter: rate.NewLimiter(rate.Limit(r.limit), 2*r.limit)}
		r.seen[from] = v
	}
	v.last = now
	r.mu.Unlock()
	return v.limiter.AllowN(now, 1)
}

// forget drops who has sent nothing for a while, or everybody where all are
// busy; mu is held.
func (r *rates) forget(now time.Time) {
	for from, v := range r.seen {
		if now.Sub(v.last) > time.Minute {
			delete(r.seen, from)
		}
	}
	if len(r.seen) >= maxVisitors {
		clear(r.seen)
	}
}
