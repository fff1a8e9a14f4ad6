package testenv

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// A FaultProxy stands between a client and a TCP server. It starts up and
// whole. A fault holds, for the connections there are and for new ones, until
// the next call. Its methods may be called from any goroutine.
//
// It is a toxiproxy server, run as a process of its own and told what to do
// over HTTP; see scripts/tools/toxiproxy.
type FaultProxy struct {
	// Addr is the host:port that the client is given instead of the server's.
	Addr string

	t        testing.TB
	api      string // the URL of toxiproxy
	upstream string
	faulty   atomic.Bool
}

// Proxy runs a proxy before the server at a host:port, or at the host and port
// of a URL, until the test ends.
func Proxy(t testing.TB, upstream string) *FaultProxy {
	t.Helper()
	if _, hostPort, isURL := strings.Cut(upstream, "://"); isURL {
		upstream = strings.TrimSuffix(hostPort, "/")
	}
	p := &FaultProxy{t: t, upstream: upstream}
	ownServer(t, func(ctx context.Context, dir string) (*Server, error) {
		s, err := startToxiproxy(ctx, dir)
		if err == nil {
			p.api, p.Addr = s.Addr, loopback(s.block.port(1))
		}
		return s, err
	})
	if err := p.call("/proxies", map[string]any{"name": "proxy", "listen": p.Addr, "upstream": upstream}); err != nil {
		t.Fatal(err)
	}
	return p
}

// startToxiproxy runs a toxiproxy without proxies. The second port of its block
// is for the first of them.
func startToxiproxy(ctx context.Context, dir string) (*Server, error) {
	binary, err := Tool(ctx, "toxiproxy")
	if err != nil {
		return nil, err
	}
	block, err := reservePorts(18000, 20000, 3, 2)
	if err != nil {
		return nil, fmt.Errorf("start toxiproxy: %w", err)
	}
	s := &Server{
		Addr:        "http://" + loopback(block.port(0)),
		Dir:         dir,
		name:        "toxiproxy",
		argv:        []string{binary, "127.0.0.1", strconv.Itoa(block.port(0))},
		env:         serverEnv(dir),
		block:       block,
		deathSignal: syscall.SIGKILL,
	}
	s.ready = func(ctx context.Context) error { return getJSON(ctx, s.Addr+"/proxies", new(struct{})) }
	if err := s.start(ctx); err != nil {
		_ = s.discard()
		return nil, err
	}
	return s, nil
}

// Down closes every connection and refuses new ones.
func (p *FaultProxy) Down() {
	p.t.Helper()
	p.faulty.Store(true)
	p.must("/proxies/proxy", map[string]any{"enabled": false})
}

// Up ends every fault.
func (p *FaultProxy) Up() {
	p.t.Helper()
	if p.faulty.Swap(false) {
		p.must("/reset", nil)
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

// CutUploadAfter lets so many bytes through to the server, counted over all
// connections. It then closes each connection that sends more, until Up.
func (p *FaultProxy) CutUploadAfter(bytes int64) {
	p.t.Helper()
	p.Up()
	p.add("heron_cut", "upstream", "bytes", bytes)
}

// BreakUploadAfter lets so many bytes through to the server, counted over all
// connections. It then closes the one that sends the next byte. After that
// everything passes.
func (p *FaultProxy) BreakUploadAfter(bytes int64) {
	p.t.Helper()
	p.Up()
	p.add("heron_break", "upstream", "bytes", bytes)
}

// StallUploadAfter lets so many bytes through to the server, counted over all
// connections, and nothing more. The connections stay open until Up, which
// closes those that were held.
func (p *FaultProxy) StallUploadAfter(bytes int64) {
	p.t.Helper()
	p.Up()
	p.add("heron_stall", "upstream", "bytes", bytes)
}

// SlowUpload lets each connection send so many bytes in a second.
func (p *FaultProxy) SlowUpload(bytesPerSecond int64) {
	p.t.Helper()
	p.Up()
	p.add("bandwidth", "upstream", "rate", max(bytesPerSecond>>10, 1))
}

// add gives one direction of the stream a fault, which takes one number.
func (p *FaultProxy) add(fault, stream, attribute string, value int64) {
	p.t.Helper()
	p.faulty.Store(true)
	p.must("/proxies/proxy/toxics", map[string]any{
		"type": fault, "stream": stream, "attributes": map[string]int64{attribute: value},
	})
}

// must fails the test if toxiproxy refuses. It does not end the test, because a
// fault may be set from any goroutine.
func (p *FaultProxy) must(path string, body any) {
	p.t.Helper()
	if err := p.call(path, body); err != nil {
		p.t.Error(err)
	}
}

// call sends one request to toxiproxy.
func (p *FaultProxy) call(path string, body any) error {
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: startTimeout}
	resp, err := client.Post(p.api+path, "application/json", bytes.NewReader(data))
	if err != nil {
		return fmt.Errorf("proxy before %s: %w", p.upstream, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= http.StatusMultipleChoices {
		text, _ := io.ReadAll(resp.Body)
		return fmt.Errorf("proxy before %s: %s: %s: %s", p.upstream, path, resp.Status, text)
	}
	return nil
}
