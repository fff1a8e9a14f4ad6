package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/heron-nomad/heron/internal/nomad"
)

// clockLimit is how far two clocks may be apart. Records and waits are in
// seconds, and HTTP tells the time no better.
const clockLimit = 5 * time.Second

// configuration passes on what was found when it was read.
func (e *examination) configuration(context.Context) {
	s := e.cl.Settings
	for _, w := range s.Warnings {
		e.add(Check{Name: Configuration, Status: Warning, Text: w.Error(), Err: w})
	}
	if len(s.Warnings) == 0 {
		e.add(ok(Configuration, "", "it is read and has no unknown keys"))
	}
}

func (e *examination) nomadServer(context.Context) {
	server, err := e.ping()
	address := e.cl.Settings.Nomad.Address
	switch defects := nomad.Defects(server.Version); {
	case err != nil:
		e.add(failed(NomadServer, "", err, "see whether Nomad runs there, and whether heron.nomad.scheduler.uri is its address"))
	case server.Version == "":
		e.add(warning(NomadServer, "", "", "%s answers; the token may not read its version", address))
	case len(defects) > 0:
		e.add(warning(NomadServer, "", "use a current version of Nomad", "Nomad %s at %s answers. Known of this version: %s", server.Version, address, strings.Join(defects, "; ")))
	default:
		e.add(ok(NomadServer, "", "Nomad %s at %s answers", server.Version, address))
	}
}

func (e *examination) clock(ctx context.Context) {
	if !e.hasNomad() {
		return
	}
	ahead, known, err := e.nomad.ClockAhead(ctx)
	switch {
	case err != nil:
		e.add(failed(Clock, "", err, ""))
	case !known:
		e.add(warning(Clock, "", "", "Nomad does not say what time it is"))
	case ahead.Abs() > clockLimit:
		word := "ahead of"
		if ahead < 0 {
			word = "behind"
		}
		e.add(warning(Clock, "", "set both clocks by NTP", "Nomad's clock is %s %s this machine's", ahead.Abs().Round(time.Second), word))
	default:
		e.add(ok(Clock, "", "Nomad's clock and this machine's agree within %s", clockLimit))
	}
}

func (e *examination) token(ctx context.Context) {
	if !e.hasNomad() {
		return
	}
	var may []string
	for _, r := range e.nomad.Rights(ctx) {
		advice := fmt.Sprintf("give it %s; docs/nomad-acl.md has the whole policy", r.Policy)
		switch {
		case r.Allowed:
			may = append(may, r.Capability)
		case r.Err != nil:
			e.add(Check{Name: Token, About: r.Capability, Status: Warning, Text: fmt.Sprintf("cannot tell whether the token has %s: %v", r.Capability, r.Err), Err: r.Err})
		case r.Needed:
			e.add(problem(Token, r.Capability, advice, "the token lacks %s, or is not valid", r.Capability))
		default:
			e.add(warning(Token, r.Capability, advice, "the token lacks %s, without which some commands say less", r.Capability))
		}
	}
	if len(may) > 0 {
		e.add(ok(Token, "", "Nomad allows %s", strings.Join(may, ", ")))
	}
}

// nodes looks for nodes that take containers, and for Consul beside them where
// services go there.
func (e *examination) nodes(ctx context.Context) {
	if !e.hasNomad() {
		return
	}
	n := e.cl.Settings.Nomad
	all, err := e.nomad.Nodes(ctx, n)
	switch {
	case errors.Is(err, nomad.ErrDenied):
		e.add(warning(Nodes, "", "", "the token may not list the nodes, so nothing is known of them"))
		return
	case err != nil:
		e.add(failed(Nodes, "", err, ""))
		return
	}
	var takes []nomad.Node
	for _, node := range all {
		if node.Eligible {
			takes = append(takes, node)
		}
	}
	where := fmt.Sprintf("data centers %s, node pool %s, driver %s", strings.Join(n.Datacenters, ", "), poolName(n.Place.NodePool), n.Driver)
	if len(takes) == 0 {
		e.add(problem(Nodes, "", "see heron.nomad.datacenters, heron.nomad.node.pool and heron.nomad.driver, and whether nodes drain",
			"no node takes containers: %d nodes are up in %s, none of them eligible", len(all), where))
		return
	}
	e.add(ok(Nodes, "", "%d of %d nodes take containers (%s; constraints are not looked at)", len(takes), len(all), where))
	if n.RegisterMetrics && n.ServiceProvider == "consul" {
		e.consul(ctx, takes)
	}
}

func poolName(name string) string {
	if name == "" {
		return "default"
	}
	return name
}

// consul looks for the Consul agents that services need: Nomad places no
// container with a service where there is none.
func (e *examination) consul(ctx context.Context, nodes []nomad.Node) {
	facts, err := e.nomad.NodeFacts(ctx, nodes)
	if err != nil {
		e.add(Check{Name: Consul, Status: Warning, Text: fmt.Sprintf("cannot tell which nodes have Consul: %v", err), Err: err})
		return
	}
	var without []string
	versions := map[string]bool{}
	for _, f := range facts {
		if f.Consul == "" {
			without = append(without, f.Name)
			continue
		}
		versions[f.Consul] = true
	}
	const advice = "run a Consul agent there, set heron.nomad.service.provider to nomad, or heron.nomad.metrics.service.register to false"
	switch {
	case len(without) == len(facts):
		e.add(problem(Consul, "", advice, "no node has Consul, where metrics services are registered, so no container can be placed"))
	case len(without) > 0:
		e.add(warning(Consul, "", advice, "%d of %d nodes have no Consul, so they get no containers: %s", len(without), len(facts), some(without)))
	default:
		e.add(ok(Consul, "", "all %d nodes have Consul (%s)", len(facts), strings.Join(keys(versions), ", ")))
	}
}
