package tunnel

import (
	"errors"
	"fmt"
	"net"
	"syscall"

	"golang.org/x/crypto/ssh"

	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/sshclient"
	"github.com/heron-nomad/heron/internal/sshclient/sshconfig"
)

// Error is a server that could be reached neither directly nor through the
// bastion.
type Error struct {
	// Addr is the server, Bastion the host to connect through, and Key the
	// setting that names it.
	Addr, Bastion, Key string
	// Direct is why the server could not be reached directly, nil if that was not
	// tried; Err is why not through the bastion.
	Direct, Err error
}

// Error implements error.
func (e *Error) Error() string {
	text := ""
	if e.Direct != nil {
		text = fmt.Sprintf("not reached without the bastion (%s), and ", shortReason(e.Direct))
	}
	return text + fmt.Sprintf("through the bastion %s (%s): %v", e.Bastion, e.Key, e.Err)
}

// Unwrap returns why it could not be reached through the bastion.
func (e *Error) Unwrap() error { return e.Err }

// Kind implements the contract of package outcome.
func (e *Error) Kind() outcome.Kind { return outcome.Unreachable }

// Permanent reports whether trying again would fail the same way.
func (e *Error) Permanent() bool {
	var refused *ssh.OpenChannelError
	if errors.As(e.Err, &refused) {
		return refused.Reason == ssh.Prohibited
	}
	return permanent(e.Err)
}

// Refused reports whether the bastion said that it cannot connect to the server,
// or nothing listens at a loopback address. The server may come up later.
func (e *Error) Refused() bool {
	var channel *ssh.OpenChannelError
	if errors.As(e.Err, &channel) {
		return channel.Reason == ssh.ConnectionFailed
	}
	return errors.Is(e.Err, errLoopback) && errors.Is(e.Direct, syscall.ECONNREFUSED)
}

// permanent reports whether a log-in would fail again.
func permanent(err error) bool {
	var input *sshconfig.InputError
	return errors.Is(err, sshclient.ErrHostKey) || errors.Is(err, sshclient.ErrAuth) || errors.As(err, &input)
}

var (
	errClosed   = errors.New("the tunnel is closed")
	errLost     = errors.New("the SSH connection was lost")
	errLoopback = errors.New("for the bastion this address means the bastion itself; use the name or address by which the bastion knows the server")
)

// channelError explains a bastion's refusal to connect to a server.
func channelError(addr string, refused *ssh.OpenChannelError) error {
	switch refused.Reason {
	case ssh.Prohibited:
		return fmt.Errorf("it refuses to connect to %s; its SSH server must allow that (AllowTcpForwarding, PermitOpen): %w", addr, refused)
	case ssh.ConnectionFailed:
		return fmt.Errorf("it cannot reach %s either; is the server running, and is its address right as seen from the bastion? %w", addr, refused)
	}
	return fmt.Errorf("it does not connect to %s: %w", addr, refused)
}

// shortReason leaves out the address, which is named already.
func shortReason(err error) string {
	var op *net.OpError
	if errors.As(err, &op) && op.Err != nil {
		return op.Err.Error()
	}
	return err.Error()
}
