package submit

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/hashicorp/nomad/api"
	"google.golang.org/protobuf/proto"

	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/heronpb"
	"github.com/heron-nomad/heron/internal/nomad/jobspec"
	"github.com/heron-nomad/heron/internal/packing"
	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/topology"
	"github.com/heron-nomad/heron/internal/uploader"
)

// noEndpoint stands for the address of a scheduler that is a library of the
// client; heron-tracker and the old client know it.
const noEndpoint = "scheduler_as_lib_no_endpoint"

// PackageFile is a package as it lies on this machine.
type PackageFile struct {
	Path   string
	Size   int64
	SHA256 string
}

// Input is all that a manifest is computed from.
type Input struct {
	Settings   *conf.Settings
	Definition *topology.Definition
	// DefinitionFile and BinaryFile are base names in the package; PackageType
	// is that of the executor's --pkg-type.
	DefinitionFile, BinaryFile, PackageType string
	Package                                 PackageFile
	// Locate returns where a package of a name will be found, as far as that is
	// known before the upload.
	Locate func(name string) uploader.Location
	// Script is the text of the start script.
	Script string
	// Client is the version of this program, Now the time of submission.
	Client string
	Now    time.Time
	// Request is a digest of everything that was asked for, without what differs
	// between two runs of one command: the topology's id, times, secrets. Where
	// it is empty, no earlier submission is continued.
	Request string
}

// Manifest is everything that a submission writes, and where. It is a value:
// made once, printed by a dry run, carried out by Submit.
type Manifest struct {
	Definition *topology.Definition
	// Plan is what the algorithm made, Stored the same plan with what each
	// container is given.
	Plan, Stored *packing.Plan
	// PackageName is the package's name in its store. Parts of Package that only
	// the server knows are empty until the upload.
	PackageName string
	Package     uploader.Location
	// State creates the nodes of the state store, topologies/<t> last: where they
	// cannot be written in one transaction, its presence means that the rest is
	// there.
	State []statemgr.Op
	// History creates the topology's first version.
	History []statemgr.Op
	Job     *api.Job

	version statemgr.Version
	in      Input
}

// NewManifest computes a manifest. It reads and writes nothing.
func NewManifest(in Input) (*Manifest, error) {
	alg, err := packing.New(in.Settings.Packing.Algorithm, packing.Settings{
		InstanceCPU:  in.Settings.Packing.InstanceCPU,
		InstanceRAM:  in.Settings.Packing.InstanceRAM,
		InstanceDisk: in.Settings.Packing.InstanceDisk,
	})
	if err != nil {
		return nil, err
	}
	plan, err := alg.Pack(in.Definition)
	if err != nil {
		return nil, fmt.Errorf("pack topology %q with %s: %w", in.Definition.Name(), in.Settings.Packing.Class, err)
	}
	return manifestOf(in, plan)
}

// manifestOf computes the manifest of a plan.
func manifestOf(in Input, plan *packing.Plan) (*Manifest, error) {
	m := &Manifest{Definition: in.Definition, Plan: plan, Stored: plan.Homogeneous(), in: in}
	n, err := in.Definition.Stmgrs()
	if err != nil {
		return nil, err
	}
	if n != len(plan.Containers) {
		m.Definition = in.Definition.WithStmgrs(len(plan.Containers))
	}
	s := in.Settings
	m.PackageName = topology.PackageName(s.Cluster, s.Role, s.Environ, m.Definition.Name(), m.Definition.ID(), in.Package.SHA256)
	return m.at(in.Locate(m.PackageName))
}

// at is the manifest with its package at a place.
func (m *Manifest) at(where uploader.Location) (*Manifest, error) {
	c := *m
	c.Package = where
	in := &c.in
	uri := cmp.Or(where.URI, jobspec.PendingURI)
	job, err := jobspec.Build(jobspec.Spec{
		Settings:       in.Settings,
		Definition:     c.Definition,
		Plan:           c.Stored,
		DefinitionFile: in.DefinitionFile,
		BinaryFile:     in.BinaryFile,
		PackageType:    in.PackageType,
		PackageURI:     uri,
		PackageFetch:   cmp.Or(where.Fetch, jobspec.PendingURI),
		PackageNodes:   where.Nodes,
		PackageSHA256:  in.Package.SHA256,
		Script:         in.Script,
	})
	if err != nil {
		return nil, fmt.Errorf("make the job of topology %q: %w", c.Definition.Name(), err)
	}
	c.Job = job
	sub, err := c.submission(uri)
	if err != nil {
		return nil, err
	}
	layout := statemgr.Layout{Root: in.Settings.State.Root}
	if c.State, err = sub.Ops(layout); err != nil {
		return nil, err
	}
	recorded, err := jobspec.Record(job)
	if err != nil {
		return nil, err
	}
	c.version = sub.First(statemgr.OperationSubmit, recorded, *job.TaskGroups[0].Count)
	c.version.Request, c.version.Stateful = in.Request, in.Settings.Executor.StatefulStorage
	version, err := c.version.Ops(layout, c.Definition.Name())
	if err != nil {
		return nil, err
	}
	c.History = append([]statemgr.Op{layout.CreateHistory(c.Definition.Name())}, version...)
	return &c, nil
}

// writes are all operations that write the state, the definition's last.
func (m *Manifest) writes() []statemgr.Op {
	last := len(m.State) - 1
	return slices.Concat(m.State[:last], m.History, m.State[last:])
}

// submission makes the messages that the state keeps.
func (m *Manifest) submission(uri string) (statemgr.Submission, error) {
	s, name, id := m.in.Settings, m.Definition.Name(), m.Definition.ID()
	sub := statemgr.Submission{Topology: name}
	for _, part := range []struct {
		into *[]byte
		msg  proto.Message
	}{
		{&sub.Definition, m.Definition.Trimmed().Proto()},
		{&sub.PackingPlan, m.Stored.Proto()},
		{&sub.ExecutionState, m.executionState()},
		{&sub.SchedulerLocation, &heronpb.SchedulerLocation{
			TopologyName: proto.String(name),
			HttpEndpoint: proto.String(noEndpoint),
			JobPageLink:  []string{s.Nomad.Address + "/ui/jobs"},
		}},
	} {
		data, err := proto.MarshalOptions{Deterministic: true}.Marshal(part.msg)
		if err != nil {
			return sub, fmt.Errorf("serialize the %s of %q: %w", part.msg.ProtoReflect().Descriptor().Name(), name, err)
		}
		*part.into = data
	}
	digest, err := configDigest(s)
	if err != nil {
		return sub, err
	}
	record := statemgr.DeploymentRecord{
		TopologyID:    id,
		ClientVersion: m.in.Client,
		SubmittedBy:   s.User,
		Via:           statemgr.Via(s.Via),
		SubmittedAt:   m.in.Now,
		ConfigDigest:  digest,
	}
	record.Nomad.Address, record.Nomad.JobID = s.Nomad.Address, *m.Job.ID
	record.Nomad.Region, record.Nomad.Namespace = s.Nomad.Region, s.Nomad.Namespace
	record.Package.Uploader, record.Package.URI = s.Upload.Kind, uri
	record.Package.SHA256, record.Package.Size = m.in.Package.SHA256, m.in.Package.Size
	sub.Deployment = record
	return sub, nil
}

func (m *Manifest) executionState() *heronpb.ExecutionState {
	s := m.in.Settings
	return &heronpb.ExecutionState{
		TopologyName:   proto.String(m.Definition.Name()),
		TopologyId:     proto.String(m.Definition.ID()),
		SubmissionTime: proto.Int64(m.in.Now.Unix()),
		SubmissionUser: proto.String(s.User),
		Cluster:        proto.String(s.Cluster),
		Environ:        proto.String(s.Environ),
		Role:           proto.String(s.Role),
		ReleaseState: &heronpb.HeronReleaseState{
			ReleaseUsername: proto.String(s.Release.User),
			ReleaseTag:      proto.String(""),
			ReleaseVersion:  proto.String(s.Release.Version),
		},
	}
}

// configDigest identifies a configuration without showing it.
func configDigest(s *conf.Settings) (string, error) {
	data, err := json.Marshal(s)
	if err != nil {
		return "", fmt.Errorf("digest the configuration: %w", err)
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), nil
}

// Paused says that the topology waits for an activation.
func (m *Manifest) Paused() bool { return m.Definition.State() == heronpb.TopologyState_PAUSED }
