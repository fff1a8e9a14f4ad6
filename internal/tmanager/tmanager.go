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
	"strings"
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
	// ErrOther: the TManager of another topology, or of another run, answers.
	ErrOther = outcome.New(outcome.Unreachable, "the TManager there is another topology's")
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
	got, err := c.get(ctx, where, "/get_current_physical_plan", url.Values{"topologyid": {at.GetTopologyId()}})
	switch {
	case err != nil:
		return nil, fmt.Errorf("ask for the physical plan: %w at %s: %w", ErrUnreachable, where, err)
	case got.status == http.StatusBadRequest, got.status == http.StatusNotFound:
		return nil, fmt.Errorf("ask for the physical plan at %s: %w", where, ErrNoPlan)
	case got.status != http.StatusOK:
		return nil, fmt.Errorf("ask for the physical plan: %w at %s: it answers %d", ErrUnreachable, where, got.status)
	}
	plan, err := decodePlan(got.body)
	if err != nil {
		return nil, fmt.Errorf("ask for the physical plan: %w at %s: the answer is no plan: %w", ErrUnreachable, where, err)
	}
	if id := plan.GetTopology().GetId(); id != at.GetTopologyId() {
		return nil, fmt.Errorf("ask for the physical plan: %w at %s: %w: there is %s, not %s", ErrUnreachable, where, ErrOther, id, at.GetTopologyId())
	}
	return plan, nil
}

// answer is what a TManager sent back. reason is the text of its status line.
type answer struct {
	status int
	reason string
	body   []byte
}

func (c *Client) get(ctx context.Context, where, path string, query url.Values) (_ answer, err error) {
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
	// A space is %20: whether "+" is one depends on who reads it.
	target := url.URL{Scheme: "http", Host: where, Path: path, RawQuery: strings.ReplaceAll(query.Encode(), "+", "%20")}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target.String(), nil)
	if err != nil {
		return answer{}, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, answerLimit))
	_, reason, _ := strings.Cut(resp.Status, " ")
	return answer{resp.StatusCode, strings.TrimSpace(reason), body}, err
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
