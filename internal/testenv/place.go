package testenv

import (
	"context"
	"net"
)

// place is where a server runs, on the network.
type place struct {
	// host is the address it binds to.
	host string
	// wrap makes a command line one that runs there.
	wrap func(argv []string) []string
	// dial connects to what is there.
	dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

// onLoopback is the place of all servers that need no other.
func onLoopback() place {
	return place{
		host: "127.0.0.1",
		wrap: func(argv []string) []string { return argv },
		dial: (&net.Dialer{}).DialContext,
	}
}
