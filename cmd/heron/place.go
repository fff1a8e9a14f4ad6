package main

import (
	"fmt"
	"strings"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/outcome"
)

// place is where a topology runs, as "cluster/[role]/[env]" names it.
type place struct {
	cluster, role, environ string
	// What was left out and has its default.
	noRole, noEnviron bool
}

// parsePlace reads cluster/[role]/[env]. A role that is not given is the
// user, an environment that is not given is "default".
func parsePlace(text, user string) (place, error) {
	parts := strings.Split(text, "/")
	if len(parts) > 3 {
		return place{}, usagef("%q has %d parts; give cluster, cluster/role or cluster/role/environ", text, len(parts))
	}
	p := place{cluster: parts[0], role: user, environ: "default", noRole: true, noEnviron: true}
	if len(parts) > 1 && parts[1] != "" {
		p.role, p.noRole = parts[1], false
	}
	if len(parts) > 2 && parts[2] != "" {
		p.environ, p.noEnviron = parts[2], false
	}
	for _, part := range []struct{ what, value string }{
		{"cluster", p.cluster}, {"role", p.role}, {"environ", p.environ},
	} {
		if err := cluster.CheckPart(part.what, part.value); err != nil {
			return place{}, usagef("%v in %q", err, text)
		}
	}
	return p, nil
}

// check refuses a place without the parts that the cluster demands.
func (p place) check(s *conf.Settings) error {
	switch {
	case s.RoleRequired && p.noRole:
		return usagef("cluster %s needs a role: give %s/ROLE/ENV (heron.config.is.role.required)", p.cluster, p.cluster)
	case s.EnvironRequired && p.noEnviron:
		return usagef("cluster %s needs an environment: give %s/%s/ENV (heron.config.is.env.required)", p.cluster, p.cluster, p.role)
	}
	return nil
}

// usageError is a command line that makes no sense.
type usageError struct{ msg string }

func (e *usageError) Error() string { return e.msg }

// Kind implements the contract of package outcome.
func (*usageError) Kind() outcome.Kind { return outcome.Usage }

func usagef(format string, args ...any) error {
	return &usageError{msg: fmt.Sprintf(format, args...)}
}
