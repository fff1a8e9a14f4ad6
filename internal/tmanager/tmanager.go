// Package tmanager asks the TManager of a running topology over HTTP, at the
// controller port that its location in the state names. It knows requests and
// answers; callers decide when to ask and what to do with an answer.
package tmanager

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/heron-nomad/heron/internal/heronpb"
	"github.com/heron-nomad/heron/internal/outcome"
)

// Errors that callers tell apart.
var (
	// ErrUnreachable: no answer, or not the answer of a TManager.
	ErrUnreachable = outcome.New(outcome.Unreachable, "the TManager cannot be asked")
	// ErrNoPlan: the TManager has no complete physical plan. Some of the
	// topology's containers have not connected yet, or are gone.
	ErrNoPlan = errors.New("the TManager has no complete physical plan")
)

const (
	defaultTimeout = 5 * time.Second
	// answerLimit is the most that is read of an answer, in bytes. A plan has
	// the definition and a line for each instance.
	answerLimit = 256 << 20
)

// Options say how to reach TManagers. The zero value connects directly.
type Options struct {
	// Dial connects to an address as net.Dialer's DialContext does; nil connects
	// directly.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Timeout bounds one request; default 5 s.
	Timeout time.Duration
}

// Client asks TManagers. It is safe for concurrent use.
type Client struct {
	http    *http.Client
	timeout time.Duration
}

// New returns a client; it connects when it is used. It ignores the proxies of
// the environment variables, because TManagers are in the cluster's network.
func New(o Options) *Client {
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	return &Client{
		timeout: o.Timeout,
		http: &http.Client{
			// A TManager answers one request per connection and never redirects.
			Transport:     &http.Transport{DialContext: o.Dial, DisableKeepAlives: true, DisableCompression: true},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// PhysicalPlan returns the plan that the TManager at a location uses. It is
// ErrNoPlan while not all stream managers are connected, and ErrUnreachable if
// no TManager of this topology answers there.
func (c *Client) PhysicalPlan(ctx context.Context, at *heronpb.TManagerLocation) (*heronpb.PhysicalPlan, error) {
	where := net.JoinHostPort(at.GetHost(), strconv.Itoa(int(at.GetControllerPort())))
	status, body, err := c.get(ctx, where, "/get_current_physical_plan", url.Values{"topologyid": {at.GetTopologyId()}})
	switch {
	case err != nil:
		return nil, fmt.Errorf("ask for the physical plan: %w at %s: %w", ErrUnreachable, where, err)
	case status == http.StatusBadRequest, status == http.StatusNotFound:
		return nil, fmt.Errorf("ask for the physical plan at %s: %w", where, ErrNoPlan)
	case status != http.StatusOK:
		return nil, fmt.Errorf("ask for the physical plan: %w at %s: it answers %d", ErrUnreachable, where, status)
	}
	plan, err := decodePlan(body)
	if err != nil {
		return nil, fmt.Errorf("ask for the physical plan: %w at %s: the answer is no plan: %w", ErrUnreachable, where, err)
	}
	if id := plan.GetTopology().GetId(); id != at.GetTopologyId() {
		return nil, fmt.Errorf("ask for the physical plan: %w at %s: there is topology %s, not %s", ErrUnreachable, where, id, at.GetTopologyId())
	}
	return plan, nil
}

func (c *Client) get(ctx context.Context, where, path string, query url.Values) (status int, body []byte, err error) {
	caller := ctx
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	defer func() {
		var outer *url.Error // it repeats method and URL
		if errors.As(err, &outer) {
			err = outer.Err
		}
		switch {
		case err == nil:
		case caller.Err() != nil:
			err = context.Cause(caller)
		case ctx.Err() != nil:
			err = fmt.Errorf("no answer within %v: %w", c.timeout, err)
		}
	}()
	target := url.URL{Scheme: "http", Host: where, Path: path, RawQuery: query.Encode()}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target.String(), nil)
	if err != nil {
		return 0, nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(io.LimitReader(resp.Body, answerLimit))
	return resp.StatusCode, body, err
}

// decodePlan reads the answer: the serialized plan in base 64.
func decodePlan(body []byte) (*heronpb.PhysicalPlan, error) {
	data, err := base64.StdEncoding.DecodeString(string(bytes.TrimSpace(body)))
	if err != nil {
		return nil, err
	}
	plan := &heronpb.PhysicalPlan{}
	if err := proto.Unmarshal(data, plan); err != nil {
		return nil, err
	}
	return plan, nil
}
