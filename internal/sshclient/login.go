package sshclient

import (
	"context"
	"errors"

	"github.com/heron-nomad/heron/internal/progress"
	"github.com/heron-nomad/heron/internal/sshclient/sshconfig"
)

// A login is all that is known about how to get into one host before anything
// is connected.
type login struct {
	*sshconfig.Host
	progress progress.Sink
}

// config are the options for package sshconfig.
func (o Options) config() sshconfig.Options {
	return sshconfig.Options{Home: o.Home, Getenv: o.Getenv, Args: o.Args, System: o.system}
}

// login reads options and files for a target.
func (o Options) login(ctx context.Context, target string) (*login, error) {
	return o.loginTo(sshconfig.Resolve(ctx, target, o.config()))
}

// jump reads options and files for a jump host on the way to another host.
func (o Options) jump(ctx context.Context, behind *login, jump string) (*login, error) {
	return o.loginTo(sshconfig.ResolveJump(ctx, behind.Host, jump, o.config()))
}

func (o Options) loginTo(h *sshconfig.Host, err error) (*login, error) {
	var lookup *sshconfig.LookupError
	if errors.As(err, &lookup) {
		return nil, &UnreachableError{Host: lookup.Host, Reason: lookup.Reason}
	}
	if err != nil {
		return nil, err
	}
	return &login{Host: h, progress: o.Progress}, nil
}
