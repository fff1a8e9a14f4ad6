package inspect

import (
	"context"
	"slices"
	"strconv"

	"google.golang.org/protobuf/proto"

	"github.com/heron-nomad/heron/internal/cluster"
	"github.com/heron-nomad/heron/internal/heronpb"
	"github.com/heron-nomad/heron/internal/statemgr"
)

// Names are the topologies at the place that the cluster's settings say, by
// name. Only the state is read.
func Names(ctx context.Context, cl cluster.Cluster) ([]string, error) {
	names, err := cl.State.Children(ctx, cl.State.Topologies())
	if err != nil {
		return nil, err
	}
	names = slices.DeleteFunc(names, func(name string) bool { return statemgr.CheckName(name) != nil })
	var paths []string
	for _, name := range names {
		paths = append(paths, cl.State.ExecutionState(name))
	}
	nodes, err := cl.State.ReadAll(ctx, paths...)
	if err != nil {
		return nil, err
	}
	names = slices.DeleteFunc(names, func(name string) bool {
		node, there := nodes[cl.State.ExecutionState(name)]
		es, s := &heronpb.ExecutionState{}, cl.Settings
		return !there || proto.Unmarshal(node.Data, es) != nil || es.GetCluster() != s.Cluster || es.GetRole() != s.Role || es.GetEnviron() != s.Environ
	})
	slices.Sort(names)
	return names, nil
}

// ComponentNames are the components of a topology, by name; none where there
// is no such topology.
func ComponentNames(ctx context.Context, cl cluster.Cluster, topology string) ([]string, error) {
	plan, err := packingPlan(ctx, cl, topology)
	var names []string
	for _, container := range plan.GetContainerPlans() {
		for _, instance := range container.GetInstancePlans() {
			names = append(names, instance.GetComponentName())
		}
	}
	slices.Sort(names)
	return slices.Compact(names), err
}

// ContainerNames are the indexes of a topology's containers, as words.
func ContainerNames(ctx context.Context, cl cluster.Cluster, topology string) ([]string, error) {
	plan, err := packingPlan(ctx, cl, topology)
	if err != nil || len(plan.GetContainerPlans()) == 0 {
		return nil, err
	}
	indexes := []int{0} // the TManager's
	for _, container := range plan.GetContainerPlans() {
		indexes = append(indexes, int(container.GetId()))
	}
	slices.Sort(indexes)
	var names []string
	for _, i := range indexes {
		names = append(names, strconv.Itoa(i))
	}
	return names, nil
}

// VersionNames are the numbers of a topology's versions that are kept, as words.
func VersionNames(ctx context.Context, cl cluster.Cluster, topology string) ([]string, error) {
	list, err := cl.State.Versions(ctx, topology)
	var names []string
	for _, v := range list {
		names = append(names, strconv.Itoa(v.Number))
	}
	return names, err
}

// packingPlan is a topology's stored plan, an empty one where there is none.
func packingPlan(ctx context.Context, cl cluster.Cluster, topology string) (*heronpb.PackingPlan, error) {
	plan := &heronpb.PackingPlan{}
	at := cl.State.PackingPlan(topology)
	nodes, err := cl.State.ReadAll(ctx, at)
	if err != nil {
		return plan, err
	}
	return plan, proto.Unmarshal(nodes[at].Data, plan)
}
