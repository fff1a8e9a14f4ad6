package nomad

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/testenv"
)

// The leader of three real servers is killed before and after each request,
// and every use of the client comes to its right end: one that asks an agent,
// and one that asks another of the servers.
func TestLeaderIsKilled(t *testing.T) {
	t.Parallel()
	cluster := testenv.StartedNomadCluster(t, testenv.NomadClusterOptions{})
	ctx := t.Context()
	plain := newClient(t, cluster.Addr, patience)
	for name, use := range map[string]struct {
		method, path string
		before       func(t *testing.T, job *api.Job)
		do           func(c *Client, job *api.Job) error
	}{
		"register": {http.MethodPut, "/v1/jobs", nil, func(c *Client, job *api.Job) error {
			_, err := c.RegisterNew(ctx, job)
			return errors.Join(err, isVersion(ctx, plain, job, 0))
		}},
		"read": {http.MethodGet, "/v1/job/", nil, func(c *Client, job *api.Job) error {
			_, err := c.Job(ctx, *job.ID)
			if errors.Is(err, ErrNotFound) {
				return nil
			}
			return err
		}},
		"plan": {http.MethodPut, "/v1/job/", nil, func(c *Client, job *api.Job) error {
			_, err := c.Forecast(ctx, job)
			return err
		}},
		"wait to run": {http.MethodGet, "/v1/job/", registered(ctx, plain), func(c *Client, job *api.Job) error {
			return c.WaitRunning(ctx, *job.ID, 1, patience, nil)
		}},
		"stop": {http.MethodPut, "/v1/jobs", registered(ctx, plain), func(c *Client, job *api.Job) error {
			stored, err := plain.Job(ctx, *job.ID)
			if err != nil {
				return err
			}
			return errors.Join(c.Stop(ctx, stored), isVersion(ctx, plain, job, 1))
		}},
		"wait to end": {http.MethodGet, "/v1/job/", stopped(ctx, plain), func(c *Client, job *api.Job) error {
			_, err := c.WaitStopped(ctx, *job.ID, patience, nil)
			return err
		}},
		"purge": {http.MethodDelete, "/v1/job/", stopped(ctx, plain), func(c *Client, job *api.Job) error {
			if err := c.PurgeOwned(ctx, *job.ID, "id-of-"+*job.ID); err != nil {
				return err
			}
			if _, err := plain.Job(ctx, *job.ID); !errors.Is(err, ErrNotFound) {
				return errors.Join(errors.New("it is still there"), err)
			}
			return nil
		}},
	} {
		for when, answered := range map[string]bool{"before": false, "after": true} {
			t.Run(name+", "+when, func(t *testing.T) {
				if err := cluster.Heal(ctx); err != nil {
					t.Fatal(err)
				}
				job := sleepingJob(1)
				if use.before != nil {
					use.before(t, job)
				}
				to := cluster.Addr
				if answered {
					var err error
					if to, err = cluster.Follower(ctx); err != nil {
						t.Fatal(err)
					}
				}
				p := newKillProxy(t, cluster, to, use.method, use.path, answered)
				if err := use.do(newClient(t, p.URL, patience), job); err != nil {
					t.Error(err)
				}
				if !p.killed() {
					t.Error("the leader was not killed")
				}
			})
		}
	}
}

func isVersion(ctx context.Context, c *Client, job *api.Job, version uint64) error {
	now, err := c.Job(ctx, *job.ID)
	if err == nil && *now.Version != version {
		err = errors.New("it was written more than once")
	}
	return err
}

func registered(ctx context.Context, c *Client) func(*testing.T, *api.Job) {
	return func(t *testing.T, job *api.Job) {
		t.Helper()
		if _, err := c.RegisterNew(ctx, job); err != nil {
			t.Fatal(err)
		}
	}
}

func stopped(ctx context.Context, c *Client) func(*testing.T, *api.Job) {
	return func(t *testing.T, job *api.Job) {
		t.Helper()
		registered(ctx, c)(t, job)
		stored, err := c.Job(ctx, *job.ID)
		if err == nil {
			err = c.Stop(ctx, stored)
		}
		if err == nil {
			_, err = c.WaitStopped(ctx, *job.ID, patience, nil)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// killProxy stands before a cluster and kills its leader at the first request
// of a kind.
type killProxy struct {
	URL  string
	once sync.Once
	done atomic.Bool
}

func (p *killProxy) killed() bool { return p.done.Load() }

// newKillProxy kills before the request is forwarded or, where it is to be
// answered, after that, and the answer is lost.
func newKillProxy(t *testing.T, cluster *testenv.NomadCluster, target, method, path string, answered bool) *killProxy {
	t.Helper()
	to, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	p, forward := &killProxy{}, httputil.NewSingleHostReverseProxy(to)
	kill := func() {
		if err := cluster.KillLeader(t.Context()); err != nil {
			t.Error(err)
		}
		p.done.Store(true)
	}
	p.URL = serve(t, func(w http.ResponseWriter, r *http.Request) {
		lose := false
		if r.Method == method && strings.HasPrefix(r.URL.Path, path) {
			p.once.Do(func() {
				if answered {
					lose = true
					forward.ServeHTTP(httptest.NewRecorder(), r)
				}
				kill()
			})
		}
		if lose {
			panic(http.ErrAbortHandler)
		}
		forward.ServeHTTP(w, r)
	})
	return p
}
