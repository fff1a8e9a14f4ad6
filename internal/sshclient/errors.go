package sshclient

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/heron-nomad/heron/internal/outcome"
)

// Errors that callers tell apart.
var (
	// ErrHostKey: the host's key is unknown, or not the known one. The error
	// is a *HostKeyError.
	ErrHostKey = outcome.New(outcome.Denied, "host key not accepted")
	// ErrAuth: the host does not let us in. The error is an *AuthError.
	ErrAuth = outcome.New(outcome.Denied, "log-in refused")
	// ErrUnreachable: no SSH server answers there, or not in time, or the host's
	// name is not found. The error is an *UnreachableError.
	ErrUnreachable = outcome.New(outcome.Unreachable, "unreachable")
)

// AuthError is a host that does not let us in. It wraps ErrAuth.
type AuthError struct {
	// Host is user@host, or user@host:port; User is the one who logs in.
	Host, User string
	// Tried are the keys that the host saw, in order; Left are those that it
	// did not wait for; Skipped are those that cannot be used, and why.
	Tried, Left, Skipped []string
	// Methods are the ways to log in that the host accepts, such as publickey
	// and password.
	Methods []string
	// Said is what the host said when it ended the attempt; "" if it only
	// refused the keys.
	Said string

	partly bool
}

// Unwrap makes it ErrAuth.
func (e *AuthError) Unwrap() error { return ErrAuth }

// Error implements error.
func (e *AuthError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "log in to %s: %v", e.Host, ErrAuth)
	if e.Said != "" {
		fmt.Fprintf(&b, ": the host said %q", e.Said)
	}
	keys := slices.Contains(e.Methods, "publickey") || len(e.Methods) == 0
	switch {
	case e.partly:
		fmt.Fprintf(&b, ": the host accepts a key, but asks for more (%s); only keys are used here", strings.Join(e.Methods, ", "))
	case !keys:
		fmt.Fprintf(&b, ": the host accepts no keys, only %s", strings.Join(e.Methods, ", "))
	}
	if len(e.Tried) > 0 {
		fmt.Fprintf(&b, ": tried %s: %s", count(len(e.Tried), len(e.Tried)+len(e.Left)), strings.Join(e.Tried, ", "))
	} else if keys {
		b.WriteString(": there is no key to offer")
	}
	if len(e.Skipped) > 0 {
		fmt.Fprintf(&b, "; not usable: %s", strings.Join(e.Skipped, ", "))
	}
	switch {
	case len(e.Left) > 0:
		b.WriteString("; choose the right key with -i FILE and -o IdentitiesOnly=yes")
	case !e.partly && keys:
		fmt.Fprintf(&b, "; name the key with -i FILE, and add its public half to authorized_keys of %s there", e.User)
	}
	return b.String()
}

func count(n, of int) string {
	if n < of {
		return fmt.Sprintf("%d of %d keys", n, of)
	}
	if n == 1 {
		return "1 key"
	}
	return fmt.Sprintf("%d keys", n)
}

// UnreachableError is a host where no SSH server answers. It wraps
// ErrUnreachable.
type UnreachableError struct {
	// Host is user@host, or user@host:port.
	Host string
	// Dropped: the host took the connection and closed it before it said that
	// it is an SSH server, as one does that has too many log-ins under way
	// (MaxStartups). The next attempt may succeed.
	Dropped bool
	// Said is what the host said before, "" for nothing.
	Said string
	// Reason is what went wrong.
	Reason error
}

// Unwrap makes it ErrUnreachable and its reason.
func (e *UnreachableError) Unwrap() []error { return []error{ErrUnreachable, e.Reason} }

// Error implements error.
func (e *UnreachableError) Error() string {
	said := ""
	if e.Said != "" {
		said = fmt.Sprintf("the host said %q: ", e.Said)
	}
	advice := "check the host and its port, and that its SSH server runs"
	var negotiation *ssh.AlgorithmNegotiationError
	switch {
	case e.Dropped:
		return fmt.Sprintf("connect to %s: %v: %sthe host closed the connection before it began: %v; it may have too many log-ins under way (MaxStartups) or refuse this address", e.Host, ErrUnreachable, said, e.Reason)
	case errors.As(e.Reason, &negotiation):
		advice = "allow one of the host's algorithms, such as with -o KexAlgorithms=+NAME"
	}
	return fmt.Sprintf("connect to %s: %v: %s%v; %s", e.Host, ErrUnreachable, said, e.Reason, advice)
}

// timeoutError is why an attempt was given up.
type timeoutError struct{ after time.Duration }

func (e *timeoutError) Error() string { return fmt.Sprintf("no answer within %v", e.after) }

// Is makes it a deadline that has passed.
func (e *timeoutError) Is(target error) bool { return target == context.DeadlineExceeded }

// unreachable says which host does not answer. If the caller gave up, that is
// the reason.
func (l *login) unreachable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("connect to %s: %w", l, err)
	}
	return &UnreachableError{Host: l.String(), Reason: err}
}
