package jobspec

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
	// MetaVersion is the number of the topology's version, in jobs that replaced
	// an earlier version's: two versions can have the same topology id.
	MetaVersion = "heron.version"
)

// ClientMark is the value of MetaClient; the number is the version of the
// job's layout.
const ClientMark = "heron-nomad/1"

// JobID is the id of a topology's job, the same over all versions of the
// topology.
func JobID(cluster, topology string) string { return "heron." + cluster + "." + topology }

// NotOursError says that a job has the id of a topology's job but not our
// marks, so it must not be touched.
type NotOursError struct {
	JobID string
	// Key is the mark that differs, Got its value, Want ours.
	Key, Got, Want string
}

func (e *NotOursError) Error() string {
	return fmt.Sprintf("job %q is not ours: its meta %s is %q, not %q; stop it with Nomad or use another topology name",
		e.JobID, e.Key, e.Got, e.Want)
}

// Kind implements the contract of package outcome.
func (e *NotOursError) Kind() outcome.Kind { return outcome.Exists }

// markKeys are the marks by which a job is one of a cluster and a state
// store. Role and environ are left out: the state store decides about them.
func markKeys() []string {
	return []string{MetaClient, MetaCluster, MetaStateKind, MetaStateRoot}
}

// CheckMarks returns a *NotOursError unless this client made the job for the
// cluster and state store of s. Which run of a topology the job is of,
// MetaTopologyID says.
func CheckMarks(job *api.Job, s *conf.Settings) error {
	return checkMarks(job, marks(s))
}

// SameMarks says whether this client made both jobs for the same cluster and
// state store.
func SameMarks(a, b *api.Job) bool {
	return b.Meta[MetaClient] == ClientMark && checkMarks(a, b.Meta) == nil
}

func checkMarks(job *api.Job, want map[string]string) error {
	for _, key := range markKeys() {
		if got := job.Meta[key]; got != want[key] {
			return &NotOursError{JobID: value(job.ID), Key: key, Got: got, Want: want[key]}
		}
	}
	return nil
}

func marks(s *conf.Settings) map[string]string {
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
	m := marks(s.Settings)
	m[MetaTopologyName] = s.Definition.Name()
	m[MetaTopologyID] = s.Definition.ID()
	m[MetaUploader] = s.Settings.Upload.Kind
	m[MetaPackageURI] = s.PackageURI
	return m
}
