package submit

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/hashicorp/nomad/api"
	"google.golang.org/protobuf/proto"

	"github.com/heron-nomad/heron/internal/conf"
	"github.com/heron-nomad/heron/internal/heronpb"
	"github.com/heron-nomad/heron/internal/nomad"
	"github.com/heron-nomad/heron/internal/packing"
	"github.com/heron-nomad/heron/internal/statemgr"
	"github.com/heron-nomad/heron/internal/topology"
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

// Input is all that a deployment is computed from.
type Input struct {
	Settings   *conf.Settings
	Definition *topology.Definition
	// DefinitionFile and BinaryFile are base names in the package; PackageType
	// is that of the executor's --pkg-type.
	DefinitionFile, BinaryFile, PackageType string
	Package                                 PackageFile
	// URI tells where a package of a name will be found, "" where only the
	// server of the packages can know.
	URI func(name string) string
	// Script is the text of the start script.
	Script string
	// Client is the version of this program, Now the time of submission.
	Client string
	Now    time.Time
}

// Deployment is everything that a submission writes, and where. It is a
// value: made once, printed by a dry run, carried out by Submit.
type Deployment struct {
	Definition *topology.Definition
	// Plan is what the algorithm made, Stored the same with what each
	// container is given.
	Plan, Stored *packing.Plan
	// PackageName is the package's name in its store; URI is empty until the
	// server has told it.
	PackageName, URI string
	State            []StateNode
	Job              *api.Job

	in Input
}

// StateNode is one node of the state store.
type StateNode struct {
	Path string
	// Message is the full name of the protobuf message in Data, or "json".
	Message string
	Data    []byte
}

// Decide computes the deployment. It reads and writes nothing.
func Decide(in Input) (*Deployment, error) {
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
	d := &Deployment{Definition: in.Definition, Plan: plan, Stored: plan.Homogeneous(), in: in}
	n, err := in.Definition.Stmgrs()
	if err != nil {
		return nil, err
	}
	if n != len(plan.Containers) {
		d.Definition = in.Definition.WithStmgrs(len(plan.Containers))
	}
	s := in.Settings
	d.PackageName = topology.PackageName(s.Cluster, s.Role, s.Environ, d.Definition.Name(), d.Definition.ID(), in.Package.SHA256)
	return d.withURI(in.URI(d.PackageName))
}

// withURI is the deployment with the package at uri.
func (d *Deployment) withURI(uri string) (*Deployment, error) {
	c := *d
	c.URI = uri
	in := &c.in
	shown := uri
	if shown == "" {
		shown = Pending
	}
	job, err := nomad.BuildJob(nomad.Spec{
		Settings:       in.Settings,
		Definition:     c.Definition,
		Plan:           c.Stored,
		DefinitionFile: in.DefinitionFile,
		BinaryFile:     in.BinaryFile,
		PackageType:    in.PackageType,
		PackageURI:     shown,
		PackageSHA256:  in.Package.SHA256,
		Script:         in.Script,
	})
	if err != nil {
		return nil, fmt.Errorf("make the job of topology %q: %w", c.Definition.Name(), err)
	}
	c.Job = job
	if c.State, err = c.state(shown); err != nil {
		return nil, err
	}
	return &c, nil
}

// Pending stands for a URI that only a server can know.
const Pending = "pending"

// state makes the nodes of the state store, topologies/<t> last: where they
// cannot be written at once, its being there means that the rest is.
func (d *Deployment) state(uri string) ([]StateNode, error) {
	var (
		s      = d.in.Settings
		name   = d.Definition.Name()
		id     = d.Definition.ID()
		layout = statemgr.Layout{Root: s.State.Root}
	)
	digest, err := configDigest(s)
	if err != nil {
		return nil, err
	}
	record, err := json.Marshal(statemgr.DeploymentRecord{
		Version:       statemgr.RecordVersion,
		TopologyID:    id,
		NomadAddress:  s.Nomad.Address,
		JobID:         *d.Job.ID,
		Package:       statemgr.PackageRecord{Uploader: s.Upload.Kind, URI: uri, SHA256: d.in.Package.SHA256, Size: d.in.Package.Size},
		ClientVersion: d.in.Client,
		SubmittedBy:   s.User,
		SubmittedAt:   d.in.Now.UTC(),
		ConfigDigest:  digest,
	})
	if err != nil {
		return nil, fmt.Errorf("write the deployment record of %q: %w", name, err)
	}
	trimmed := d.Definition.Trimmed().Proto()
	nodes := []StateNode{{Path: layout.Deployment(name), Message: "json", Data: record}}
	for _, m := range []struct {
		path string
		msg  proto.Message
	}{
		{layout.PackingPlan(name), d.Stored.Proto()},
		{layout.ExecutionState(name), &heronpb.ExecutionState{
			TopologyName:   proto.String(name),
			TopologyId:     proto.String(id),
			SubmissionTime: proto.Int64(d.in.Now.Unix()),
			SubmissionUser: proto.String(s.User),
			Cluster:        proto.String(s.Cluster),
			Environ:        proto.String(s.Environ),
			Role:           proto.String(s.Role),
			ReleaseState: &heronpb.HeronReleaseState{
				ReleaseUsername: proto.String(s.Release.User),
				ReleaseTag:      proto.String(""),
				ReleaseVersion:  proto.String(s.Release.Version),
			},
		}},
		{layout.Scheduler(name), &heronpb.SchedulerLocation{
			TopologyName: proto.String(name),
			HttpEndpoint: proto.String(noEndpoint),
			JobPageLink:  []string{s.Nomad.Address + "/ui/jobs"},
		}},
		{layout.Topology(name), trimmed},
	} {
		data, err := proto.MarshalOptions{Deterministic: true}.Marshal(m.msg)
		if err != nil {
			return nil, fmt.Errorf("serialize %s: %w", m.path, err)
		}
		nodes = append(nodes, StateNode{
			Path:    m.path,
			Message: string(m.msg.ProtoReflect().Descriptor().FullName()),
			Data:    data,
		})
	}
	return nodes, nil
}

// configDigest tells one configuration from another without showing it.
func configDigest(s *conf.Settings) (string, error) {
	data, err := json.Marshal(s)
	if err != nil {
		return "", fmt.Errorf("digest the configuration: %w", err)
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), nil
}

// ops is the transaction that writes the state.
func (d *Deployment) ops() []statemgr.Op {
	ops := make([]statemgr.Op, 0, len(d.State))
	for _, n := range d.State {
		ops = append(ops, statemgr.Create(n.Path, n.Data))
	}
	return ops
}
