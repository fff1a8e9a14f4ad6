package statemgr

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/go-zookeeper/zk"

	"github.com/heron-nomad/heron/internal/conf"
)

// credentials are what a server is told about who we are.
type credentials struct {
	digest conf.Secret
	// from is where digest was found.
	from string
	// certificate says that TLS shows one.
	certificate bool
}

// user is the name in the credentials.
func (c credentials) user() string {
	name, _, _ := strings.Cut(string(c.digest), ":")
	return name
}

// authenticate gives the server the credentials. The library gives them to
// each later connection before any other request.
func (s *zkStore) authenticate(ctx context.Context) error {
	if s.creds.digest == "" {
		return nil
	}
	for {
		if err := s.link.await(ctx); err != nil {
			return err
		}
		_, err := run(ctx, func() (struct{}, error) {
			return struct{}{}, s.conn.AddAuth("digest", []byte(s.creds.digest))
		})
		if err == nil || ctx.Err() != nil || !connectionLost(err) {
			return err
		}
	}
}

// refused is the sentinel for a server's refusal, with what to do where that
// is not plain; nil for any other error.
func (s *zkStore) refused(err error) error {
	reason := zkReason(err)
	if !errors.Is(reason, ErrDenied) {
		return reason
	}
	return fmt.Errorf("%w: %s", reason, s.creds.advice(err))
}

// advice says why the server may have refused, and what to do.
func (c credentials) advice(err error) string {
	const hint = "set " + conf.VarZooKeeperAuth + ", or heron.statemgr.zookeeper.auth.digest.file"
	anonymous := c.digest == "" && !c.certificate
	switch {
	case errors.Is(err, zk.ErrInvalidACL) && anonymous:
		return "heron.statemgr.zookeeper.acl keeps nodes for the authenticated user, but there are no credentials: " + hint
	case errors.Is(err, zk.ErrInvalidACL):
		return "the server does not take this heron.statemgr.zookeeper.acl"
	case errors.Is(err, zk.ErrAuthFailed):
		return fmt.Sprintf("the server does not take the credentials of user %s from %s; does it have digest authentication?", c.user(), c.from)
	case anonymous:
		return "there are no credentials: " + hint
	case c.digest == "":
		return "the client certificate has no right to this; ask who has: zkCli.sh getAcl PATH"
	}
	return fmt.Sprintf("user %s, with the password from %s, has no right to this: is the password right? Ask who has: zkCli.sh getAcl PATH", c.user(), c.from)
}

// wantsCredentials says that a server serves nobody without credentials. The
// library knows no name for that answer of the server, only its number.
func wantsCredentials(err error) bool {
	const sessionClosedRequireAuth = -124
	return err.Error() == fmt.Sprintf("unknown error: %d", sessionClosedRequireAuth)
}
