package sshclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"

	"golang.org/x/crypto/ssh"
)

// handshake checks who the host is and logs in. How far it came tells what
// went wrong: the library has no types for most of it.
func (l *login) handshake(ctx context.Context, conn net.Conn) (*ssh.Client, error) {
	known, err := l.readKnownHosts()
	if err != nil {
		return nil, err
	}
	// The agent is asked before: it may want its owner's word for it.
	keys := l.keys(ctx)
	defer keys.close()

	var hostErr error
	verified, showing := false, false
	config := &ssh.ClientConfig{
		Config:            ssh.Config{Ciphers: l.ciphers, KeyExchanges: l.kex, MACs: l.macs},
		User:              l.user,
		HostKeyAlgorithms: known.algorithms(l.hostKeyAlgorithms),
		HostKeyCallback: func(_ string, remote net.Addr, key ssh.PublicKey) error {
			hostErr = known.check(remote, key)
			verified = hostErr == nil
			return hostErr
		},
		Auth: []ssh.AuthMethod{ssh.PublicKeysCallback(func() ([]ssh.Signer, error) {
			showing = true
			return keys.signers, nil
		})},
	}
	transport, channels, requests, err := ssh.NewClientConn(conn, l.keyName, config)
	if err == nil {
		return ssh.NewClient(transport, channels, requests), nil
	}
	var negotiation *ssh.AlgorithmNegotiationError
	var network net.Error
	switch {
	case hostErr != nil:
		return nil, hostErr
	case ctx.Err() != nil:
		return nil, l.unreachable(ctx, err)
	case errors.As(err, &negotiation):
		if negotiation.What == "host key" && known.listed() {
			return nil, known.otherTypes(negotiation.RequestedAlgorithms)
		}
		return nil, fmt.Errorf("connect to %s: %w: %w", l, ErrUnreachable, negotiation)
	case errors.As(err, &network), errors.Is(err, io.EOF), errors.Is(err, net.ErrClosed):
		return nil, l.unreachable(ctx, err)
	case verified && showing:
		return nil, l.refused(keys)
	case verified:
		return nil, fmt.Errorf("log in to %s: %w: it takes no keys: %w", l, ErrAuth, err)
	}
	return nil, l.unreachable(ctx, err)
}
