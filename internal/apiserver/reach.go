package apiserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/nomad"
	"github.com/heron-nomad/heron/internal/outcome"
)

// reach finds the address by which nodes reach this server.
type reach struct {
	opts   Options
	listen net.Addr

	// looking is taken by whoever looks for it.
	looking chan struct{}

	mu       sync.Mutex
	found    string
	failed   error
	failedAt time.Time
}

// Looking for the address takes lookTime at most, and is not repeated for
// lookPause after it failed.
const (
	lookTime  = 5 * time.Second
	lookPause = 10 * time.Second
)

func newReach(opts Options, listen net.Addr) *reach {
	return &reach{opts: opts, listen: listen, looking: make(chan struct{}, 1)}
}

// given is the address that the operator gave, "" for none.
func (r *reach) given() string {
	switch {
	case r.opts.PublicURL != "":
		return strings.TrimRight(r.opts.PublicURL, "/")
	case r.opts.DownloadHost != "":
		return r.at(r.opts.DownloadHost)
	}
	return ""
}

// at is the address of this server under a host name or an IP address.
func (r *reach) at(host string) string {
	scheme := "http"
	if r.opts.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + net.JoinHostPort(strings.Trim(host, "[]"), r.port())
}

func (r *reach) port() string {
	_, port, err := net.SplitHostPort(r.listen.String())
	if err != nil {
		return "9000"
	}
	return port
}

// base is the address for nodes: the given one, else one of this machine's that
// all of Nomad's nodes have a way to and that answers. Where there is none the
// error says what to set.
func (r *reach) base(ctx context.Context) (string, error) {
	if base := r.given(); base != "" {
		return base, nil
	}
	select {
	case r.looking <- struct{}{}:
	case <-ctx.Done():
		return "", ctx.Err()
	}
	defer func() { <-r.looking }()
	found, at, failed := r.known()
	switch {
	case found != "":
		return found, nil
	case failed != nil && r.opts.Now().Sub(at) < lookPause:
		return "", failed
	}
	bounded, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	found, err := r.look(bounded)
	if ctx.Err() != nil && err != nil {
		return "", ctx.Err()
	}
	if err != nil {
		err = outcome.Errorf(outcome.Usage, "nodes have to fetch packages from this server, but %w; "+
			"start the server with --download-hostname HOST (or --public-url), a name or address by which the nodes reach it", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.found, r.failed, r.failedAt = found, err, r.opts.Now()
	return found, err
}

// known is what was found last, or when looking for it failed, and why.
func (r *reach) known() (found string, at time.Time, failed error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.found, r.failedAt, r.failed
}

// look finds the address and has this server answer there.
func (r *reach) look(ctx context.Context) (string, error) {
	hosts, err := r.nodes(ctx)
	if err != nil {
		return "", fmt.Errorf("which nodes there are is not known: %w", err)
	}
	host, err := r.towards(ctx, hosts)
	if err != nil {
		return "", err
	}
	if r.opts.TLS != nil {
		return "", fmt.Errorf("its certificate may not be for %s, the address that was found", host)
	}
	base := r.at(host)
	if err := answers(ctx, base); err != nil {
		return "", fmt.Errorf("at %s, the address that was found, it does not answer: %w", base, err)
	}
	r.opts.Log.Info("address for nodes found", "address", base, "nodes", len(hosts))
	return base, nil
}

// nodes are the addresses of Nomad's nodes.
func (r *reach) nodes(ctx context.Context) ([]string, error) {
	// The settings are whole only once they say where packages go.
	o := r.opts.Base
	o.Properties = append(o.Properties[:len(o.Properties):len(o.Properties)], keyUploadURI+"=http://127.0.0.1"+uploadPath)
	config, err := cluster.LoadConfig(o)
	if err != nil {
		return nil, err
	}
	n := config.Settings.Nomad
	if n.Tunnel.Needed {
		return nil, errors.New("to Nomad leads a tunnel")
	}
	client, err := nomad.NewClient(nomad.OptionsFor(n))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	list, err := client.Nodes(ctx, n)
	if err != nil {
		return nil, err
	}
	var hosts []string
	for _, node := range list {
		hosts = append(hosts, node.Address)
	}
	if len(hosts) == 0 {
		return nil, errors.New("there is none that would take containers")
	}
	return hosts, nil
}

// towards is the address of this machine from which packets go to all of the
// hosts; packets that come back find it too.
func (r *reach) towards(ctx context.Context, hosts []string) (string, error) {
	bound, _ := netip.ParseAddrPort(r.listen.String())
	found := ""
	for _, host := range hosts {
		conn, err := (&net.Dialer{}).DialContext(ctx, "udp", net.JoinHostPort(host, "9"))
		if err != nil {
			return "", fmt.Errorf("there is no way from here to the node %s: %w", host, err)
		}
		local, _ := netip.ParseAddrPort(conn.LocalAddr().String())
		_ = conn.Close()
		own := local.Addr().Unmap().String()
		switch {
		case found != "" && found != own:
			return "", fmt.Errorf("this machine is %s for some nodes and %s for others", found, own)
		case bound.IsValid() && !bound.Addr().IsUnspecified() && bound.Addr().Unmap() != local.Addr().Unmap():
			return "", fmt.Errorf("it listens on %s alone, and for the node %s this machine is %s", bound.Addr(), host, own)
		}
		found = own
	}
	return found, nil
}

// answers asks this server at one of its addresses.
func answers(ctx context.Context, base string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/healthz", nil)
	if err != nil {
		return err
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("something else answers there: %s", resp.Status)
	}
	return nil
}

// downloads is the address to name in the answer to an upload: that for nodes,
// else the one that the server listens on, else this machine's name, as the
// original has it.
func (s *Server) downloads(ctx context.Context) string {
	if base, err := s.reach.base(ctx); err == nil {
		return base
	}
	if at, err := netip.ParseAddrPort(s.reach.listen.String()); err == nil && !at.Addr().IsUnspecified() {
		return s.reach.at(at.Addr().String())
	}
	host, err := os.Hostname()
	if err != nil {
		host = "127.0.0.1"
	}
	return s.reach.at(host)
}

// knownBases are addresses that are this server for certain.
func (s *Server) knownBases() []string {
	var list []string
	if base := s.reach.given(); base != "" {
		list = append(list, base)
	}
	if found, _, _ := s.reach.known(); found != "" {
		list = append(list, found)
	}
	return list
}

// rpcPort is where Nomad's servers talk to each other; httpPort is for clients.
const (
	rpcPort  = 4647
	httpPort = 4646
)

// NomadAddress completes an address of Nomad as the documentation of the
// original has it: without a scheme, or with the port of the RPC in place of
// the HTTP one. The second result says what was changed, "" for nothing.
func NomadAddress(ctx context.Context, address string) (fixed, note string, err error) {
	fixed = strings.TrimSpace(address)
	if !strings.Contains(fixed, "://") {
		fixed = "http://" + fixed
	}
	if err := nomad.CheckAddress(fixed); err != nil {
		return "", "", err
	}
	u, err := url.Parse(fixed)
	if err != nil || u.Port() != strconv.Itoa(rpcPort) || speaksHTTP(ctx, u) {
		return fixed, "", nil
	}
	other := *u
	other.Host = net.JoinHostPort(u.Hostname(), strconv.Itoa(httpPort))
	if !speaksHTTP(ctx, &other) {
		return "", "", outcome.Errorf(outcome.Unreachable,
			"Nomad's address %s has the port of its RPC, %d, where it does not speak HTTP, and at %s it does not answer; Nomad's HTTP port is %d unless it is configured otherwise",
			fixed, rpcPort, other.String(), httpPort)
	}
	return other.String(), fmt.Sprintf("Nomad's address %s has the port of its RPC; %s is used, where it answers", fixed, other.String()), nil
}

// speaksHTTP says whether Nomad's API is at an address.
func speaksHTTP(ctx context.Context, u *url.URL) bool {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.JoinPath("/v1/status/leader").String(), nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return true
}
