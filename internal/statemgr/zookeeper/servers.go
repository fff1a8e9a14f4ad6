package zookeeper

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"strings"
	"sync"
	"time"
)

// Server is what one server says of itself.
type Server struct {
	// Address is as configured.
	Address string
	// Version is as in "3.8.0", Mode as in "standalone", "leader", "follower".
	// Both are "" where the server does not answer the question ("srvr"), which
	// its administrator may have ruled out.
	Version, Mode string
	// Err is why the server could not be reached; nil for one that could.
	Err error
}

// askTime bounds the question to one server.
const askTime = 5 * time.Second

// Servers asks each configured server for its version. It needs no session.
func Servers(ctx context.Context, o Options) []Server {
	connect := o.Dial
	if connect == nil {
		connect = dialStraight
	}
	list := make([]Server, len(o.Servers))
	var group sync.WaitGroup
	for i, address := range o.Servers {
		group.Go(func() {
			bounded, cancel := context.WithTimeout(ctx, min(positive(o.ConnectTimeout, askTime), askTime))
			defer cancel()
			list[i] = ask(bounded, connect, o.TLS, address)
		})
	}
	group.Wait()
	return list
}

func ask(ctx context.Context, connect DialFunc, secure *tls.Config, address string) Server {
	s := Server{Address: address}
	conn, err := connect(ctx, "tcp", address)
	if err != nil {
		s.Err = err
		return s
	}
	raw := conn
	defer raw.Close()
	// Whatever waits on the connection ends with ctx.
	stop := context.AfterFunc(ctx, func() { _ = raw.Close() })
	defer stop()
	if secure != nil {
		if conn, err = shake(ctx, conn, address, secure); err != nil {
			s.Err = err
			return s
		}
	}
	if _, err := io.WriteString(conn, "srvr"); err != nil {
		s.Err = err
		return s
	}
	answered := false
	lines := bufio.NewScanner(io.LimitReader(conn, 64<<10))
	for lines.Scan() {
		answered = true
		if text := lines.Text(); strings.Contains(text, "not currently serving") {
			s.Err = errors.New("it has no quorum")
		}
		key, value, _ := strings.Cut(lines.Text(), ": ")
		switch key {
		case "Zookeeper version":
			s.Version, _, _ = strings.Cut(value, "-")
		case "Mode":
			s.Mode = value
		}
	}
	if ctx.Err() != nil && !answered {
		s.Err = errors.New("no answer")
	}
	return s
}
