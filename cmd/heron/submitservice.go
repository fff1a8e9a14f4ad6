package main

import (
	"context"
	"slices"

	"github.com/heron-nomad/heron/internal/apiclient"
	"github.com/heron-nomad/heron/internal/submit"
	"github.com/heron-nomad/heron/internal/topology"
)

// submissions runs the user's program on this machine: what to submit through
// the API server.
func (a *app) submissions(ctx context.Context, s *session, flags *submitFlags, req submit.Request) ([]apiclient.Submission, error) {
	home, err := a.home()
	if err != nil {
		return nil, err
	}
	if flags.releaseFile != "" {
		a.say("--release-yaml-file is not used: the API server has its own")
	}
	at := s.service.Place()
	found, err := submit.Define(ctx, req, home, topology.Identity{Cluster: at.Cluster, Role: at.Role, Environ: at.Environ, User: at.User})
	if err != nil {
		return nil, err
	}
	var list []apiclient.Submission
	for _, def := range found {
		list = append(list, apiclient.Submission{
			Definition: def, File: req.File, Properties: flags.properties, VerboseGC: flags.verboseGC,
			Options: apiclient.SubmitOptions{
				Options: submit.Options{Wait: flags.limit(), StableFor: flags.stable, Rollback: flags.rollback},
				Replace: flags.replace, State: flags.state,
			},
		})
	}
	return list, nil
}

// submitThrough is submitDirect through an API server, one topology after the
// other.
func (a *app) submitThrough(ctx context.Context, s *session, flags *submitFlags, req submit.Request) ([]*submit.Submitted, error) {
	if err := flags.lock.check(); err != nil {
		return nil, err
	}
	list, err := a.submissions(ctx, s, flags, req)
	if err != nil {
		return nil, err
	}
	done := []*submit.Submitted{}
	to := s.service.Locked(flags.lock.timeout)
	for _, one := range list {
		submitted, err := to.Submit(ctx, one)
		done = append(done, submitted...)
		if err != nil {
			return done, flags.lock.hint(err)
		}
	}
	return done, nil
}

// dryRunThrough is what submissions would write, by the API server.
func (a *app) dryRunThrough(ctx context.Context, s *session, flags *submitFlags, req submit.Request) error {
	list, err := a.submissions(ctx, s, flags, req)
	if err != nil {
		return err
	}
	format := a.dryRunFormat(flags.dryRunFormat)
	var texts []string
	for _, one := range list {
		text, err := s.service.DryRun(ctx, one, format)
		if err != nil {
			return err
		}
		texts = append(texts, text)
	}
	return a.show(texts)
}

// previewThrough is what submissions would do now, by the API server.
func (a *app) previewThrough(ctx context.Context, s *session, flags *submitFlags, req submit.Request) ([]*submit.Preview, error) {
	list, err := a.submissions(ctx, s, flags, req)
	if err != nil {
		return nil, err
	}
	var previews []*submit.Preview
	for _, one := range list {
		more, err := s.service.Preview(ctx, one)
		if err != nil {
			return nil, err
		}
		previews = slices.Concat(previews, more)
	}
	return previews, nil
}
