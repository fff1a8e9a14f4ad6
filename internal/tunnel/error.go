package tunnel

import (
	"errors"
	"fmt"
	"net"

	"golang.org/x/crypto/ssh"

	"github.com/heron-nomad/heron/internal/sshclient"
)

// Error is a server that could be reached neither straight nor through the
// bastion.
type Error struct {
	// Addr is the server, Bastion the host to go through, and Key the key that
	// names it.
	Addr, Bastion, Key string
	// Direct is why it could not be reached straight, nil where that was not
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

// Unwrap is why it could not be reached through the bastion.
func (e *Error) Unwrap() error { return e.Err }

// Permanent says that trying again would end the same way.
func (e *Error) Permanent() bool {
	var refused *ssh.OpenChannelError
	if errors.As(e.Err, &refused) {
		return refused.Reason == ssh.Prohibited
	}
	return permanent(e.Err)
}

// permanent says whether a log-in would fail again.
func permanent(err error) bool {
	var input *sshclient.InputError
	return errors.Is(err, sshclient.ErrHostKey) || errors.Is(err, sshclient.ErrAuth) || errors.As(err, &input)
}

var (
	errClosed   = errors.New("the tunnel is closed")
	errLost     = errors.New("the SSH connection was lost")
	errLoopback = errors.New("behind a bastion this address would be the bastion itself; name the server as the bastion knows it")
)

// channelError is a bastion's refusal to connect to a server.
func channelError(addr string, refused *ssh.OpenChannelError) error {
	switch refused.Reason {
	case ssh.Prohibited:
		return fmt.Errorf("it does not let us go on to %s; its SSH server must allow that (AllowTcpForwarding, PermitOpen): %w", addr, refused)
	case ssh.ConnectionFailed:
		return fmt.Errorf("it cannot reach %s either; does the server run, and is its address right as seen from there? %w", addr, refused)
	}
	return fmt.Errorf("it does not connect to %s: %w", addr, refused)
}

// shortReason leaves out what names the address once more.
func shortReason(err error) string {
	var op *net.OpError
	if errors.As(err, &op) && op.Err != nil {
		return op.Err.Error()
	}
	return err.Error()
}
