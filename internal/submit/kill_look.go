package submit

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/hashicorp/nomad/api"
	"google.golang.org/protobuf/proto"

	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/heronpb"
	"github.com/heron-nomad/heron/internal/nomad/jobspec"
	"github.com/heron-nomad/heron/internal/outcome"
	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/topology"
)

// look takes stock. It changes nothing.
func (k *killing) look(ctx context.Context) error {
	ops, err := statemgr.Deletion(ctx, k.env.Store, k.layout, k.name, k.opts.PurgeCheckpoints)
	if err != nil {
		return fmt.Errorf("look for topology %q: %w", k.name, err)
	}
	k.state = len(ops) > 0
	if err := k.lookBack(ctx); err != nil {
		return err
	}
	if k.runningID, err = k.currentID(ctx); err != nil {
		return err
	}
	id, err := k.checkIdentity(ctx)
	if err != nil {
		return err
	}
	if err := k.readRecord(ctx); err != nil {
		return err
	}
	if k.begun != nil {
		k.addPackage(k.begun.intent.Package.Uploader, k.begun.intent.Package.URI)
		path := k.layout.Operation(k.name)
		ops = append(ops, statemgr.Set(path, nil), statemgr.Delete(path))
	}
	if err := k.findJobs(ctx, id); err != nil || len(ops) == 0 {
		return err
	}
	// A job that is stopped, and its state that must stay, would be worse.
	if err := statemgr.CheckRights(ctx, k.env.Store, k.layout, ops...); err != nil {
		return fmt.Errorf("kill topology %q: %w; nothing was touched", k.name, err)
	}
	return nil
}

// lookBack looks for a submit that is under way, which is an error, or has
// died.
func (k *killing) lookBack(ctx context.Context) (err error) {
	k.begun, err = k.env.readIntent(ctx, k.layout, k.name)
	if err != nil || k.begun == nil {
		return err
	}
	i := k.begun.intent
	switch {
	case k.begun.alive:
		return busy(k.name, i.Owner)
	case i.Cluster != k.s.Cluster || i.Role != k.s.Role || i.Environ != k.s.Environ:
		return outcome.Errorf(outcome.Usage, "topology %q was being submitted at %s/%s/%s, not %s/%s/%s; give its own cluster/role/environ to kill it",
			k.name, i.Cluster, i.Role, i.Environ, k.s.Cluster, k.s.Role, k.s.Environ)
	}
	return checkPlace(k.s.Nomad, i)
}

// checkIdentity compares cluster, role and environ with those the topology
// was submitted under, and returns its id ("" where it is not known).
func (k *killing) checkIdentity(ctx context.Context) (string, error) {
	data, there, err := k.env.readNode(ctx, k.layout.ExecutionState(k.name), fmt.Sprintf("read the execution state of %q", k.name))
	if !there || err != nil {
		return "", err
	}
	var es heronpb.ExecutionState
	if err := proto.Unmarshal(data, &es); err != nil {
		k.env.Report.say("the execution state of %q cannot be read, so its owner is not checked: %v", k.name, err)
		return "", nil
	}
	if es.GetCluster() != k.s.Cluster || es.GetRole() != k.s.Role || es.GetEnviron() != k.s.Environ {
		return "", outcome.Errorf(outcome.Usage, "topology %q runs at %s/%s/%s, not %s/%s/%s; give its own cluster/role/environ to kill it",
			k.name, es.GetCluster(), es.GetRole(), es.GetEnviron(), k.s.Cluster, k.s.Role, k.s.Environ)
	}
	return es.GetTopologyId(), nil
}

// readRecord takes the package from the deployment record. Topologies of the
// original client have none.
func (k *killing) readRecord(ctx context.Context) error {
	data, there, err := k.env.readNode(ctx, k.layout.Deployment(k.name), fmt.Sprintf("read the deployment record of %q", k.name))
	if !there || err != nil {
		return err
	}
	record, err := statemgr.DecodeDeployment(data)
	if err != nil {
		k.env.Report.say("the deployment record of %q cannot be read, so its package may stay: %v", k.name, err)
		return nil
	}
	if err := k.checkWhere(record); err != nil {
		return err
	}
	k.addPackage(record.Package.Uploader, record.Package.URI)
	return nil
}

// currentID is the id in the stored definition, "" where there is none or it
// cannot be read: a broken one can be killed too.
func (k *killing) currentID(ctx context.Context) (string, error) {
	data, there, err := k.env.readNode(ctx, k.layout.Topology(k.name), fmt.Sprintf("look for topology %q", k.name))
	if !there || err != nil {
		return "", err
	}
	def, err := topology.Decode(data)
	if err != nil {
		return "", nil
	}
	return def.ID(), nil
}

// checkWhere refuses to look for the job in another region or namespace than
// it is in: the state would go, and the containers run on.
func (k *killing) checkWhere(record statemgr.DeploymentRecord) error {
	if k.runningID != "" && record.TopologyID != k.runningID {
		return nil // of an earlier topology
	}
	return samePlace(k.s.Nomad, fmt.Sprintf("topology %q runs", k.name), record.Nomad.Region, record.Nomad.Namespace)
}

// checkPlace refuses to look for the job of a submission that died in another
// region or namespace than it may be in.
func checkPlace(n conf.Nomad, i statemgr.Intent) error {
	if i.Step != statemgr.StepJob {
		return nil
	}
	return samePlace(n, fmt.Sprintf("the job %s of a submit that died may be", i.Nomad.JobID), i.Nomad.Region, i.Nomad.Namespace)
}

// samePlace compares where something is with where Nomad is asked.
func samePlace(n conf.Nomad, what, region, namespace string) error {
	there, here := cmp.Or(namespace, api.DefaultNamespace), cmp.Or(n.Namespace, api.DefaultNamespace)
	if there != here {
		return outcome.Errorf(outcome.Usage, "%s in Nomad's namespace %q, not %q; kill it with --nomad-namespace %[2]s", what, there, here)
	}
	if region != "" && n.Region != "" && region != n.Region {
		return outcome.Errorf(outcome.Usage, "%s in Nomad's region %q, not %q; kill it with --nomad-region %[2]s", what, region, n.Region)
	}
	return nil
}

func (k *killing) addPackage(kind, uri string) {
	switch {
	case uri == "" || uri == jobspec.PendingURI || slices.Contains(k.packages, uri) || slices.Contains(k.foreign, uri):
	case kind == k.s.Upload.Kind:
		k.packages = append(k.packages, uri)
	default:
		k.foreign = append(k.foreign, uri)
	}
}

// findJobs looks for the topology's job, and for those that the original
// client made of it, one per container.
func (k *killing) findJobs(ctx context.Context, topologyID string) error {
	jobs, err := topologyJobs(ctx, k.env.Jobs, k.s.Cluster, k.name, topologyID)
	if err != nil {
		return fmt.Errorf("look for the jobs of topology %q: %w", k.name, err)
	}
	for _, job := range jobs {
		if *job.ID == jobspec.JobID(k.s.Cluster, k.name) {
			if err := jobspec.CheckMarks(job, k.s); err != nil {
				return fmt.Errorf("%w; nothing was touched", err)
			}
		}
		k.addPackage(job.Meta[jobspec.MetaUploader], job.Meta[jobspec.MetaPackageURI])
	}
	k.jobs = jobs
	return nil
}

// findUploader makes sure of the uploader for the topology that was found.
func (k *killing) findUploader() error {
	if k.opts.ForTopology == nil || !perTopology(k.s.Upload) || len(k.packages) == 0 {
		return nil
	}
	id := k.runningID
	if id == "" && k.begun != nil {
		id = k.begun.intent.TopologyID
	}
	for _, job := range k.jobs {
		id = cmp.Or(id, job.Meta[jobspec.MetaTopologyID])
	}
	settings, err := k.opts.ForTopology(k.name, id)
	if err != nil {
		return err
	}
	resolved := *k.s
	resolved.Upload = settings.Upload
	k.s = &resolved
	k.env, err = k.env.with(settings.Upload)
	return err
}
