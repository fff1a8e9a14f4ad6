package tunnel

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/heron-nomad/heron/internal/conf"
)

// DialFunc connects to an address, as net.Dialer's DialContext does.
type DialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

// way says how an address was reached last.
type way int

const (
	unknown way = iota
	straight
	throughBastion
)

// dialer finds the way to each server of one tunnel.
type dialer struct {
	tunnel  conf.Tunnel
	bastion *bastion
	// direct connects without the bastion.
	direct DialFunc

	mu   sync.Mutex
	ways map[string]way
}

func newDialer(t conf.Tunnel, b *bastion) *dialer {
	return &dialer{tunnel: t, bastion: b, direct: (&net.Dialer{}).DialContext, ways: map[string]way{}}
}

// DialContext tries the way that worked last; without one it tries directly and
// then through the bastion. If neither works it tries again after a pause, as
// often as configured.
func (d *dialer) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	for try := 1; ; try++ {
		conn, err := d.try(ctx, network, addr, try <= d.tunnel.Tries)
		if err == nil {
			return conn, nil
		}
		if err.Permanent() || ctx.Err() != nil || try >= d.tunnel.Tries {
			return nil, err
		}
		pause := time.NewTimer(d.tunnel.RetryInterval)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return nil, err
		}
	}
}

// try makes one attempt each way.
func (d *dialer) try(ctx context.Context, network, addr string, directToo bool) (net.Conn, *Error) {
	failed := &Error{Addr: addr, Bastion: d.bastion.name, Key: d.tunnel.HostKey()}
	if directToo && d.known(addr) != throughBastion {
		conn, err := d.tryDirect(ctx, network, addr)
		if err == nil {
			d.learn(addr, straight)
			return conn, nil
		}
		failed.Direct = err
		if ctx.Err() != nil {
			failed.Err = fmt.Errorf("not tried: %w", context.Cause(ctx))
			return nil, failed
		}
	}
	if isLoopback(addr) {
		failed.Err = errLoopback
		return nil, failed
	}
	// From here on it is known that an address does not answer directly, even if
	// the caller gives up during the log-in to the bastion.
	d.learn(addr, throughBastion)
	conn, err := d.bastion.dial(ctx, network, addr)
	if err == nil {
		return conn, nil
	}
	failed.Err = err
	if ctx.Err() == nil {
		d.learn(addr, unknown)
	}
	return nil, failed
}

// tryDirect waits no longer than the tunnel's settings say. Otherwise a network
// that drops packets would use up all the time.
func (d *dialer) tryDirect(ctx context.Context, network, addr string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, d.tunnel.ConnectTimeout)
	defer cancel()
	return d.direct(ctx, network, addr)
}

func (d *dialer) known(addr string) way {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.ways[addr]
}

func (d *dialer) learn(addr string, w way) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ways[addr] = w
}

// isLoopback reports whether an address means the machine that resolves it.
func isLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		host = addr
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if ip := net.ParseIP(host); ip != nil {
		return ip.IsLoopback() || ip.IsUnspecified()
	}
	return host == "" || host == "localhost" || strings.HasSuffix(host, ".localhost")
}
