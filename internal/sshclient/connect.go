package sshclient

import (
	"context"
	"fmt"
	"net"
)

// connect opens the connection that the log-in goes over.
func (l *login) connect(ctx context.Context, through *Client) (net.Conn, error) {
	if through != nil {
		return through.DialContext(ctx, "tcp", l.Address())
	}
	local, err := l.localAddress(ctx)
	if err != nil {
		return nil, err
	}
	dialer := net.Dialer{LocalAddr: local}
	return dialer.DialContext(ctx, l.Network, l.Address())
}

// localAddress is what BindAddress or BindInterface says, nil if neither does.
func (l *login) localAddress(ctx context.Context) (net.Addr, error) {
	if l.BindAddress == "" && l.BindInterface == "" {
		return nil, nil
	}
	var found []net.IP
	if l.BindAddress != "" {
		addresses, err := net.DefaultResolver.LookupIPAddr(ctx, l.BindAddress)
		if err != nil {
			return nil, fmt.Errorf("find BindAddress %s: %w", l.BindAddress, err)
		}
		for _, a := range addresses {
			found = append(found, a.IP)
		}
	} else {
		device, err := net.InterfaceByName(l.BindInterface)
		if err != nil {
			return nil, fmt.Errorf("find BindInterface %s: %w", l.BindInterface, err)
		}
		addresses, err := device.Addrs()
		if err != nil {
			return nil, fmt.Errorf("find the addresses of %s: %w", l.BindInterface, err)
		}
		for _, a := range addresses {
			if n, ok := a.(*net.IPNet); ok && !n.IP.IsLinkLocalUnicast() {
				found = append(found, n.IP)
			}
		}
	}
	for _, ip := range found {
		if l.fits(ip) {
			return &net.TCPAddr{IP: ip}, nil
		}
	}
	return nil, fmt.Errorf("neither BindAddress nor BindInterface has an address that fits %s", l.HostName)
}

// fits says whether a local address is of the family that is connected to.
func (l *login) fits(ip net.IP) bool {
	is4 := ip.To4() != nil
	if host := net.ParseIP(l.HostName); host != nil {
		return is4 == (host.To4() != nil)
	}
	return l.Network == "tcp" || is4 == (l.Network == "tcp4")
}
