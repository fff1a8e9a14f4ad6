package nomad

import (
	"maps"

	"github.com/hashicorp/nomad/api"
)

// take takes in a batch of events.
func (f *feed) take(b eventBatch) {
	if len(b.Events) == 0 {
		return
	}
	f.mu.Lock()
	f.last = max(f.last, b.Index)
	for _, e := range b.Events {
		p := e.Payload
		switch {
		case p.Allocation != nil && p.Allocation.JobID == f.jobID:
			f.putAlloc(p.Allocation)
		case p.Evaluation != nil && p.Evaluation.JobID == f.jobID:
			if known := f.evals[p.Evaluation.ID]; known == nil || known.ModifyIndex < p.Evaluation.ModifyIndex {
				f.evals[p.Evaluation.ID] = p.Evaluation
			}
		case p.Deployment != nil && p.Deployment.JobID == f.jobID:
			f.putDeployment(p.Deployment)
		case p.Job != nil && p.Job.ID == f.jobID:
			f.now.jobIndex = max(f.now.jobIndex, p.Job.JobModifyIndex)
		}
	}
	f.mu.Unlock()
	signal(f.woken)
}

// putAlloc takes in an allocation of an event.
func (f *feed) putAlloc(a *api.AllocationListStub) {
	known := f.allocs[a.ID]
	switch {
	case known != nil && known.ModifyIndex >= a.ModifyIndex:
		return
	case known != nil:
		a.JobVersion = known.JobVersion
		if a.JobVersion != f.version && a.EvalID != known.EvalID {
			// It may have been brought to the job's new version in place.
			signal(f.unsure)
		}
	case a.CreateIndex > f.since:
		a.JobVersion = f.version
	default:
		// One of an earlier version that no list has shown yet.
		signal(f.unsure)
		return
	}
	f.allocs[a.ID] = a
}

func (f *feed) putDeployment(d *api.Deployment) {
	if known := f.now.deployment; known == nil || known.CreateIndex < d.CreateIndex || known.ID == d.ID && known.ModifyIndex < d.ModifyIndex {
		f.now.deployment = d
	}
}

// putAllocs takes in a list that was read at an index. What events have said
// after that stays. Lists are read at the same time, so one may come after a
// newer one, of which it must take nothing back: the job's versions stand in
// lists alone.
func (f *feed) putAllocs(list []*api.AllocationListStub, index uint64) {
	f.mu.Lock()
	if index < f.allocsAt {
		f.mu.Unlock()
		return
	}
	f.allocsAt = index
	listed := make(map[string]*api.AllocationListStub, len(list))
	for _, a := range list {
		listed[a.ID] = a
		if known := f.allocs[a.ID]; known != nil && known.ModifyIndex > a.ModifyIndex {
			newer := *known
			newer.JobVersion = a.JobVersion
			listed[a.ID] = &newer
		}
	}
	maps.DeleteFunc(f.allocs, func(_ string, a *api.AllocationListStub) bool { return a.ModifyIndex <= index })
	maps.Copy(f.allocs, listed)
	f.now.allocsListed = true
	f.mu.Unlock()
	signal(f.woken)
}

func (f *feed) putEvals(list []*api.Evaluation, index uint64) {
	f.mu.Lock()
	if index < f.evalsAt {
		f.mu.Unlock()
		return
	}
	f.evalsAt = index
	listed := make(map[string]*api.Evaluation, len(list))
	for _, e := range list {
		listed[e.ID] = e
		if known := f.evals[e.ID]; known != nil && known.ModifyIndex > e.ModifyIndex {
			listed[e.ID] = known
		}
	}
	maps.DeleteFunc(f.evals, func(_ string, e *api.Evaluation) bool { return e.ModifyIndex <= index })
	maps.Copy(f.evals, listed)
	f.now.evalsListed = true
	f.mu.Unlock()
	signal(f.woken)
}

func (f *feed) putDeployments(list []*api.Deployment, _ uint64) {
	f.mu.Lock()
	for _, d := range list {
		f.putDeployment(d)
	}
	f.mu.Unlock()
	signal(f.woken)
}
