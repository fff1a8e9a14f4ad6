package apiclient

import (
	"context"

	"github.com/heron-nomad/heron/internal/wire"
)

// Names is inspect.Names.
func (t *Topologies) Names(ctx context.Context) ([]string, error) { return t.names(ctx) }

// PartNames are the names of a topology's parts: inspect.ComponentNames,
// ContainerNames or VersionNames, by the kinds in package wire.
func (t *Topologies) PartNames(ctx context.Context, topology, kind string) ([]string, error) {
	return t.names(ctx, topology, kind)
}

func (t *Topologies) names(ctx context.Context, more ...string) ([]string, error) {
	if err := t.client.needs("names"); err != nil {
		return nil, err
	}
	var doc wire.Names
	err := t.client.get(ctx, append([]string{"names", t.at.Cluster, t.at.Role, t.at.Environ}, more...), nil, &doc)
	return doc.Names, err
}
