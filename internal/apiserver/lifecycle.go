package apiserver

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/heron-nomad/heron/internal/apiserver/auth"
	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/lifecycle"
	"github.com/heron-nomad/heron/internal/operation"
	"github.com/heron-nomad/heron/internal/progress"
	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/wire"
)

// target is the topology that a path names.
func (s *Server) target(r *http.Request) (at place, name string, err error) {
	name = r.PathValue("name")
	if at, err = s.placeOf(r); err != nil {
		return at, name, err
	}
	return at, name, statemgr.CheckName(name)
}

// placeOf is the place that a path names.
func (s *Server) placeOf(r *http.Request) (at place, err error) {
	at = place{cluster: r.PathValue("cluster"), role: r.PathValue("role"), environ: r.PathValue("environment")}
	if err := checkPlace(at); err != nil {
		return at, err
	}
	if err := s.checkCluster(at.cluster); err != nil {
		return at, err
	}
	at.cluster = s.opts.Base.Cluster
	return at, nil
}

// checkCluster refuses another cluster than this server's.
func (s *Server) checkCluster(name string) error {
	if own := s.opts.Base.Cluster; !strings.EqualFold(name, own) {
		return refuse(http.StatusUnprocessableEntity, "Unknown cluster %s expecting '%s'", name, own)
	}
	return nil
}

// useCase acts on a topology that exists. Beside an error it may answer with what
// was done before.
type useCase func(ctx context.Context, cl *Link, set *setup, name string) (*reply, error)

// done is the answer of a use case: the original's words, and its result.
func done[T any](name, past string, result *T, err error) (*reply, error) {
	r := &reply{status: http.StatusOK, body: message{name + " " + past}}
	if result != nil {
		r.result = result
	}
	return r, err
}

// act performs a use case on the topology that the path names. The request is
// told from others by its path, its query and more.
func (s *Server) act(w http.ResponseWriter, r *http.Request, verb auth.Verb, more string, do useCase) error {
	at, name, err := s.target(r)
	if err != nil {
		return err
	}
	at.user = userOf(r.Context(), at.role)
	lock, err := duration(r.URL.Query().Get("lock_timeout"), 0)
	if err != nil {
		return err
	}
	return s.perform(w, r, task{
		verb: verb, topology: name, at: at, digest: digestOf(r, more),
		run: func(ctx context.Context, sink progress.Sink) (answer *reply, err error) {
			set, err := s.setup(ctx, at, nil, false)
			if err != nil {
				return nil, err
			}
			cl, err := s.connect(ctx, set, sink)
			if err != nil {
				return nil, err
			}
			defer s.release(cl)
			err = operation.WhenFree(ctx, cl.State, sink, patience(ctx, set.Settings, lock), func() (err error) {
				answer, err = do(ctx, cl, set, name)
				return err
			})
			return answer, err
		},
	})
}

// kill ends a topology.
func (s *Server) kill(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	ignore, err := flag(q.Get("ignore_missing"))
	if err != nil {
		return err
	}
	purge, err := flag(q.Get("purge_checkpoints"))
	if err != nil {
		return err
	}
	drain, err := duration(q.Get("drain"), 0)
	if err != nil {
		return err
	}
	return s.act(w, r, auth.Kill, "", func(ctx context.Context, cl *Link, set *setup, name string) (*reply, error) {
		killed, err := lifecycle.Kill(ctx, cl.Cluster, name, lifecycle.KillOptions{
			IgnoreMissing: ignore || again(ctx), PurgeCheckpoints: purge, Drain: drain, ForTopology: set.ForTopology,
		})
		return done(name, "killed", killed, err)
	})
}

// unlock removes the claim of an operation that died.
func (s *Server) unlock(w http.ResponseWriter, r *http.Request) error {
	force, err := flag(r.URL.Query().Get("force"))
	if err != nil {
		return err
	}
	return s.act(w, r, auth.Unlock, "", func(ctx context.Context, cl *Link, _ *setup, name string) (*reply, error) {
		unlocked, err := lifecycle.Unlock(ctx, cl.Cluster, name, lifecycle.UnlockOptions{Force: force})
		if err != nil {
			return nil, err
		}
		result := struct {
			*lifecycle.Unlocked
			Remedy *wire.Remedy `json:"remedy,omitempty"`
		}{unlocked, wire.NewRemedy(unlocked.Remedy)}
		return done(name, "unlocked", &result, nil)
	})
}

func (s *Server) activate(w http.ResponseWriter, r *http.Request) error {
	return s.switchTo(w, r, auth.Activate, lifecycle.Activate, "activated")
}

func (s *Server) deactivate(w http.ResponseWriter, r *http.Request) error {
	return s.switchTo(w, r, auth.Deactivate, lifecycle.Deactivate, "deactivated")
}

// switchWait is how long a change of a topology's state may take unless the
// request says otherwise.
const switchWait = time.Minute

func (s *Server) switchTo(w http.ResponseWriter, r *http.Request, verb auth.Verb,
	do func(context.Context, cluster.Cluster, string, lifecycle.SwitchOptions) (*lifecycle.Switched, error), past string,
) error {
	wait, err := duration(r.URL.Query().Get("wait_timeout"), switchWait)
	if err != nil {
		return err
	}
	return s.act(w, r, verb, "", func(ctx context.Context, cl *Link, _ *setup, name string) (*reply, error) {
		switched, err := do(ctx, cl.Cluster, name, lifecycle.SwitchOptions{Wait: wait})
		return done(name, past, switched, err)
	})
}

// flag reads a yes or no; "" is no. The original took any text for yes.
func flag(text string) (bool, error) {
	if text == "" {
		return false, nil
	}
	yes, err := strconv.ParseBool(strings.ToLower(text))
	if err != nil {
		return false, refuse(http.StatusBadRequest, "%q is neither true nor false", text)
	}
	return yes, nil
}

// maxWait is the longest time that a request may ask to wait.
const maxWait = time.Hour

// duration reads a time above zero, such as 30s.
func duration(text string, fallback time.Duration) (time.Duration, error) {
	if text == "" {
		return fallback, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 || d > maxWait {
		return 0, refuse(http.StatusBadRequest, "%q is not a time such as 30s or 5m, above zero and at most %s", text, maxWait)
	}
	return d, nil
}
