package testenv

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// A FaultProxy stands between a client and a TCP server. It starts up and
// whole. A fault holds, for the connections there are and for new ones, until
// the next call.
type FaultProxy struct {
	// Addr is the host:port that the client is given instead of the server's.
	Addr string

	t     testing.TB
	proxy *toxiproxy.Proxy
}

// Proxy runs a proxy before the server at a host:port, or at the host and port
// of a URL, until the test ends.
func Proxy(t testing.TB, upstream string) *FaultProxy {
	t.Helper()
	if _, hostPort, isURL := strings.Cut(upstream, "://"); isURL {
		upstream = strings.TrimSuffix(hostPort, "/")
	}
	block, err := reservePorts(18000, 20000, 2, 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(block.release)
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	proxy := toxiproxy.NewProxy(server, t.Name(), loopback(block.port(0)), upstream)
	if err := proxy.Start(); err != nil {
		t.Fatalf("start a proxy before %s: %v", upstream, err)
	}
	t.Cleanup(proxy.Stop)
	return &FaultProxy{Addr: proxy.Listen, t: t, proxy: proxy}
}

// Down closes every connection and refuses new ones.
func (p *FaultProxy) Down() { p.proxy.Stop() }

// Up ends every fault.
func (p *FaultProxy) Up() {
	p.t.Helper()
	p.proxy.Toxics.ResetToxics(context.Background())
	enabled := &toxiproxy.Proxy{Listen: p.proxy.Listen, Upstream: p.proxy.Upstream, Enabled: true}
	if err := p.proxy.Update(enabled); err != nil {
		p.t.Fatalf("start the proxy before %s again: %v", p.proxy.Upstream, err)
	}
}

// Silent accepts connections, keeps them open and passes nothing on, either
// way.
func (p *FaultProxy) Silent() {
	p.t.Helper()
	p.Up()
	p.add("timeout", "upstream", "timeout", 0)
	p.add("timeout", "downstream", "timeout", 0)
}

// CutAfter closes each connection once the server has answered that many bytes
// on it.
func (p *FaultProxy) CutAfter(bytes int64) {
	p.t.Helper()
	p.Up()
	p.add("limit_data", "downstream", "bytes", bytes)
}

// Slow has every answer come late.
func (p *FaultProxy) Slow(latency time.Duration) {
	p.t.Helper()
	p.Up()
	p.add("latency", "downstream", "latency", latency.Milliseconds())
}

// add gives one direction of the stream a fault of the library's, which takes
// one number.
func (p *FaultProxy) add(fault, stream, attribute string, value int64) {
	p.t.Helper()
	text := fmt.Sprintf(`{"type": %q, "stream": %q, "attributes": {%q: %d}}`, fault, stream, attribute, value)
	if _, err := p.proxy.Toxics.AddToxicJson(strings.NewReader(text)); err != nil {
		p.t.Fatalf("make the connection to %s fail: %v", p.proxy.Upstream, err)
	}
}
