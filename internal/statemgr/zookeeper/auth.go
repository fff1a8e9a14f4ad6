package zookeeper

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/go-zookeeper/zk"

	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/statemgr"
)

// credentials are how this client identifies itself to a server.
type credentials struct {
	digest conf.Secret
	// from names the source of digest.
	from string
	// certificate says that there is a client certificate.
	certificate bool
}

// user returns the name in the credentials.
func (c credentials) user() string {
	name, _, _ := strings.Cut(string(c.digest), ":")
	return name
}

// authenticate gives the server the credentials. The library gives them to
// each later connection before any other request.
func (s *store) authenticate(ctx context.Context) error {
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

// refused returns the sentinel for a server's refusal, with advice if it is not
// obvious what to do; nil for other errors.
func (s *store) refused(err error) error {
	reason := reasonOf(err)
	if !errors.Is(reason, statemgr.ErrDenied) {
		return reason
	}
	return fmt.Errorf("%w: %s", reason, s.creds.advice(err))
}

// advice returns why the server may have refused, and what to do.
func (c credentials) advice(err error) string {
	const hint = "set " + conf.VarZooKeeperAuth + ", or heron.statemgr.zookeeper.auth.digest.file"
	anonymous := c.digest == "" && !c.certificate
	switch {
	case errors.Is(err, zk.ErrInvalidACL) && anonymous:
		return "heron.statemgr.zookeeper.acl reserves nodes for the authenticated user, but there are no credentials: " + hint
	case errors.Is(err, zk.ErrInvalidACL):
		return "the server does not accept this heron.statemgr.zookeeper.acl"
	case errors.Is(err, zk.ErrAuthFailed):
		return fmt.Sprintf("the server does not accept the credentials of user %s from %s; is digest authentication enabled there?", c.user(), c.from)
	case anonymous:
		return "there are no credentials: " + hint
	case c.digest == "":
		return "the client certificate has no right to this; zkCli.sh getAcl PATH shows who has"
	}
	return fmt.Sprintf("user %s, with the password from %s, has no right to this; is the password right? zkCli.sh getAcl PATH shows who has the right", c.user(), c.from)
}

// wantsCredentials reports whether the server refused a client without
// credentials. The library has no name for that answer, only its number.
func wantsCredentials(err error) bool {
	const sessionClosedRequireAuth = -124
	return err.Error() == fmt.Sprintf("unknown error: %d", sessionClosedRequireAuth)
}
