package testenv

import (
	"errors"
	"io"
	"net"
	"os"
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
