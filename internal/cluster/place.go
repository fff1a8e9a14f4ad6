package cluster

import (
	"cmp"
	"fmt"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/statemgr"
)

// PlaceError says that something is in another region or namespace of Nomad
// than the one that was asked.
type PlaceError struct {
	// What is there: a sentence without its end, as "topology "wc" runs".
	What string
	// Setting is "region" or "namespace"; There is where it is, Here what was
	// asked.
	Setting, There, Here string
}

// Error names both places.
func (e *PlaceError) Error() string {
	return fmt.Sprintf("%s in Nomad's %s %q, not %q", e.What, e.Setting, e.There, e.Here)
}

// Kind implements the contract of package outcome.
func (e *PlaceError) Kind() outcome.Kind { return outcome.Usage }

// SamePlace compares where something is with where Nomad is asked.
func SamePlace(n conf.Nomad, what, region, namespace string) error {
	there, here := cmp.Or(namespace, api.DefaultNamespace), cmp.Or(n.Namespace, api.DefaultNamespace)
	if there != here {
		return &PlaceError{What: what, Setting: "namespace", There: there, Here: here}
	}
	if region != "" && n.Region != "" && region != n.Region {
		return &PlaceError{What: what, Setting: "region", There: region, Here: n.Region}
	}
	return nil
}

// StepJob is the step of a submission, as its intent names it, from which on
// its job may be there.
const StepJob = "job"

// CheckPlace refuses to look for the job of an operation that died in another
// region or namespace than it may be in. An operation that touches no job names
// none.
func CheckPlace(n conf.Nomad, i statemgr.Intent) error {
	if i.Nomad.JobID == "" {
		return nil
	}
	if i.Operation == statemgr.OperationSubmit && i.Step != StepJob {
		return nil
	}
	return SamePlace(n, fmt.Sprintf("the job %s of a %s that died may be", i.Nomad.JobID, i.Operation), i.Nomad.Region, i.Nomad.Namespace)
}

// CheckPlace refuses a topology that is at another place than the one asked for,
// as far as its state tells: in cluster, role and environment, or in Nomad.
func (t *Topology) CheckPlace(s *conf.Settings) error {
	if es := t.ExecutionState; es.Known() {
		if v := es.Value; v.GetCluster() != s.Cluster || v.GetRole() != s.Role || v.GetEnviron() != s.Environ {
			return OtherPlace(s, fmt.Sprintf("topology %q runs", t.Name), v.GetCluster(), v.GetRole(), v.GetEnviron())
		}
	}
	if r := t.Record; r.Known() && (t.ID() == "" || r.Value.TopologyID == t.ID()) {
		return SamePlace(s.Nomad, fmt.Sprintf("topology %q runs", t.Name), r.Value.Nomad.Region, r.Value.Nomad.Namespace)
	}
	return nil
}

// OtherPlace is the error about something that is at another place than the one
// asked for; what is a sentence without its end.
func OtherPlace(s *conf.Settings, what, itsCluster, itsRole, itsEnviron string) error {
	return outcome.Errorf(outcome.Usage, "%s at %s/%s/%s, not %s/%s/%s; give its own cluster/role/environ",
		what, itsCluster, itsRole, itsEnviron, s.Cluster, s.Role, s.Environ)
}
