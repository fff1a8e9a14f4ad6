package nomad

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/nomad/jobspec"
)

// TestDeniedNamesTheCapability goes through the requests of the client. That
// these are the ones Nomad wants is tested on a real one, end to end.
func TestDeniedNamesTheCapability(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "Permission denied", http.StatusForbidden)
	}))
	defer server.Close()
	job := testJob(t, 1)
	job.Meta = map[string]string{jobspec.MetaTopologyID: "x"}
	job.JobModifyIndex = new(uint64(7))
	for want, requests := range map[string]map[string]func(context.Context, *Client) error{
		"read-job": {
			"Job":         func(ctx context.Context, c *Client) error { _, err := c.Job(ctx, "x"); return err },
			"Allocations": func(ctx context.Context, c *Client) error { _, err := c.Allocations(ctx, "x"); return err },
			"WaitRunning": func(ctx context.Context, c *Client) error { return c.WaitRunning(ctx, "x", 1, time.Minute, nil) },
			"WaitStopped": func(ctx context.Context, c *Client) error {
				_, err := c.WaitStopped(ctx, "x", time.Minute, nil)
				return err
			},
			"PurgeOwned": func(ctx context.Context, c *Client) error { return c.PurgeOwned(ctx, "x", "x") },
		},
		"list-jobs": {
			"Jobs":         func(ctx context.Context, c *Client) error { _, err := c.Jobs(ctx, "x"); return err },
			"TopologyJobs": func(ctx context.Context, c *Client) error { _, err := c.TopologyJobs(ctx, "x"); return err },
		},
		"submit-job": {
			"RegisterNew": func(ctx context.Context, c *Client) error { _, err := c.RegisterNew(ctx, job); return err },
			"Stop":        func(ctx context.Context, c *Client) error { return c.Stop(ctx, job) },
			"Purge":       func(ctx context.Context, c *Client) error { return c.Purge(ctx, "x") },
			"Forecast":    func(ctx context.Context, c *Client) error { _, err := c.Forecast(ctx, job); return err },
		},
	} {
		for name, request := range requests {
			for token, says := range map[string]string{"a-token": "the token lacks the capability " + want, "": "no token was given"} {
				c, err := NewClient(ClientOptions{Address: server.URL, Namespace: "ads", Token: token, RequestTimeout: time.Minute})
				if err != nil {
					t.Fatal(err)
				}
				err = request(t.Context(), c)
				c.Close()
				var denied *DeniedError
				var refused *RejectedError
				if !errors.As(err, &denied) || !errors.Is(err, ErrDenied) || !errors.As(err, &refused) || errors.Is(err, ErrUnknownOutcome) {
					t.Errorf("%s: %v, want a *DeniedError and a *RejectedError", name, err)
					continue
				}
				policy := `namespace "ads" { capabilities = ["` + want + `"] }`
				if denied.Capability != want || denied.Policy != policy || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), policy) {
					t.Errorf("%s: %v, want %q and %q in it", name, err, says, policy)
				}
				if token != "" && strings.Contains(err.Error(), token) {
					t.Errorf("%s shows the token: %v", name, err)
				}
			}
		}
	}
}

func TestNodesThatMayNotBeReadCountAsThere(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "Permission denied", http.StatusForbidden)
	}))
	defer server.Close()
	allocs := []*api.AllocationListStub{{ID: "a"}}
	live, lost, err := newClient(t, server.URL, time.Minute).withoutLostNodes(t.Context(), allocs)
	if err != nil || len(live) != 1 || len(lost) != 0 {
		t.Errorf("live %v, lost %v, %v", live, lost, err)
	}
}
