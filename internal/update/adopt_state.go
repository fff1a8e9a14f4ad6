package update

import (
	"context"
	"errors"
	"time"

	"github.com/heron-nomad/heron/internal/nomad/jobspec"
	"github.com/heron-nomad/heron/internal/statemgr"
)

// writeAdopted writes the state of a topology with one job: what an update
// writes, and the record and the first version that a submission would have
// written. The record comes last: it says that the rest is there.
func (u *updating) writeAdopted(ctx context.Context) error {
	if u.moved() {
		return nil // an earlier run has done it
	}
	tree, there := u.Cluster.State, *u.There
	if err := tree.EnsureDirs(ctx, tree.Dirs()...); err != nil {
		return err
	}
	if err := u.noteBefore(ctx); err != nil {
		return err
	}
	there.Job, there.Record.Value, there.Record.There = u.spec, u.record(), true
	data, err := there.Record.Value.Encode()
	if err != nil {
		return err
	}
	ops, err := u.addVersion(ctx, &there)
	if err != nil {
		return err
	}
	if u.redefines {
		ops = append(ops, statemgr.Set(u.There.Definition.Path, u.definition))
	}
	record := statemgr.Create(u.There.Record.Path, data)
	if u.There.Record.There {
		record = statemgr.Set(u.There.Record.Path, data)
	}
	return u.replan(ctx, ops, u.planData, record)
}

// record is what a submission would have recorded, as far as it is known.
func (u *updating) record() statemgr.DeploymentRecord {
	set, state := u.Cluster.Settings, u.There.ExecutionState.Value
	r := statemgr.DeploymentRecord{
		TopologyID: u.ID(), SubmittedBy: state.GetSubmissionUser(), SubmittedAt: time.Unix(state.GetSubmissionTime(), 0),
	}
	r.Nomad.Address, r.Nomad.JobID = set.Nomad.Address, *u.spec.ID
	r.Nomad.Region, r.Nomad.Namespace = set.Nomad.Region, set.Nomad.Namespace
	r.Package.Uploader, r.Package.URI = u.spec.Meta[jobspec.MetaUploader], u.spec.Meta[jobspec.MetaPackageURI]
	return r
}

// restoreAdopted writes the state that there was for the original's jobs.
func (u *updating) restoreAdopted(ctx context.Context) (did bool, err error) {
	defer func() { u.stuck = errors.Join(u.stuck, err) }()
	if u.stuck != nil {
		return false, u.stuck
	}
	tree := u.Cluster.State
	versions, err := tree.Versions(ctx, u.Name)
	if err != nil {
		return false, err
	}
	record, history, def, plan := u.There.Record, tree.History(u.Name), u.There.Definition.Path, u.There.PackingPlan
	nodes, err := tree.ReadAll(ctx, record.Path, history, def, plan.Path)
	if err != nil {
		return false, err
	}
	var ops []statemgr.Op
	switch now, there := nodes[record.Path]; {
	case there && !record.There:
		ops = append(ops, statemgr.Delete(record.Path))
	case there && string(now.Data) != string(record.Data):
		ops = append(ops, statemgr.Set(record.Path, record.Data))
	}
	kept := 0
	for _, v := range versions {
		if v.Deployment.TopologyID != u.ID() {
			kept++ // of an earlier topology
			continue
		}
		ops = append(ops, v.DeleteOps(tree.Layout, u.Name)...)
	}
	if _, there := nodes[history]; there && kept == 0 {
		ops = append(ops, statemgr.Delete(history))
	}
	if string(nodes[def].Data) != string(u.back) && u.redefines {
		ops = append(ops, statemgr.Set(def, u.back))
	}
	if len(ops) == 0 && string(nodes[plan.Path].Data) == string(plan.Data) {
		return false, nil
	}
	return true, u.replan(ctx, ops, plan.Data)
}
