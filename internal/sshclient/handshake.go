package sshclient

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"
)

// errNoMoreKeys ends the log-in: all keys were offered, or none may be.
var errNoMoreKeys = errors.New("no more keys to offer")

// attempt is a log-in under way and what is known about it when it fails.
type attempt struct {
	l    *login
	keys *keys
	// verified: the host is the one that is known.
	verified bool
	hostErr  error
	// methods are those that the host accepts, tried the keys that it saw.
	methods, tried []string
	// partly: the host accepted a key and asks for more.
	partly bool
}

// handshake checks who the host is and logs in.
func (l *login) handshake(ctx context.Context, conn net.Conn) (*ssh.Client, error) {
	known, err := l.readKnownHosts()
	if err != nil {
		return nil, err
	}
	// The agent is asked before: it may ask its owner.
	a := &attempt{l: l, keys: l.keys(ctx)}
	defer a.keys.close()
	greeted := &greeting{Conn: conn}
	config := &ssh.ClientConfig{
		Config:            ssh.Config{Ciphers: l.Ciphers, KeyExchanges: l.KeyExchanges, MACs: l.MACs},
		User:              l.User,
		HostKeyAlgorithms: known.algorithms(),
		HostKeyCallback: func(_ string, _ net.Addr, key ssh.PublicKey) error {
			a.hostErr = known.check(key)
			a.verified = a.hostErr == nil
			return a.hostErr
		},
		AuthCallback: a.next,
	}
	transport, channels, requests, err := ssh.NewClientConn(greeted, l.Address(), config)
	if err == nil {
		return ssh.NewClient(transport, channels, requests), nil
	}
	return nil, a.failure(ctx, err, known, greeted)
}

// next offers one key after the other, so that it is known which ones the host
// has seen.
func (a *attempt) next(c *ssh.ClientAuthContext) (ssh.AuthMethod, error) {
	a.methods = c.AllowedMethods
	a.partly = len(c.PartialSuccessMethods) > 0
	if len(a.keys.offers) == 0 || !slices.Contains(a.methods, "publickey") {
		return nil, errNoMoreKeys
	}
	offer := a.keys.offers[0]
	a.keys.offers = a.keys.offers[1:]
	a.tried = append(a.tried, offer.name)
	return ssh.PublicKeys(offer.signer), nil
}

// failure says what went wrong, in part by how far the attempt came.
func (a *attempt) failure(ctx context.Context, err error, known *knownHosts, greeted *greeting) error {
	var negotiation *ssh.AlgorithmNegotiationError
	var network net.Error
	lost := errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed)
	switch {
	case a.hostErr != nil:
		return a.hostErr
	case ctx.Err() != nil:
		return a.l.unreachable(ctx, err)
	case errors.As(err, &negotiation):
		if negotiation.What == "host key" && known.listed() {
			return known.otherTypes(negotiation.RequestedAlgorithms)
		}
		return &UnreachableError{Host: a.l.String(), Reason: negotiation}
	case lost || !a.verified:
		text, version := greeted.said()
		return &UnreachableError{Host: a.l.String(), Said: text, Dropped: lost && !version, Reason: plain(err)}
	}
	failed := &AuthError{Host: a.l.String(), User: a.l.User, Tried: a.tried, Skipped: a.keys.skipped, Methods: a.methods, partly: a.partly}
	for _, offer := range a.keys.offers {
		failed.Left = append(failed.Left, offer.name)
	}
	if !errors.Is(err, errNoMoreKeys) {
		failed.Said = disconnected(err)
	}
	return failed
}

// disconnected is what a host said when it ended the connection. The library
// has no type for that, only this text.
func disconnected(err error) string {
	_, text, found := strings.Cut(err.Error(), "ssh: disconnect, reason ")
	if !found {
		return plain(err).Error()
	}
	_, text, _ = strings.Cut(text, ": ")
	if said, err := strconv.Unquote(text); err == nil {
		return said
	}
	return text
}

// plain is an error without the words that the library puts before it.
func plain(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil || !strings.HasPrefix(err.Error(), "ssh: handshake failed: ") {
			return err
		}
		err = inner
	}
}

// greetingSize bounds how much of a greeting is kept.
const greetingSize = 1 << 10

// greeting keeps what a host says before the version that begins the protocol:
// servers that turn a connection away may say why.
type greeting struct {
	net.Conn
	mu      sync.Mutex
	text    []byte
	version bool
}

// Read implements net.Conn.
func (g *greeting) Read(p []byte) (int, error) {
	n, err := g.Conn.Read(p)
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.version && len(g.text) < greetingSize {
		g.text = append(g.text, p[:n]...)
		g.version = bytes.HasPrefix(g.text, []byte("SSH-")) || bytes.Contains(g.text, []byte("\nSSH-"))
	}
	return n, err
}

// said returns the lines before the version, and whether that came.
func (g *greeting) said() (text string, version bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	before := g.text
	if g.version {
		before, _, _ = bytes.Cut(append([]byte("\n"), before...), []byte("\nSSH-"))
	}
	return string(bytes.TrimSpace(before[:min(len(before), greetingSize)])), g.version
}
