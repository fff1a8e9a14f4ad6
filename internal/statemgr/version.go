package statemgr

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// versionFormat is the version of Version's format.
const versionFormat = 1

// Version is one version of a topology as it was put in place: all that is
// needed to put it in place again. It holds no secrets. The highest number is
// what runs, or is about to.
type Version struct {
	// Format is that of the record, 1. Encode sets it.
	Format int `json:"format"`
	// Number counts the versions of a topology from 1.
	Number int `json:"number"`
	// Operation is the one of Operations that made it, "" for a topology that
	// was there before its history. Previous is the version that ran before it, 0
	// for none; Restores is the version that a rollback put in place again.
	Operation string `json:"operation,omitempty"`
	Previous  int    `json:"previous,omitempty"`
	Restores  int    `json:"restores,omitempty"`
	// Stable: it was seen to run as it should.
	Stable bool `json:"stable"`
	// By and At are who put it in place and when, in UTC, to the second; Via is who
	// asked an API server for it.
	By  string    `json:"by"`
	Via Via       `json:"via,omitzero"`
	At  time.Time `json:"at"`
	// Containers counts its containers, that of the TManager included.
	Containers int `json:"containers"`
	// PausedBefore: the topology was paused when this version was put in place.
	PausedBefore bool `json:"paused_before,omitempty"`
	// Checkpoints is the list of checkpoints that was removed when this version
	// was put in place, until it is stable.
	Checkpoints []byte `json:"checkpoints,omitempty"`
	// Request is a digest of what was asked for, "" where it is not known: an
	// equal request would put the same in place. Stateful is one of where and how
	// checkpoints are kept.
	Request  string `json:"request_digest,omitempty"`
	Stateful string `json:"stateful_digest,omitempty"`
	// Deployment names the topology's id, package, job and configuration.
	Deployment DeploymentRecord `json:"deployment"`
	// ExecutionState and SchedulerLocation are serialized messages.
	ExecutionState    []byte `json:"execution_state"`
	SchedulerLocation []byte `json:"scheduler_location,omitempty"`

	// VersionContent is kept in nodes of its own.
	VersionContent `json:"-"`
}

// VersionContent is what of a version may be large. It is kept compressed.
type VersionContent struct {
	// Definition, without the components' objects, and PackingPlan are serialized
	// messages; Job is the Nomad job in JSON, without secrets.
	Definition, PackingPlan, Job []byte
}

// Encode returns the record as the store keeps it, without the content: JSON,
// the same bytes for the same version.
func (v Version) Encode() ([]byte, error) {
	if v.Number < 1 {
		return nil, fmt.Errorf("encode version %d of %s: versions count from 1", v.Number, v.Deployment.TopologyID)
	}
	v.Format, v.At = versionFormat, v.At.UTC().Truncate(time.Second)
	v.Deployment.Version, v.Deployment.SubmittedAt = deploymentFormat, v.Deployment.SubmittedAt.UTC().Truncate(time.Second)
	data, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode version %d of %s: %w", v.Number, v.Deployment.TopologyID, err)
	}
	return data, nil
}

// DecodeVersion reads a record. Unknown fields are ignored; a record of a later
// format is an error.
func DecodeVersion(data []byte) (Version, error) {
	var v Version
	if err := json.Unmarshal(data, &v); err != nil {
		return Version{}, fmt.Errorf("decode version: %w", err)
	}
	if v.Format != versionFormat || v.Number < 1 || v.Deployment.Version != deploymentFormat {
		return Version{}, fmt.Errorf("decode version: this program does not know format %d of it: use the release that wrote it, or a later one", v.Format)
	}
	return v, nil
}

// Ops returns the creations of a version's nodes, the record last. The directory
// of the topology's history must exist; see CreateHistory.
func (v Version) Ops(l Layout, topology string) ([]Op, error) {
	if err := CheckName(topology); err != nil {
		return nil, err
	}
	record, err := v.Encode()
	if err != nil {
		return nil, err
	}
	var ops []Op
	for _, part := range []struct {
		path string
		data []byte
	}{
		{l.VersionDefinition(topology, v.Number), v.Definition},
		{l.VersionPackingPlan(topology, v.Number), v.PackingPlan},
		{l.VersionJob(topology, v.Number), v.Job},
	} {
		if len(part.data) == 0 {
			return nil, &InvalidError{What: part.path, Why: "would be created without data"}
		}
		packed, err := compress(part.data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", part.path, err)
		}
		ops = append(ops, Create(part.path, packed))
	}
	return append(ops, Create(l.Version(topology, v.Number), record)), nil
}

// DeleteOps returns the removals of a version's nodes, the record first: what
// has no record is no version.
func (v Version) DeleteOps(l Layout, topology string) []Op {
	return []Op{
		Delete(l.Version(topology, v.Number)), Delete(l.VersionJob(topology, v.Number)),
		Delete(l.VersionPackingPlan(topology, v.Number)), Delete(l.VersionDefinition(topology, v.Number)),
	}
}

// CreateHistory makes the directory of a topology's history.
func (l Layout) CreateHistory(topology string) Op { return Create(l.History(topology), nil) }

// Surplus returns the versions that go where so many earlier ones are kept
// beside the newest. The last stable one before the newest is always among
// those that stay, unless none are to.
func Surplus(versions []Version, earlier int) []Version {
	if len(versions) == 0 {
		return nil
	}
	versions = versions[:len(versions)-1]
	first := max(len(versions)-max(earlier, 0), 0)
	gone := slices.Clone(versions[:first])
	isStable := func(v Version) bool { return v.Stable }
	if earlier <= 0 || slices.ContainsFunc(versions[first:], isStable) {
		return gone
	}
	for i := len(gone) - 1; i >= 0; i-- {
		if gone[i].Stable {
			// It stays in the place of the oldest that would.
			gone[i] = versions[first]
			slices.SortFunc(gone, func(a, b Version) int { return a.Number - b.Number })
			break
		}
	}
	return gone
}
