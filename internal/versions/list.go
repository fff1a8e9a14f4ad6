package versions

import (
	"context"
	"time"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/subject"
)

// History is the versions of a topology, oldest first.
type History struct {
	Topology string   `json:"topology"`
	Versions []Listed `json:"versions"`
	// Pending says which operation on the topology has not ended, "" for none.
	Pending string `json:"pending,omitempty"`
}

// Listed is one version of a topology.
type Listed struct {
	Number int `json:"number"`
	// Operation made it, "" for one that was there before its history; Restores is
	// the version that a rollback put in place again.
	Operation string `json:"operation,omitempty"`
	Restores  int    `json:"restores,omitempty"`
	// Current: it is the one in place. Stable: it was seen to run as it should.
	Current bool      `json:"current"`
	Stable  bool      `json:"stable"`
	By      string    `json:"by"`
	At      time.Time `json:"at"`
	// Via is who asked an API server for it.
	Via statemgr.Via `json:"via,omitzero"`
	// ID is its topology id.
	ID         string `json:"id"`
	Containers int    `json:"containers"`
	// Package is its URI.
	Package       string `json:"package"`
	PackageSHA256 string `json:"package_sha256"`
	// ConfigDigest identifies the configuration, ClientVersion the program that
	// submitted it.
	ConfigDigest  string `json:"config_digest"`
	ClientVersion string `json:"client_version"`
}

// List returns the versions of a topology that are kept.
func List(ctx context.Context, cl cluster.Cluster, name string) (*History, error) {
	there, err := cl.Look(ctx, name, cluster.Scope{Versions: true})
	if err != nil {
		return nil, err
	}
	if !there.Definition.There && len(there.Versions) == 0 && there.VersionsErr == nil {
		return nil, outcome.Errorf(outcome.NotFound, "no topology %q in cluster %s: no state below %s", name, cl.Settings.Cluster, cl.State.Root)
	}
	if err := subject.CheckIdentity(cl, "list the history of", there); err != nil {
		return nil, err
	}
	if there.VersionsErr != nil {
		return nil, there.VersionsErr
	}
	h := &History{Topology: name, Versions: []Listed{}}
	for i, v := range there.Versions {
		h.Versions = append(h.Versions, listed(v, i == len(there.Versions)-1 && v.Deployment.TopologyID == there.ID()))
	}
	if there.Pending != nil {
		h.Pending = there.Pending.Intent.Owner.String()
	}
	return h, nil
}

func listed(v statemgr.Version, current bool) Listed {
	d := v.Deployment
	return Listed{
		Number: v.Number, Operation: v.Operation, Restores: v.Restores, Current: current, Stable: v.Stable, By: v.By, Via: v.Via, At: v.At.UTC(),
		ID: d.TopologyID, Containers: v.Containers, Package: d.Package.URI, PackageSHA256: d.Package.SHA256,
		ConfigDigest: d.ConfigDigest, ClientVersion: d.ClientVersion,
	}
}
