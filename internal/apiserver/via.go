package apiserver

import (
	"cmp"
	"context"
	"net/http"
	"strings"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/lazyregexp"
	"github.com/heron-nomad/heron/internal/wire"
)

// clientForm is how a client may call itself: it gets into state and messages.
var clientForm = lazyregexp.New(`^[A-Za-z0-9._+-]{1,64}@[A-Za-z0-9._:-]{1,128}$`)

// clientOf is who a client says it is, user@host; "" for one that does not.
func clientOf(r *http.Request) string {
	if text := r.Header.Get(wire.HeaderClient); clientForm.MatchString(text) {
		return text
	}
	return ""
}

// via is on whose behalf a request is carried out.
func via(ctx context.Context) conf.Via {
	client, _ := ctx.Value(keyClient).(string)
	who := identity(ctx)
	if who.Everybody {
		return conf.Via{Client: client}
	}
	return conf.Via{Client: client, Token: who.Name}
}

// userOf is the user that carries out what names none: as the client says, or by
// its token, or as the original has it the role.
func userOf(ctx context.Context, role string) string {
	by := via(ctx)
	user, _, _ := strings.Cut(by.Client, "@")
	for _, name := range []string{user, by.Token} {
		if cluster.CheckPart("user", name) == nil {
			return name
		}
	}
	return cmp.Or(role, anyPart)
}
