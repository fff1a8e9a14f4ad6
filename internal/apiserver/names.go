package apiserver

import (
	"context"
	"net/http"
	"slices"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/inspect"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/wire"
)

// Paths of names for completion, which are read from the state alone: who presses
// Tab waits.
const (
	namesPath     = prefix + "/names/{cluster}/{role}/{environment}"
	partNamesPath = namesPath + "/{name}/{kind}"
)

// topologyNames answers with the names of the topologies at a place.
func (s *Server) topologyNames(w http.ResponseWriter, r *http.Request) error {
	at, err := s.placeOf(r)
	if err != nil {
		return err
	}
	return s.names(w, r, at, inspect.Names)
}

// partNames answers with the names of a topology's parts; none where there is no
// such topology.
func (s *Server) partNames(w http.ResponseWriter, r *http.Request) error {
	at, name, err := s.target(r)
	if err != nil {
		return err
	}
	read := map[string]func(context.Context, cluster.Cluster, string) ([]string, error){
		wire.Components: inspect.ComponentNames, wire.Containers: inspect.ContainerNames, wire.Versions: inspect.VersionNames,
	}[r.PathValue("kind")]
	if read == nil {
		return outcome.Errorf(outcome.NotFound, "there are no %q with names; there are %s, %s and %s",
			r.PathValue("kind"), wire.Components, wire.Containers, wire.Versions)
	}
	return s.names(w, r, at, func(ctx context.Context, cl cluster.Cluster) ([]string, error) {
		names, err := inspect.Names(ctx, cl)
		if err != nil || !slices.Contains(names, name) {
			return nil, err
		}
		return read(ctx, cl, name)
	})
}

func (s *Server) names(w http.ResponseWriter, r *http.Request, at place, read func(context.Context, cluster.Cluster) ([]string, error)) error {
	cl, err := s.reads.cluster(r.Context(), at)
	if err != nil {
		return err
	}
	names, err := read(r.Context(), cl.Cluster)
	if err != nil {
		return err
	}
	if names == nil {
		names = []string{}
	}
	writeJSON(w, http.StatusOK, wire.Names{Names: names})
	return nil
}
