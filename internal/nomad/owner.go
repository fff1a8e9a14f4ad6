package nomad

import (
	"fmt"

	"github.com/hashicorp/nomad/api"

	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/outcome"
)

// Keys of a job's meta. The first two are the original's: its client finds
// the jobs of a topology by MetaTopologyName.
const (
	MetaTopologyName = "topology.name"
	MetaTopologyID   = "topology.id"
	// MetaClient marks a job as this client's; its value is ClientMark.
	MetaClient  = "heron.client"
	MetaCluster = "heron.cluster"
	MetaRole    = "heron.role"
	MetaEnviron = "heron.environ"
	// MetaStateKind and MetaStateRoot say where the topology's state is kept.
	MetaStateKind = "heron.state.kind"
	MetaStateRoot = "heron.state.root"
	// MetaUploader and MetaPackageURI say who stored the package and where.
	MetaUploader   = "heron.package.uploader"
	MetaPackageURI = "heron.package.uri"
)

// ClientMark is the value of MetaClient; the number is the version of the
// job's layout.
const ClientMark = "heron-nomad/1"

// JobID is the id of a topology's job, the same over all versions of the
// topology.
func JobID(cluster, topology string) string { return "heron." + cluster + "." + topology }

// NotOwnedError says that a job has the id of a topology's job but belongs to
// somebody else, so it must not be touched.
type NotOwnedError struct {
	JobID string
	// Key is the key of the job's meta that tells, Got its value, Want ours.
	Key, Got, Want string
}

func (e *NotOwnedError) Error() string {
	return fmt.Sprintf("job %q is not ours: its meta %s is %q, not %q; stop it with Nomad or use another topology name",
		e.JobID, e.Key, e.Got, e.Want)
}

// Kind implements the contract of package outcome.
func (e *NotOwnedError) Kind() outcome.Kind { return outcome.Exists }

// ownerKeys are the marks by which a job is one of a cluster and a state
// store. Role and environ are left out: the state store decides about them.
func ownerKeys() []string {
	return []string{MetaClient, MetaCluster, MetaStateKind, MetaStateRoot}
}

// CheckOwner says whether a job is one that this client made for the cluster
// and state store of s; if not, with a *NotOwnedError. Whether it is of the
// wanted run of a topology is told by MetaTopologyID.
func CheckOwner(job *api.Job, s *conf.Settings) error {
	return checkOwner(job, ownerMarks(s))
}

// SameOwner says whether two jobs are of the same cluster and state store,
// and both of this client.
func SameOwner(a, b *api.Job) bool {
	return b.Meta[MetaClient] == ClientMark && checkOwner(a, b.Meta) == nil
}

// Owned is CheckOwner on the meta alone, for jobs that were only listed.
func Owned(meta map[string]string, s *conf.Settings) bool {
	return checkOwner(&api.Job{Meta: meta}, ownerMarks(s)) == nil
}

func checkOwner(job *api.Job, want map[string]string) error {
	for _, key := range ownerKeys() {
		if got := job.Meta[key]; got != want[key] {
			id := ""
			if job.ID != nil {
				id = *job.ID
			}
			return &NotOwnedError{JobID: id, Key: key, Got: got, Want: want[key]}
		}
	}
	return nil
}

func ownerMarks(s *conf.Settings) map[string]string {
	return map[string]string{
		MetaClient:    ClientMark,
		MetaCluster:   s.Cluster,
		MetaRole:      s.Role,
		MetaEnviron:   s.Environ,
		MetaStateKind: s.State.Kind,
		MetaStateRoot: s.State.Root,
	}
}

// meta is the meta of a topology's job.
func (s Spec) meta() map[string]string {
	m := ownerMarks(s.Settings)
	m[MetaTopologyName] = s.Definition.Name()
	m[MetaTopologyID] = s.Definition.ID()
	m[MetaUploader] = s.Settings.Upload.Kind
	m[MetaPackageURI] = s.PackageURI
	return m
}
