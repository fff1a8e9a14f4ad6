package testenv

import (
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"testing"
	"time"
)

// echoServer answers each connection with what it gets.
func echoServer(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.Copy(conn, conn)
				_ = conn.Close()
			}()
		}
	}()
	return listener.Addr().String()
}

func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	conn, err := net.DialTimeout("tcp", addr, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// echo is what comes back of hello within a time.
func echo(t *testing.T, conn net.Conn, within time.Duration) (string, error) {
	t.Helper()
	if err := conn.SetDeadline(time.Now().Add(within)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "hello"); err != nil {
		return "", err
	}
	answer := make([]byte, 5)
	n, err := io.ReadFull(conn, answer)
	return string(answer[:n]), err
}

func TestProxyDownRefusesAndUpServesAgain(t *testing.T) {
	proxy := Proxy(t, echoServer(t))
	conn := dial(t, proxy.Addr)
	if got, err := echo(t, conn, 10*time.Second); err != nil || got != "hello" {
		t.Fatalf("whole: %q, %v", got, err)
	}
	proxy.Down()
	if got, err := echo(t, conn, 10*time.Second); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("an open connection while down: %q, %v", got, err)
	}
	if conn, err := net.Dial("tcp", proxy.Addr); err == nil {
		_ = conn.Close()
		t.Error("a new connection is accepted while down")
	}
	proxy.Up()
	if got, err := echo(t, dial(t, proxy.Addr), 10*time.Second); err != nil || got != "hello" {
		t.Errorf("up again: %q, %v", got, err)
	}
}

func TestProxySilentKeepsConnectionsAndAnswersNothing(t *testing.T) {
	proxy := Proxy(t, "http://"+echoServer(t))
	old := dial(t, proxy.Addr)
	if got, err := echo(t, old, 10*time.Second); err != nil || got != "hello" {
		t.Fatalf("whole: %q, %v", got, err)
	}
	proxy.Silent()
	for name, conn := range map[string]net.Conn{"old": old, "new": dial(t, proxy.Addr)} {
		if got, err := echo(t, conn, 300*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) || got != "" {
			t.Errorf("%s connection: %q, %v; want silence", name, got, err)
		}
	}
	proxy.Up()
	if got, err := echo(t, dial(t, proxy.Addr), 10*time.Second); err != nil || got != "hello" {
		t.Errorf("up again: %q, %v", got, err)
	}
}

func TestProxyCutsAfterSomeBytes(t *testing.T) {
	proxy := Proxy(t, echoServer(t))
	proxy.CutAfter(3)
	got, err := echo(t, dial(t, proxy.Addr), 10*time.Second)
	if got != "hel" || err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%q, %v; want three bytes and a closed connection", got, err)
	}
}

func TestProxySlow(t *testing.T) {
	proxy := Proxy(t, echoServer(t))
	proxy.Slow(300 * time.Millisecond)
	start := time.Now()
	got, err := echo(t, dial(t, proxy.Addr), 30*time.Second)
	if took := time.Since(start); err != nil || got != "hello" || took < 300*time.Millisecond {
		t.Errorf("%q, %v after %s", got, err, took)
	}
}

// sink counts what all of its connections get.
func sink(t *testing.T) (addr string, got *atomic.Int64) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	got = new(atomic.Int64)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				buf := make([]byte, 1<<10)
				for {
					n, err := conn.Read(buf)
					got.Add(int64(n))
					if err != nil {
						return
					}
				}
			}()
		}
	}()
	return listener.Addr().String(), got
}

// send writes so many bytes and then waits for the other side to close.
func send(t *testing.T, conn net.Conn, bytes int, within time.Duration) error {
	t.Helper()
	if err := conn.SetDeadline(time.Now().Add(within)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(make([]byte, bytes)); err != nil {
		return err
	}
	_, err := conn.Read(make([]byte, 1))
	return err
}

func TestProxyCutsUploads(t *testing.T) {
	addr, got := sink(t)
	proxy := Proxy(t, addr)
	for range 2 { // the count begins anew
		before := got.Load()
		proxy.CutUploadAfter(100)
		for _, bytes := range []int{60, 60, 10} {
			// The first connection stays open: it has not sent too much.
			within := 10 * time.Second
			if bytes == 60 && got.Load() == before {
				within = 100 * time.Millisecond
			}
			err := send(t, dial(t, proxy.Addr), bytes, within)
			if cut := !errors.Is(err, os.ErrDeadlineExceeded); cut != (within > time.Second) {
				t.Errorf("%d bytes: %v", bytes, err)
			}
		}
		if n := got.Load() - before; n != 100 {
			t.Errorf("%d bytes arrived, want 100", n)
		}
	}
	proxy.Up()
	if err := send(t, dial(t, proxy.Addr), 1000, 100*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("up again: %v", err)
	}
}

func TestProxyBreaksOneUpload(t *testing.T) {
	addr, got := sink(t)
	proxy := Proxy(t, addr)
	proxy.BreakUploadAfter(100)
	if err := send(t, dial(t, proxy.Addr), 200, 10*time.Second); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the first: %v; want it cut", err)
	}
	if err := send(t, dial(t, proxy.Addr), 1<<20, 500*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the second: %v; want it open", err)
	}
	if n := got.Load(); n != 100+1<<20 {
		t.Errorf("%d bytes arrived", n)
	}
}

func TestProxyStallsUploads(t *testing.T) {
	addr, got := sink(t)
	proxy := Proxy(t, addr)
	proxy.StallUploadAfter(100)
	held := dial(t, proxy.Addr)
	for name, conn := range map[string]net.Conn{"held": held, "new": dial(t, proxy.Addr)} {
		if err := send(t, conn, 200, 300*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: %v; want it open", name, err)
		}
	}
	if n := got.Load(); n != 100 {
		t.Errorf("%d bytes arrived, want 100", n)
	}
	proxy.Up()
	if err := send(t, held, 1, 10*time.Second); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("held, once it is up again: %v; want it closed", err)
	}
	if err := send(t, dial(t, proxy.Addr), 1000, 300*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) || got.Load() != 1100 {
		t.Errorf("up again: %v, %d bytes", err, got.Load())
	}
}

func TestProxySlowUpload(t *testing.T) {
	proxy := Proxy(t, echoServer(t))
	proxy.SlowUpload(100 << 10)
	conn, start := dial(t, proxy.Addr), time.Now()
	if err := conn.SetDeadline(start.Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(make([]byte, 60<<10)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(conn, make([]byte, 60<<10)); err != nil || time.Since(start) < 500*time.Millisecond {
		t.Errorf("%v after %s", err, time.Since(start))
	}
}
