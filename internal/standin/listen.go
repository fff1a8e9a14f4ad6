package standin

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
)

// listenAll listens on all interfaces until ctx ends and hands connections
// to serve, each on a goroutine of its own. serve owns its connection; those
// still open are closed when ctx ends. wait returns when all is closed.
func listenAll(ctx context.Context, what, port string, serve func(net.Conn)) (wait func(), err error) {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", ":"+port)
	if err != nil {
		return nil, fmt.Errorf("listening on the %s port: %w", what, err)
	}
	var (
		all  sync.WaitGroup
		mu   sync.Mutex
		open = map[net.Conn]bool{}
	)
	stop := context.AfterFunc(ctx, func() {
		_ = l.Close()
		mu.Lock()
		defer mu.Unlock()
		for conn := range open {
			_ = conn.Close()
		}
	})
	all.Go(func() {
		defer stop()
		for {
			conn, err := l.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil {
				if !pause(ctx, filePoll) {
					return
				}
				continue
			}
			mu.Lock()
			open[conn] = true
			mu.Unlock()
			if ctx.Err() != nil {
				_ = conn.Close()
			}
			all.Go(func() {
				serve(conn)
				_ = conn.Close()
				mu.Lock()
				delete(open, conn)
				mu.Unlock()
			})
		}
	})
	return all.Wait, nil
}

// hold is a serve function for ports where nothing is answered: it drains
// the connection until the other side ends it.
func hold(conn net.Conn) {
	buffer := make([]byte, 512)
	for {
		if _, err := conn.Read(buffer); err != nil {
			return
		}
	}
}
