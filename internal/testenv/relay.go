package testenv

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
)

// ForwardInto is a host:port of this machine that leads to an address in a
// private network until the test ends: a way there without SSH.
func ForwardInto(t testing.TB, n *PrivateNet, addr string) string {
	t.Helper()
	near := loopback(Ports(t, 1)[0])
	stop, err := relay(n, near, addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	return near
}

// relay listens on an address of this machine and passes connections on to one
// in a private network, until stop is called.
func relay(n *PrivateNet, here, addr string) (stop func() error, err error) {
	l, err := net.Listen("tcp", here)
	if err != nil {
		return nil, fmt.Errorf("relay %s: %w", addr, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	all.Go(func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { pass(ctx, n, near, addr) })
		}
	})
	return func() error {
		cancel()
		err := l.Close()
		all.Wait()
		return err
	}, nil
}

// pass returns when either side has ended.
func pass(ctx context.Context, n *PrivateNet, near net.Conn, addr string) {
	defer near.Close()
	far, err := n.Dial(ctx, "tcp", addr)
	if err != nil {
		return
	}
	defer far.Close()
	both := func() { _, _ = near.Close(), far.Close() }
	defer context.AfterFunc(ctx, both)()
	var back sync.WaitGroup
	back.Go(func() {
		_, _ = io.Copy(near, far)
		both()
	})
	_, _ = io.Copy(far, near)
	both()
	back.Wait()
}
